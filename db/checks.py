"""What callers hand in, checked and turned into column values."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from numbers import Integral, Real
from typing import Any

from common.errors import BadArgument, BadName
from db import names as naming
from db import vectors
from db.records import Face

MAX_SOURCE_CHARACTERS = 4096
MAX_METADATA_BYTES = 65_535
MAX_CHARACTERS = 255
MOST_ROWS = 1000  # of a page
MOST_AGE = timedelta(days=365_000)
SHA256 = re.compile("[0-9a-f]{64}")
WORD = re.compile("[a-z0-9._-]{1,64}")


def face_rows(faces: Mapping[str, Sequence[Face]], dimension: int) -> dict[str, list[dict[str, Any]]]:
    """Column values of faces by stored name of their person.

    Raises:
        BadName, BadEmbedding, BadArgument: as :meth:`db.gallery.Gallery.add_many`.
    """
    if not isinstance(faces, Mapping):
        raise BadArgument(f"Expected a mapping {{name: faces}}, not {type(faces).__name__}.")
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, some in faces.items():
        cleaned = naming.clean(name)
        if cleaned in rows:
            raise BadName(f"{naming.excerpt(cleaned)} stands twice, written in two ways.")
        if not isinstance(some, Sequence) or not some:
            raise BadArgument(
                f"A person needs a list of at least one Face; {naming.excerpt(cleaned)} came without."
            )
        rows[cleaned] = [_face_row(face, dimension) for face in some]
    return rows


def _face_row(face: Face, dimension: int) -> dict[str, Any]:
    if not isinstance(face, Face):
        raise BadArgument(f"Expected a db.Face, not {type(face).__name__}.")
    if face.crop is not None and not (isinstance(face.crop, bytes) and face.crop):
        raise BadArgument(
            f"A crop is the bytes of an encoded picture, or None, not {type(face.crop).__name__}."
        )
    return {
        "embedding": vectors.encode(face.embedding, dimension),
        "crop": face.crop,
        "source": _source(face.source),
        "picture": _picture(face.picture),
        "score": None if face.score is None else number(face.score, 0, 1, "The score of a face"),
    }


def _source(source: str | None) -> str | None:
    if source is None:
        return None
    if not isinstance(source, str) or len(source) > MAX_SOURCE_CHARACTERS:
        raise BadArgument(
            f"The source of a face is text (str) of at most {MAX_SOURCE_CHARACTERS} characters."
        )
    # A file name that is not UTF-8 comes with lone surrogates, which no database stores.
    return source.encode("utf-8", "backslashreplace").decode("utf-8")


def _picture(picture: str | None) -> str | None:
    if picture is not None and not (isinstance(picture, str) and SHA256.fullmatch(picture)):
        raise BadArgument("The picture of a face is a SHA-256 in hexadecimal (64 of 0-9, a-f), or None.")
    return picture


def number(value: Any, low: float, high: float, what: str) -> float:
    """A finite number of ``low``..``high``; ``what`` opens the sentence of the error. Raises BadArgument."""
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= value <= high:
        raise BadArgument(f"{what} is a number, {low}..{high}, not {value!r:.40}.")
    return float(value)


def positive(value: Any, what: str) -> int:
    """A whole number above 0 that a 32-bit column holds; ``what`` opens the sentence of the error."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 < value < 2**31:
        raise BadArgument(f"{what} is a whole number above 0, not {value!r:.40}.")
    return int(value)


def revision(value: Any) -> int:
    """A revision to read changes from. Raises BadArgument."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
        raise BadArgument(f"A revision is a whole number from 0, not {value!r:.40}.")
    return int(value)


def metadata(value: Any) -> dict[str, Any] | None:
    """Metadata of a person: a dict that JSON holds without loss, or None. Raises BadArgument."""
    return document(value, "The metadata of a person", MAX_METADATA_BYTES)


def document(value: Any, what: str, most_bytes: int) -> dict[str, Any] | None:
    """A dict that JSON holds without loss in so many bytes, or None; ``what`` opens the sentence of the error.

    Raises:
        BadArgument: something else.
    """
    if value is None:
        return None
    expected = f"{what} is a dict of JSON values, at most {most_bytes} bytes, or None"
    if not isinstance(value, dict):
        raise BadArgument(f"{expected}, not {type(value).__name__}.")
    try:
        size = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError):
        raise BadArgument(f"{expected}; this dict holds something that JSON cannot.") from None
    if size > most_bytes:
        raise BadArgument(f"{expected}; this one has {size} bytes.")
    return value


def text(value: Any, what: str, most: int = MAX_CHARACTERS) -> str:
    """Printable text of 1..``most`` characters; ``what`` opens the sentence of the error. Raises BadArgument."""
    if not isinstance(value, str) or not 0 < len(value) <= most or not value.isprintable():
        raise BadArgument(f"{what} is printable text (str) of 1 to {most} characters.")
    return value


def word(value: Any, what: str) -> str:
    """A short name that programs choose, such as "person.add". Raises BadArgument."""
    if not isinstance(value, str) or not WORD.fullmatch(value):
        raise BadArgument(f"{what} is 1 to 64 of a-z, 0-9, '.', '_', '-', not {value!r:.40}.")
    return value


def page(limit: Any) -> int:
    """How many rows a page of a list has. Raises BadArgument."""
    if positive(limit, "The limit of a list") > MOST_ROWS:
        raise BadArgument(f"A list gives at most {MOST_ROWS} at a time: ask for the next page.")
    return int(limit)


def moment(value: Any, what: str) -> datetime:
    """A moment as the tables keep it, UTC without a time zone; ``what`` opens the sentence of the error.

    Raises:
        BadArgument: no datetime, or one without a time zone.
    """
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise BadArgument(f"{what} is a datetime with a time zone, not {value!r:.40}.")
    return value.astimezone(UTC).replace(tzinfo=None)


def age(value: Any, what: str) -> timedelta:
    """A length of time above zero, at most a thousand years; ``what`` opens the sentence of the error.

    Raises:
        BadArgument: something else.
    """
    if not isinstance(value, timedelta) or not timedelta() < value <= MOST_AGE:
        raise BadArgument(f"{what} is a timedelta above zero, at most {MOST_AGE.days} days, not {value!r:.60}.")
    return value


def lifetime(seconds: Any, what: str) -> timedelta:
    """Seconds above 0, at most a week, as a length of time; ``what`` opens the sentence of the error.

    Raises:
        BadArgument: something else.
    """
    return timedelta(seconds=number(seconds, 0.001, 604_800, f"{what} (seconds)"))
