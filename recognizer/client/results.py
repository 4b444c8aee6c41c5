"""What the service answers, as frozen dataclasses with the names of the API's fields.

Boxes are x1, y1, x2, y2 in pixels of the upright photo; landmarks are left eye, right eye, nose, left and right mouth
corner, as seen in it; similarities are cosines, -1 to 1; times are in UTC.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Box = tuple[float, float, float, float]
Point = tuple[float, float]
Role = Literal["read", "enrol", "admin"]


@dataclass(frozen=True)
class Health:
    """The process answers."""

    status: str
    version: str


@dataclass(frozen=True)
class Ready:
    """Requests can be served."""

    status: str


@dataclass(frozen=True)
class Face:
    """A face of a photo; ``score`` is the detector's confidence, 0 to 1."""

    box: Box
    landmarks: tuple[Point, ...]
    score: float


@dataclass(frozen=True)
class DetectedPhoto:
    """A photo, ``width`` times ``height`` pixels, and its faces, best first."""

    photo: str
    width: int
    height: int
    faces: tuple[Face, ...]


@dataclass(frozen=True)
class Detected:
    """The faces of photos, in the order of the request."""

    photos: tuple[DetectedPhoto, ...]


@dataclass(frozen=True)
class EmbeddedFace(Face):
    """A face and its embedding, of length 1."""

    embedding: tuple[float, ...] = field(repr=False)


@dataclass(frozen=True)
class EmbeddedPhoto:
    """A photo and its faces, best first."""

    photo: str
    width: int
    height: int
    faces: tuple[EmbeddedFace, ...]


@dataclass(frozen=True)
class Embedded:
    """The embeddings of photos' faces. Those of different models cannot be compared."""

    model: str
    dimension: int
    photos: tuple[EmbeddedPhoto, ...]


@dataclass(frozen=True)
class Verified:
    """Whether the most prominent faces of two photos are one person's."""

    same: bool
    similarity: float
    threshold: float
    model: str


@dataclass(frozen=True)
class Candidate:
    """A person of the gallery."""

    name: str
    similarity: float


@dataclass(frozen=True)
class Match:
    """What the gallery says of a face.

    Attributes:
        name: the person; None for a stranger.
        similarity: to the nearest person, also for a stranger; -1 in an empty gallery.
        runner_up: the second nearest person.
        margin: how much nearer the nearest is than the second.
        candidates: the nearest people, best first, as many as ``top`` asked for.
    """

    name: str | None
    similarity: float
    runner_up: Candidate | None
    margin: float | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Liveness:
    """Whether a face is a person before the camera; ``reason`` says why it is not taken for one."""

    live: bool
    score: float
    sharpness: int
    reason: str | None


@dataclass(frozen=True)
class NamedFace(Match):
    """A face of a photo, and who it is; ``liveness`` is None where it was not asked."""

    box: Box
    landmarks: tuple[Point, ...]
    score: float
    liveness: Liveness | None


@dataclass(frozen=True)
class SearchedPhoto:
    """A photo and its faces, best detection first."""

    photo: str
    width: int
    height: int
    faces: tuple[NamedFace, ...]


@dataclass(frozen=True)
class Searched:
    """What was compared, and with what threshold; one of ``photos`` and ``embeddings`` is None, as it was asked.

    ``threshold_far`` is the false accept rate that the threshold was measured at; None where that is not known.
    """

    gallery: str
    model: str
    threshold: float
    threshold_far: float | None
    photos: tuple[SearchedPhoto, ...] | None
    embeddings: tuple[Match, ...] | None


@dataclass(frozen=True)
class Person:
    """Somebody of a gallery.

    Attributes:
        photos: how many.
        since: when the person was first enrolled.
        metadata: what is kept with the person.
        etag: the version, for writes that are to happen only where nobody else was faster; None in lists.
    """

    name: str
    photos: int
    since: datetime
    metadata: dict[str, Any] | None
    etag: str | None = None


@dataclass(frozen=True)
class Remark:
    """What is said of one photo, ``source``; ``near`` is who else the face is too near to, where it is of that."""

    name: str
    source: str
    reason: str
    near: str | None = None


