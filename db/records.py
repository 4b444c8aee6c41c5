"""What goes into a gallery and what comes out."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np

Matching = Literal["template", "photo"]


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a person.

    Attributes:
        embedding: float32 ``[d]``, L2-normalised; d is the gallery's dimension.
        source: where it was seen, such as the path of the photo; up to 4,096 characters.
        score: the detector's confidence, 0..1.
        crop: the encoded (PNG) aligned face.
        picture: SHA-256, in hexadecimal, of the bytes of the photo.
        id: number within the database, of a face that is stored.
        created: when it was added, in UTC, of a face that is stored.
    """

    embedding: np.ndarray = field(repr=False)
    source: str | None = None
    score: float | None = None
    crop: bytes | None = field(default=None, repr=False)
    picture: str | None = None
    id: int | None = None
    created: datetime | None = None


@dataclass(frozen=True)
class Person:
    """A person of a gallery.

    Attributes:
        name: NFC, unique within the gallery.
        count: number of faces.
        metadata: what the caller keeps with the person, as JSON values.
        created: when the person was first added, in UTC.
        id: number within the database, never given to a second person.
    """

    name: str
    count: int
    metadata: dict[str, Any] | None = field(repr=False)
    created: datetime
    id: int = 0


@dataclass(frozen=True)
class Photo:
    """A stored face without its embedding and crop.

    Attributes:
        id: number within the database.
        source, score, picture, created: as of :class:`Face`.
        has_crop: whether its aligned face was kept.
    """

    id: int
    source: str | None
    score: float | None
    picture: str | None
    created: datetime
    has_crop: bool


class Threshold(NamedTuple):
    """A cosine above which two faces are called one person.

    Attributes:
        similarity: -1..1.
        far: the false accept rate it was measured at; None where that is not known.
        low, high: the 95 % confidence interval of ``similarity``; None where none was measured.
    """

    similarity: float
    far: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Summary:
    """A gallery in a list.

    Attributes:
        name: of the gallery.
        model_name, model_digest, dimension: of the model that it belongs to.
        people, photos: how many.
        revision: number of writes so far.
        threshold: None where none was set.
        created: in UTC.
        source: the gallery that it is being re-embedded from; None for others.
        pending: people of ``source`` whose addition, change or deletion is still to be taken over.
    """

    name: str
    model_name: str
    model_digest: str
    dimension: int
    people: int
    photos: int
    revision: int
    threshold: Threshold | None
    created: datetime
    source: str | None = None
    pending: int = 0


class State(NamedTuple):
    """What a gallery holds at one moment, in short.

    Attributes:
        revision: a number that every write raises.
        digest: the sum of the digests of all vectors of one way of matching, see :func:`db.vectors.digest`.
        threshold: None where none was set.
    """

    revision: int
    digest: int
    threshold: Threshold | None


class Rows(NamedTuple):
    """Vectors to search.

    Attributes:
        ids: int64 ``[n]`` of their persons; the same one several times when matching by photo.
        vectors: float32 ``[n, d]``: persons' means, not normalised again, or photos' embeddings.
        digests: int64 ``[n]``, see :func:`db.vectors.digest`.
    """

    ids: np.ndarray
    vectors: np.ndarray
    digests: np.ndarray

    def __repr__(self) -> str:
        return f"Rows({len(self.ids)})"


class Changes(NamedTuple):
    """What happened to a gallery since an earlier revision.

    Attributes:
        state: what these changes lead to.
        removed: int64 ``[m]``, ids of persons who are gone; some may have come and gone unseen.
        rows: all vectors of the persons added or changed, in the order of their ids.
    """

    state: State
    removed: np.ndarray
    rows: Rows

    def __repr__(self) -> str:
        return f"Changes(revision={self.state.revision}, {self.rows}, {len(self.removed)} removed)"
