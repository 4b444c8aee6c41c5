"""Everything that can go wrong, one small class each, all under :class:`FaceError`.

A message says what was expected, what came, and what to do next. It never holds a password, an embedding or a photo.
The command line prints the message alone and exits with :attr:`FaceError.exit_code`.
"""

from collections.abc import Sequence
from typing import Any


class FaceError(Exception):
    """Base of all errors that this project raises on purpose."""

    exit_code = 2


class UnknownChoice(FaceError):
    """A name that is not in the registry it was looked up in; the message lists the choices."""


class BadConfig(FaceError):
    """A YAML file or setting with an unknown key, a missing key or a value of the wrong kind."""


class BadPicture(FaceError):
    """A picture that cannot be read or is not what a picture has to be."""


class NoFace(FaceError):
    """No face where one is needed."""


class BadEmbedding(FaceError):
    """Embeddings of the wrong shape or dimension, not finite, or zero."""


class BadModel(FaceError):
    """A model file, card or bundle that cannot be used as what it claims to be."""


class ChecksumMismatch(FaceError):
    """A file whose SHA-256 is not the one it must have."""


class FetchFailed(FaceError):
    """No source of a file could deliver it."""


class LicenseNotAccepted(FaceError):
    """A model under a non-permissive licence that the user has not accepted."""


class MissingDependency(FaceError):
    """A feature needs a package or program that is not installed."""


class BadName(FaceError):
    """A person's or gallery's name that is empty, too long or holds control characters."""


class UnknownPerson(FaceError):
    """A person the gallery does not know."""


class UnknownGallery(FaceError):
    """A gallery the database does not hold."""


class NothingEnrolled(FaceError):
    """An enrolment in which no picture was usable; nothing was stored.

    Attributes:
        refused: ``recognizer.Refusal`` of each picture, with the reason.
    """

    def __init__(self, message: str, refused: Sequence[Any] = ()):
        super().__init__(message)
        self.refused = list(refused)


class ModelMismatch(FaceError):
    """A gallery pinned to another model than the one in use."""


class DatabaseError(FaceError):
    """The database cannot be reached, read or written."""


class BadDataset(FaceError):
    """Training data that are missing, damaged or not what they claim to be; names the file and, within it, where."""


class WorkerLost(FaceError):
    """A worker process was ended from outside."""


class BadArgument(FaceError):
    """An argument of the wrong type or out of its range."""


class BadCheckpoint(FaceError):
    """The saved state of a training run that is damaged, of another run, or cannot be written."""


class TrainingDiverged(FaceError):
    """A training step whose loss or gradients are not finite; the batch that caused it was saved."""


class BadVideo(FaceError):
    """A video or camera that cannot be read, or a video that cannot be written."""


class Cancelled(FaceError):
    """Work that its caller called off; nothing of it was kept."""


class KeyRefused(FaceError):
    """An API key that is unknown, wrong, revoked or expired."""


class UnknownKey(FaceError):
    """An API key that is to be revoked and is not there."""


class IdempotencyConflict(FaceError):
    """An idempotency key that was used for another request."""


class UnknownJob(FaceError):
    """A job the database does not hold."""


class JobLost(FaceError):
    """A job that the worker no longer has: its lease ran out, and the job was taken up or ended by another."""


class NothingToUndo(FaceError):
    """A deletion that cannot be undone: the time for it is over, or there was none."""


class VersionConflict(FaceError):
    """A person who is not as the caller expected: somebody else was faster."""


class NameTaken(BadName):
    """A name that somebody has already."""


class UnknownPhoto(FaceError):
    """A photo that its person does not have."""