@dataclass(frozen=True)
class Enrolment:
    """What an enrolment did.

    Attributes:
        added: photos that were stored, by person.
        refused: photos that could not be used, and why.
        notes: what is doubtful of photos that were used.
        person: as of then, with its ``etag``.
    """

    added: dict[str, int]
    refused: tuple[Remark, ...]
    notes: tuple[Remark, ...]
    person: Person


@dataclass(frozen=True)
class Photo:
    """A photo that a person was enrolled with; the picture itself is not kept.

    Attributes:
        source: the name of its file.
        score: the detector's confidence.
        picture: SHA-256 of its bytes.
        has_crop: whether the aligned face was kept.
        similarity: to the mean of the person's other photos, where that was asked; None of a single one.
    """

    id: int
    source: str | None
    score: float | None
    picture: str | None
    created: datetime
    has_crop: bool
    similarity: float | None = None


@dataclass(frozen=True)
class Undo:
    """How a deletion can be undone, and until when."""

    token: str
    until: datetime


@dataclass(frozen=True)
class Forgotten:
    """Who was forgotten; ``undo`` is None where it was for good."""

    names: tuple[str, ...]
    undo: Undo | None


@dataclass(frozen=True)
class Restored:
    """Who is back."""

    people: tuple[Person, ...]


@dataclass(frozen=True)
class Receipt:
    """What was erased, and how: see "Erasing people" in docs/security.md."""

    place: str
    engine: str
    gallery: str
    gallery_uid: str
    people: tuple[str, ...]
    erased: datetime
    rows: dict[str, int]
    statements: tuple[str, ...]
    problem: str | None
    looked_for: int | None
    found: int
    still_held: int
    other_galleries: tuple[str, ...]
    limits: tuple[str, ...]
    complete: bool
    digest: str


@dataclass(frozen=True)
class Threshold:
    """From which cosine on a face is called by a name; ``far`` is the rate that it was measured at."""

    similarity: float
    far: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Gallery:
    """The people whom one model's embeddings describe.

    Attributes:
        digest: of the model.
        people, photos: how many.
        revision: grows with every write.
        threshold: None where that of the model's card counts.
        source: the gallery that it is being re-embedded from.
        pending: people of the source who are still to come.
    """

    name: str
    model: str
    digest: str
    dimension: int
    people: int
    photos: int
    revision: int
    threshold: Threshold | None
    since: datetime
    source: str | None
    pending: int


@dataclass(frozen=True)
class Deleted:
    """The gallery that is gone, with so many people and photos."""

    name: str
    people: int
    photos: int


@dataclass(frozen=True)
class Switched:
    """Both galleries, as they are called now."""

    galleries: tuple[Gallery, ...]


@dataclass(frozen=True)
class Job:
    """Long work that was asked for.

    Attributes:
        owner: who asked for it.
        done, total: how far it is, in a unit of its kind; ``total`` is None where nobody knows.
        error: of one that failed, in a sentence.
    """

    id: int
    kind: str
    gallery: str
    owner: str | None
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    done: int
    total: int | None
    cancel_requested: bool
    error: str | None
    created: datetime
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True)
class File:
    """A file that a job made, for ``download``."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Result:
    """What a job led to, and its files."""

    result: dict[str, Any]
    files: tuple[File, ...]


@dataclass(frozen=True)
class Key:
    """An API key without its secret; ``gallery`` is the only one that it may be used with, None for all."""

    id: str
    name: str
    role: Role
    gallery: str | None
    state: Literal["active", "revoked", "expired", "orphaned"]
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    last_used: datetime | None


@dataclass(frozen=True)
class MadeKey(Key):
    """A key that was made, with its secret, which is nowhere else.

    ``secret`` is None where the connection was cut and the request sent again: revoke that key, and make another one.
    """

    secret: str | None = field(repr=False)


@dataclass(frozen=True)
class AuditEntry:
    """Who did what to whom, when, and what came of it."""

    id: int
    moment: datetime
    actor: str
    action: str
    outcome: str
    gallery: str | None
    person: str | None
    request_id: str | None
    details: dict[str, Any] | None
