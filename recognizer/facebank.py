"""Enrols a folder of thousands of people: reading, embedding and storing at once, in batches that can be resumed."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from common.errors import BadName
from db.names import clean
from mtcnn.pictures import Picture
from recognizer.enrolment import Enroller, Gathered, Sighting, digest, nothing_enrolled
from recognizer.forms import facebank
from recognizer.results import Enrolment, Progress, Refusal

if TYPE_CHECKING:  # it imports SQLAlchemy
    from db.gallery import Gallery

BATCH = 256  # photos; a batch ends with a person, unless that one has more
AHEAD = 2  # batches being read while one is embedded

SEEN = "enrolled already"


@dataclass
class Batch:
    """Photos that are stored in one step: (name, path)."""

    photos: list[tuple[str, Path]] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """Whose photos they are."""
        return {name for name, _ in self.photos}


@dataclass
class FacebankEnrolment:
    """Enrols a facebank folder.

    Each batch is one transaction, so an interruption leaves every batch wholly stored or not at all. Photos that a
    person already has, known by the SHA-256 of their bytes, are passed over: calling it again goes on where it was
    interrupted, and two processes at the same folder double nothing.

    Attributes:
        gallery, enroller: where to, and with what.
        stored: told of each batch that is stored, as photos that were added by person; in a thread of its own.
    """

    gallery: "Gallery"
    enroller: Enroller
    stored: Callable[[dict[str, int]], None] | None = None

    def run(self, folder: Path, progress: Progress | None = None) -> Enrolment:
        """Enrol everyone of ``FOLDER/NAME/*.jpg``.

        Raises:
            NothingEnrolled: nothing was usable, and nothing had been enrolled before.
        """
        refused, batches = _batches(facebank(folder))
        total = sum(len(batch.photos) for batch in batches)
        done = Done()
        with ThreadPoolExecutor(1, "store") as writer:
            storing: Future | None = None
            sightings = self._sightings(batches)
            gathered = Gathered()
            for sighting, is_last in progress(sightings, total) if progress else sightings:
                if sighting.reason == SEEN:
                    done.seen += 1
                else:
                    gathered.take(sighting)
                if is_last:
                    storing = self._store(gathered, writer, storing, done)
                    refused += gathered.refused
                    gathered = Gathered()
            done.take(storing)
        if not done.added and not done.seen:
            raise nothing_enrolled(refused)
        return Enrolment(done.added, refused, done.notes, done.seen)

    def _sightings(self, batches: list[Batch]) -> Iterator[tuple[Sighting, bool]]:
        """What each photo shows, in order, and whether it is the last of its batch; read ahead in threads."""
        with ThreadPoolExecutor(max(2, os.cpu_count() or 2), "read") as readers:
            pending: deque[list[Future]] = deque()
            try:
                for batch in batches:
                    known = self.gallery.pictures(batch.names)
                    pending.append([
                        readers.submit(self._look, name, path, known.get(name, set())) for name, path in batch.photos
                    ])  # fmt: skip
                    if len(pending) > AHEAD:
                        yield from _results(pending.popleft())
                while pending:
                    yield from _results(pending.popleft())
            finally:
                readers.shutdown(wait=False, cancel_futures=True)

    def _look(self, name: str, path: Path, known: set[str]) -> Sighting:
        try:
            picture = digest(path)
        except OSError as error:
            return Sighting(name, str(path), reason=f"unreadable: {error.strerror}")
        if picture in known:
            return Sighting(name, str(path), reason=SEEN)
        return self.enroller.look(name, str(path), path, picture)

    def _store(
        self, gathered: Gathered, writer: ThreadPoolExecutor, storing: Future | None, done: "Done"
    ) -> Future | None:
        """Embed a batch, and have it compared and stored while the next one is read and embedded."""
        if not gathered.usable:
            return storing
        embeddings = self.enroller.embed(gathered)
        done.take(storing)
        return writer.submit(self._compare_and_store, gathered, embeddings)

    def _compare_and_store(self, gathered: Gathered, embeddings: np.ndarray) -> "Stored":
        added = self.enroller.store(gathered, embeddings, self.gallery.add_unseen)
        new = {name: count for name, count in added.items() if count}
        if new and self.stored is not None:
            self.stored(new)
        return Stored(len(gathered.usable), added, gathered.notes)


class Stored(NamedTuple):
    """What became of a batch: photos in it, those added, by person, and notes on them."""

    photos: int
    added: dict[str, int]
    notes: list[Refusal]


@dataclass
class Done:
    """What was stored.

    Attributes:
        added: photos, by person.
        seen: photos that were there already, also where another process was faster.
        notes: see ``Enrolment``.
    """

    added: dict[str, int] = field(default_factory=dict)
    seen: int = 0
    notes: list[Refusal] = field(default_factory=list)

    def take(self, storing: Future | None) -> None:
        """Wait until a batch is stored, and count what it added."""
        if storing is None:
            return
        stored = storing.result()
        self.notes += stored.notes
        self.seen += stored.photos - sum(stored.added.values())
        for name, count in stored.added.items():
            if count:
                self.added[name] = self.added.get(name, 0) + count


def _results(futures: Iterable[Future]) -> Iterator[tuple[Sighting, bool]]:
    futures = list(futures)
    for number, future in enumerate(futures, 1):
        yield future.result(), number == len(futures)


def _batches(people: list[tuple[str, list[Picture]]]) -> tuple[list[Refusal], list[Batch]]:
    """People who cannot be enrolled, and the photos of all others in batches."""
    refused, batches = [], [Batch()]
    for folder, photos in people:
        try:
            name = clean(folder)
        except BadName as error:
            refused.append(Refusal(folder, "", str(error)))
            continue
        if not photos:
            refused.append(Refusal(name, "", "no pictures in the folder"))
        if len(batches[-1].photos) + len(photos) > BATCH and batches[-1].photos:
            batches.append(Batch())
        for start in range(0, len(photos), BATCH):
            if start:
                batches.append(Batch())
            batches[-1].photos += [(name, photo) for photo in photos[start : start + BATCH]]
    return refused, [batch for batch in batches if batch.photos]
