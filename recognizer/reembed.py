"""The people of a gallery under another model, from the aligned faces that were kept with them."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.errors import BadArgument, BadPicture, DatabaseError
from common.folders import data_folder
from db import Face
from mtcnn import read_picture
from networks import Network
from recognizer.results import Progress

if TYPE_CHECKING:  # they import SQLAlchemy
    from db.database import Database
    from db.following import Following, Lacking
    from db.gallery import Gallery
    from db.restored import Member

NICE = 10  # what a background process adds to its niceness: whoever answers people comes first
START = f"import os; os.nice({NICE}); from recognizer.cli import main; main()"

Damage = Callable[[str, str, str], None]


@dataclass(frozen=True)
class Reembedding:
    """What re-embedding led to.

    Attributes:
        gallery: the name of the new one.
        people: in it.
        photos: in it.
        lacking: people of whom not every photo came along, with both numbers.
    """

    gallery: str
    people: int
    photos: int
    lacking: "list[Lacking]"


def begin(database: "Database", source: "Gallery", model: Network, into: str | None = None) -> "Following":
    """The gallery that has, or is to have, the people of ``source`` under another model; created on first use.

    Args:
        into: its name; "SOURCE-MODEL" when None.

    Raises:
        BadArgument: ``source`` is of that model.
        NameTaken: there is such a gallery, and it was not begun so.
        ModelMismatch, DatabaseError.
    """
    if (source.model_digest, source.dimension) == (model.digest, model.dim):
        raise BadArgument(f"Gallery {source.name[:40]!r} holds embeddings of {model.name} already.")
    name = f"{source.name}-{model.name}" if into is None else into
    return database.follower(source, name, model.name, model.digest, model.dim)


def run(
    following: "Following", model: Network, damaged: Damage | None = None, progress: Progress | None = None
) -> Reembedding:
    """Embed what has not been embedded yet, until nothing is left. May be stopped and taken up again anywhere.

    Args:
        following: of :func:`begin`.
        damaged: called with (name, source of the photo, reason) for each crop that cannot be used.
        progress: wraps the people: called with an iterable and its length.

    Raises:
        FaceError: as :meth:`db.following.Following.run`.
    """
    converter = Converter(model, damaged)
    following.run(converter, progress)
    return Reembedding(following.target.name, *following.target.count(), following.lacking())


class Converter:
    """Gives people the embeddings that a model makes of their crops; photos without a usable one stay behind."""

    def __init__(self, model: Network, damaged: Damage | None = None):
        self._model, self._damaged = model, damaged or (lambda *_: None)

    def __call__(self, members: "Sequence[Member]") -> list[list[Face]]:
        found: list[list[Face]] = [[] for _ in members]
        usable = []
        for number, member in enumerate(members):
            for face in member.faces:
                crop = self._crop(member.name, face)
                if crop is not None:
                    usable.append((number, face, crop))
        embeddings = self._model.embed(np.stack([crop for *_, crop in usable])) if usable else []
        for (number, face, _), embedding in zip(usable, embeddings, strict=True):
            if np.isfinite(embedding).all() and embedding.any():
                found[number].append(replace(face, embedding=embedding))
            else:
                self._damaged(members[number].name, face.source or "", f"{self._model.name} makes nothing of it")
        return found

    def _crop(self, name: str, face: Face) -> np.ndarray | None:
        if face.crop is None:
            return None
        expected = (*self._model.card.input_size, 3)
        try:
            crop = read_picture(face.crop)
        except BadPicture as error:
            self._damaged(name, face.source or "", str(error))
            return None
        if crop.shape != expected:
            came = f"{crop.shape[1]}x{crop.shape[0]}"
            self._damaged(name, face.source or "", f"has {came} pixels; {self._model.name} takes {_size(expected)}")
            return None
        return crop


def start_in_background(arguments: Sequence[str], gallery: str) -> tuple[int, Path]:
    """Run the command line with ``arguments`` in a session of its own, at low priority.

    Returns:
        Its process id, and the file that it writes what happens to, which only this user may read.

    Raises:
        DatabaseError: the file cannot be written.
    """
    name = re.sub(r"[^\w.-]+", "_", gallery)[:60]
    log = data_folder() / "logs" / f"reembed-{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(log, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise DatabaseError(f"{log}: cannot be made ({error.strerror}).") from None
    with os.fdopen(handle, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", START, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return process.pid, log


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
