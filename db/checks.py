"""What callers hand in, checked and turned into column values."""

import json
import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from common.errors import BadArgument, BadName
from db import names as naming
from db import vectors
from db.records import Face

MAX_SOURCE_CHARACTERS = 4096
MAX_METADATA_BYTES = 65_535
SHA256 = re.compile("[0-9a-f]{64}")


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
    if value is None:
        return None
    expected = (
        f"The metadata of a person is a dict of JSON values, at most {MAX_METADATA_BYTES} bytes, or None"
    )
    if not isinstance(value, dict):
        raise BadArgument(f"{expected}, not {type(value).__name__}.")
    try:
        size = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError):
        raise BadArgument(f"{expected}; this dict holds something that JSON cannot.") from None
    if size > MAX_METADATA_BYTES:
        raise BadArgument(f"{expected}; this one has {size} bytes.")
    return value
