"""A database and its galleries."""

from typing import Any

import sqlalchemy as sa

from common.errors import BadArgument, ModelMismatch
from db import checks, schema
from db import names as naming
from db.connections import Connections
from db.gallery import Gallery
from db.schema import galleries

MAX_CHARACTERS = 255
SHOWN_DIGEST = 12

_columns = (
    galleries.c.id,
    galleries.c.name,
    galleries.c.model_name,
    galleries.c.model_digest,
    galleries.c.dimension,
)


class Database:
    """An open database; see :func:`db.open`. May be used from several threads, and as a context manager."""

    def __init__(self, url: str):
        self._connections = Connections(url)
        try:
            schema.set_up(self._connections)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Database({self._connections.place!r})"

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; what uses this database afterwards raises DatabaseError."""
        self._connections.close()

    def galleries(self) -> list[Gallery]:
        """All galleries, ordered by name. Raises DatabaseError."""
        with self._connections.reading() as connection:
            rows = connection.execute(sa.select(*_columns).order_by(galleries.c.name)).all()
        return [Gallery(self._connections, row) for row in rows]

    def gallery(self, name: str, model_name: str, model_digest: str, dimension: int) -> Gallery:
        """The gallery of that name, created on first use and pinned to one model from then on.

        Args:
            name: 1 to 255 characters, as :func:`db.names.clean` allows.
            model_name: what the model is called; it may change as long as the digest stays.
            model_digest: the model's SHA-256 in hexadecimal.
            dimension: length of its embeddings.

        Raises:
            ModelMismatch: the gallery is there and belongs to another model.
            BadName, BadArgument, DatabaseError.
        """
        values = {
            "name": naming.clean(name, "gallery"),
            "model_name": _text(model_name, "The name of a model"),
            "model_digest": _text(model_digest, "The digest of a model"),
            "dimension": checks.positive(dimension, "The dimension of embeddings"),
        }
        row = self._find(values["name"]) or self._create(values)
        _check_model(row, values)
        return Gallery(self._connections, row)

    def _find(self, name: str) -> sa.Row | None:
        with self._connections.reading() as connection:
            return connection.execute(sa.select(*_columns).where(galleries.c.name == name)).one_or_none()

    def _create(self, values: dict[str, Any]) -> sa.Row:
        """Insert a gallery unless another process was faster: the lock on the version's row sets an order."""
        selected = sa.select(*_columns).where(galleries.c.name == values["name"])
        with self._connections.writing() as connection:
            connection.execute(sa.select(schema.schema_version).with_for_update())
            row = connection.execute(selected).one_or_none()
            if row is None:
                connection.execute(
                    sa.insert(galleries).values(values | {"revision": 0, "created": schema.now()})
                )
                row = connection.execute(selected).one()
            return row


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CHARACTERS or not value.isprintable():
        raise BadArgument(f"{what} is printable text (str) of 1 to {MAX_CHARACTERS} characters.")
    return value


def _check_model(row: sa.Row, asked: dict[str, Any]) -> None:
    if (row.model_digest, row.dimension) == (asked["model_digest"], asked["dimension"]):
        return
    raise ModelMismatch(
        f"Gallery {naming.excerpt(row.name)} holds embeddings of "
        f"{_model(row.model_name, row.model_digest, row.dimension)}; the model in use is "
        f"{_model(asked['model_name'], asked['model_digest'], asked['dimension'])}. "
        "Use the first model, or enrol the people in another gallery with the second."
    )


def _model(name: str, digest: str, dimension: int) -> str:
    return f"{naming.excerpt(name)} (digest {digest[:SHOWN_DIGEST]}, dimension {dimension})"
