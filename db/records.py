"""What goes into a gallery and what comes out."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a person.

    Attributes:
        embedding: float32 ``[d]``, L2-normalised; d is the gallery's dimension.
        source: where it was seen, such as the path of the photo; up to 4,096 characters.
        score: the detector's confidence, 0..1.
        crop: the encoded (JPEG, PNG) aligned face.
    """

    embedding: np.ndarray = field(repr=False)
    source: str | None = None
    score: float | None = None
    crop: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Person:
    """A person of a gallery.

    Attributes:
        name: NFC, unique within the gallery.
        count: number of faces.
        metadata: what the caller keeps with the person, as JSON values.
        created: when the person was first added, in UTC.
    """

    name: str
    count: int
    metadata: dict[str, Any] | None = field(repr=False)
    created: datetime


class Threshold(NamedTuple):
    """A cosine above which two faces are called one person, and the false accept rate it was measured at."""

    similarity: float
    far: float | None


class Templates(NamedTuple):
    """Every person of a gallery at one revision.

    Attributes:
        revision: the gallery's revision that this is the state of.
        ids: int64 ``[n]``; an id is never given to a second person.
        names: n names.
        templates: float32 ``[n, d]``, the mean of each person's embeddings, not normalised again.
    """

    revision: int
    ids: np.ndarray
    names: list[str]
    templates: np.ndarray

    def __repr__(self) -> str:
        return f"Templates(revision={self.revision}, {len(self.ids)} persons)"


class Changes(NamedTuple):
    """What happened to a gallery since an earlier revision.

    Attributes:
        revision: the revision that these changes lead to.
        ids, names, templates: the persons added or changed, as in :class:`Templates`.
        deleted: int64 ``[m]``, ids of persons who are gone; some may have come and gone unseen.
    """

    revision: int
    ids: np.ndarray
    names: list[str]
    templates: np.ndarray
    deleted: np.ndarray

    def __repr__(self) -> str:
        return f"Changes(revision={self.revision}, {len(self.ids)} changed, {len(self.deleted)} deleted)"
