"""Names of galleries in a table of their own, digests of what is stored, crops re-embedded, tokens of writes."""

from hashlib import blake2b
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from db.migrations import steps

revision = "0002"
down_revision = "0001"

_integer = sa.BigInteger
galleries = sa.table(
    "galleries", *map(sa.column, ("id", "name", "uid", "templates_digest", "faces_digest", "created"))
)
persons = sa.table("persons", *map(sa.column, ("id", "gallery_id")))
faces = sa.table("faces", *map(sa.column, ("id", "person_id", "embedding", "digest")))
templates = sa.table("templates", *map(sa.column, ("person_id", "mean", "digest")))


def upgrade() -> None:
    steps.create_table(
        "gallery_names",
        sa.Column("id", steps.identifier, primary_key=True),
        sa.Column("name", steps.name, nullable=False),
        sa.Column("gallery_id", steps.identifier, sa.ForeignKey("galleries.id"), nullable=False),
        sa.UniqueConstraint("name", name="gallery_names_name"),
    )
    steps.create_index("ix_gallery_names_gallery_id", "gallery_names", "gallery_id")
    steps.create_table(
        "reembeddings",
        sa.Column("gallery_id", steps.identifier, sa.ForeignKey("galleries.id"), primary_key=True, autoincrement=False),
        sa.Column("source_id", steps.identifier, sa.ForeignKey("galleries.id"), nullable=False),
        sa.Column("revision", _integer, nullable=False),
        sa.Column("person_id", steps.identifier, nullable=False),
    )
    steps.create_table(
        "writes",
        sa.Column("token", sa.String(32), primary_key=True),
        sa.Column("created", steps.moment, nullable=False),
    )
    steps.create_index("ix_writes_created", "writes", "created")
    for table, column in (
        ("galleries", sa.Column("uid", sa.String(32))),
        ("galleries", sa.Column("templates_digest", _integer)),
        ("galleries", sa.Column("faces_digest", _integer)),
        ("galleries", sa.Column("threshold_low", sa.Double)),
        ("galleries", sa.Column("threshold_high", sa.Double)),
        ("persons", sa.Column("origin_id", steps.identifier)),
        ("faces", sa.Column("digest", _integer)),
        ("faces", sa.Column("picture", sa.String(64))),
        ("templates", sa.Column("digest", _integer)),
    ):
        steps.add_column(table, column)
    _fill()
    _replace_index()
    _require("faces", "digest")
    _require("templates", "digest")
    if "name" in steps.columns("galleries"):
        _reshape_galleries()
    steps.drop_table("schema_version")


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the upgrade.")


def _fill() -> None:
    """Digests of all rows, and their sums."""
    connection = op.get_bind()
    stored = sa.select(faces.c.id, faces.c.person_id, faces.c.embedding).where(faces.c.digest.is_(None))
    steps.in_batches(stored, lambda rows: _set(faces.c.id, [(row[0], _digest(row[1], row[2])) for row in rows]))
    stored = sa.select(templates.c.person_id, templates.c.mean).where(templates.c.digest.is_(None))
    steps.in_batches(stored, lambda rows: _set(templates.c.person_id, [(row[0], _digest(*row)) for row in rows]))
    if "name" not in steps.columns("galleries"):
        return
    for gallery_id, name in connection.execute(sa.select(galleries.c.id, galleries.c.name)).all():
        values = {
            "uid": uuid4().hex,
            "templates_digest": _sum(templates, gallery_id),
            "faces_digest": _sum(faces, gallery_id),
        }
        connection.execute(sa.update(galleries).where(galleries.c.id == gallery_id).values(values))
        names = sa.table("gallery_names", sa.column("name"), sa.column("gallery_id"))
        if connection.scalar(sa.select(names.c.name).where(names.c.gallery_id == gallery_id)) is None:
            connection.execute(sa.insert(names).values(name=name, gallery_id=gallery_id))


def _set(key: sa.ColumnClause, digests: list[tuple[int, int]]) -> None:
    statement = sa.update(key.table).where(key == sa.bindparam("key")).values(digest=sa.bindparam("digest"))
    op.get_bind().execute(statement, [{"key": row, "digest": digest} for row, digest in digests])


def _digest(person_id: int, vector: bytes) -> int:
    """As :func:`db.vectors.digest` was when this was written."""
    hashed = blake2b(int(person_id).to_bytes(8, "little") + vector, digest_size=8).digest()
    return int.from_bytes(hashed, "little", signed=True)


def _sum(table: sa.TableClause, gallery_id: int) -> int:
    """The sum of a gallery's digests as a signed number of 64 bits."""
    here = sa.select(table.c.digest).join_from(table, persons, table.c.person_id == persons.c.id)
    total = sum(op.get_bind().scalars(here.where(persons.c.gallery_id == gallery_id)))
    return (total + 2**63) % 2**64 - 2**63


def _replace_index() -> None:
    """``persons_revision`` also orders by id; ``persons_id`` and ``persons_origin`` serve reading in pieces."""
    steps.create_index("persons_id", "persons", "gallery_id", "id")
    steps.create_index("persons_origin", "persons", "gallery_id", "origin_id")
    indexes = {each["name"]: each["column_names"] for each in sa.inspect(op.get_bind()).get_indexes("persons")}
    if indexes.get("persons_revision") == ["gallery_id", "revision"]:
        op.drop_index("persons_revision", "persons")
    steps.create_index("persons_revision", "persons", "gallery_id", "revision", "id")


def _require(table: str, column: str) -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column(table, column, existing_type=_integer(), nullable=False)
        return
    with op.batch_alter_table(table, table_kwargs=steps.OPTIONS) as batch:
        batch.alter_column(column, existing_type=_integer(), nullable=False)


def _reshape_galleries() -> None:
    """Drop ``galleries.name``, and let nothing of the new columns be empty."""
    required = (("uid", sa.String(32)), ("templates_digest", _integer()), ("faces_digest", _integer()))
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_galleries_of_sqlite()
        return
    for column, kind in required:
        op.alter_column("galleries", column, existing_type=kind, nullable=False)
    op.drop_column("galleries", "name")


def _rebuild_galleries_of_sqlite() -> None:
    """SQLite drops no column that is unique: a new table takes the place of the old one."""
    op.create_table(
        "galleries_new",
        sa.Column("id", steps.identifier, primary_key=True),
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("model_name", steps.name, nullable=False),
        sa.Column("model_digest", steps.name, nullable=False),
        sa.Column("dimension", sa.Integer, nullable=False),
        sa.Column("revision", _integer, nullable=False),
        sa.Column("templates_digest", _integer, nullable=False),
        sa.Column("faces_digest", _integer, nullable=False),
        sa.Column("threshold", sa.Double),
        sa.Column("threshold_far", sa.Double),
        sa.Column("threshold_low", sa.Double),
        sa.Column("threshold_high", sa.Double),
        sa.Column("created", steps.moment, nullable=False),
        **steps.OPTIONS,
    )
    kept = (
        "id, uid, model_name, model_digest, dimension, revision, templates_digest, faces_digest, "
        "threshold, threshold_far, threshold_low, threshold_high, created"
    )
    op.execute(f"INSERT INTO galleries_new ({kept}) SELECT {kept} FROM galleries")
    op.execute("UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'galleries') "
               "WHERE name = 'galleries_new'")  # fmt: skip
    op.drop_table("galleries")
    op.rename_table("galleries_new", "galleries")
