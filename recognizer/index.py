"""The people of a gallery, searched: the index is kept in step with the database, whoever changes it."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from common.errors import DatabaseError, FaceError
from common.folders import cache_folder
from db import Rows, State, Threshold
from recognizer import search
from recognizer.results import Candidate, Progress
from recognizer.search import snapshot
from recognizer.search.index import Index

if TYPE_CHECKING:  # they import SQLAlchemy
    from db.database import Database
    from db.gallery import Gallery

SNAPSHOT_FROM = 100_000  # rows; a million are read in 12 s from SQLite, 24 s from MariaDB
REWRITE_AFTER = 0.02  # of the rows changed since the snapshot was written
SHARED = "milvus"  # the index that several processes have in common
ATTEMPTS = 5  # at finding people who are still there when their names are read
GROWN = 1.25  # so many times the rows from which another index is better, before one is built

log = logging.getLogger("recognizer")


class Held(NamedTuple):
    """An index, and what state of the gallery it holds.

    Attributes:
        offset: the gallery's digest less the index's checksum. It is 0 unless somebody changed rows by hand.
    """

    index: Index
    kind: str
    state: State
    offset: int


class GalleryIndex:
    """Searches a gallery as it is now: before every search it reads what changed, in whatever process.

    Safe to use from several threads. A search costs one short statement while nothing changes.

    Args:
        database: that the gallery lies in.
        gallery: to be searched.
        kind: a name of ``recognizer.search.INDEXES``, or "auto".
        matching: "template": a person is as near as the mean of the photos; "photo": as near as the nearest one.
        keep: whether a snapshot file is written: "always", "never" or "auto" (from ``SNAPSHOT_FROM`` rows).
        options: what the index takes.
        progress: called with an iterable and its length, as it is read for the first time.
    """

    def __init__(
        self,
        database: "Database",
        gallery: "Gallery",
        kind: str = "auto",
        matching: str = "template",
        keep: str = "auto",
        options: dict[str, Any] | None = None,
        progress: Progress | None = None,
    ):
        self._database = database
        self._gallery, self._kind, self._matching, self._keep = gallery, kind, matching, keep
        self._options, self._progress = dict(options or {}), progress
        self._following = threading.Lock()
        self._held: Held | None = None
        self._names: tuple[int, dict[int, str]] = (-1, {})
        self._written = -1  # revision of the snapshot on disk; -1: there is none, or it holds who is gone

    @property
    def path(self) -> Path:
        """Where the snapshot is, or would be."""
        return _snapshots() / f"{self._gallery.uid}-{self._matching}.index"

    @property
    def is_loaded(self) -> bool:
        """Whether the index is in memory, so that a search need not read the gallery first."""
        return self._held is not None

    @property
    def size(self) -> int:
        """The rows in memory."""
        held = self._held
        return len(held.index) if held else 0

    def lag(self) -> int:
        """How many writes to the gallery have not been read yet; 0 before the first reading. Raises DatabaseError."""
        held = self._held
        return max(0, self._gallery.revision() - held.state.revision) if held else 0

    @property
    def kind(self) -> str | None:
        """The name in ``recognizer.search.INDEXES`` of the index that is in memory; None before there is one."""
        return self._held.kind if self._held else None

    @property
    def threshold(self) -> Threshold | None:
        """The gallery's threshold, as of the last search or, before any, as it is now."""
        return (self._held.state if self._held else self._gallery.state(self._matching)).threshold

    def search(self, queries: np.ndarray, count: int) -> list[list[Candidate]]:
        """The ``count`` nearest persons of each query float32 ``[q, d]``, best first, of the gallery as it is now."""
        for attempt in range(ATTEMPTS):
            held = self._current()
            if not len(held.index) or not len(queries):
                return [[] for _ in queries]
            keys, similarities = self._found(held, queries, count)
            names = self._named(keys, held.state.revision)
            if attempt == ATTEMPTS - 1 or all(key in names for key in keys[keys >= 0].tolist()):
                break  # otherwise somebody was deleted between the search and the reading of the names
        return [
            [Candidate(names[key], float(value)) for key, value in zip(*row) if key in names]
            for row in zip(keys.tolist(), similarities.tolist())
        ]

    def close(self) -> None:
        """Write the snapshot where one is due, and let go of the index."""
        with self._following:
            held = self._held
            try:
                if held is not None and self._is_due(held):
                    self._follow(self._gallery.state(self._matching))  # it must not hold who has just been forgotten
                    self._write(self._held)
            except FaceError as error:
                log.warning("The snapshot of the index was not written: %s", error)
            finally:
                held, self._held = self._held, None
                if held is not None:
                    held.index.close()

    def _found(self, held: Held, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        try:
            return held.index.search(queries, count)
        except DatabaseError:
            if held.kind != SHARED or held.index.state() is not None:
                raise
        log.warning("The index outside the database is gone: it is made anew.")
        with self._following, self._database.alone("index"):
            self._held = self._follow_shared(self._gallery.state(self._matching))
            return self._held.index.search(queries, count)

    def _named(self, keys: np.ndarray, revision: int) -> dict[int, str]:
        """Names by key; those read before are remembered as long as the gallery does not change."""
        known_at, known = self._names
        if known_at != revision:
            known = {}
        wanted = set(keys[keys >= 0].tolist())
        missing = wanted - known.keys()
        if missing:
            known = known | self._gallery.names(missing)
            self._names = (revision, known)
        return known

    def _current(self) -> Held:
        state, held = self._gallery.state(self._matching), self._held
        if held is None or held.state != state:
            with self._following:
                self._follow(state)
                held = self._held
        return held

    def _follow(self, state: State) -> None:
        """Bring the index up to ``state`` of the gallery, or a later one that another thread has seen; alone."""
        held = self._held
        if held is not None and state.revision < held.state.revision:
            state = self._gallery.state(self._matching)  # another thread was faster, unless a backup was restored
        if self._kind == SHARED:
            with self._database.alone("index"):
                self._held = self._follow_shared(state)
        elif held is None:
            self._held = self._from_snapshot(state) or self._load()
        elif state.revision < held.state.revision:
            self._held = self._load()
        elif state != held.state:
            self._held = self._changed(held) or self._load()  # searches that still use the old one keep it alive

    def _changed(self, held: Held) -> Held | None:
        """The index with what happened since its revision; None where it then does not hold what the gallery does."""
        changes = self._gallery.changes(held.state.revision, self._matching)
        rows = changes.rows
        if len(changes.removed) or len(rows.ids):
            known = len(held.index)
            held.index.change(changes.removed, rows.ids, rows.vectors, rows.digests)
            if len(held.index) - known < len(rows.ids):
                self._forget_snapshot()  # it holds vectors of somebody who is gone or was changed
        if _difference(changes.state.digest, held.index.checksum) != held.offset:
            log.warning("The index of the gallery does not hold what the database does: it is read anew.")
            return None
        if self._kind == "auto" and search.choose(int(len(held.index) / GROWN)) not in (held.kind, "exact"):
            return None
        return held._replace(state=changes.state)

    def _follow_shared(self, state: State) -> Held:
        """Bring an index that lies outside, and that other processes change as well, up to the gallery.

        What it holds is counted once, at the first use; later its own note of the last change is taken as true.
        """
        index = self._held.index if self._held else self._new(SHARED)
        known = index.resume() if self._held else index.state()
        if known is not None and known[0] <= state.revision:
            held = Held(index, SHARED, State(*known, None), 0)
            held = held._replace(state=state) if known == state[:2] else self._changed(held)
            if held is not None:
                index.commit(held.state.revision)
                return held
        index.drop()
        held = self._filled(index, SHARED)
        index.commit(held.state.revision)
        return held

    def _load(self) -> Held:
        """A new index, read from the database."""
        kind = self._kind if self._kind != "auto" else search.choose(self._size())
        index = self._new(kind)
        try:
            return self._filled(index, kind)
        except BaseException:
            index.close()
            raise

    def _new(self, kind: str) -> Index:
        options = self._options
        if kind == SHARED:
            options = {"collection": f"gallery_{self._gallery.uid}_{self._matching}", **options}
        return search.INDEXES[kind](self._gallery.dimension, **options)

    def _filled(self, index: Index, kind: str) -> Held:
        """An empty index with all that the database has."""
        with self._gallery.scan(self._matching) as (state, pieces):
            pieces = _read_ahead(pieces)
            for rows in self._progress(pieces, self._pieces()) if self._progress else pieces:
                index.add(rows.ids, rows.vectors, rows.digests)
        offset = _difference(state.digest, index.checksum)
        if offset:
            log.warning("The gallery's rows are not those that were stored through this program.")
        return Held(index, kind, state, offset)

    def _size(self) -> int:
        people, photos = self._gallery.count()
        return people if self._matching == "template" else photos

    def _pieces(self) -> int:
        from db.gallery import SCANNED

        return -(-self._gallery.count()[0] // SCANNED)

    def _from_snapshot(self, state: State) -> Held | None:
        """The index of the snapshot file and what happened since; None where there is none that fits."""
        if self._keep == "never" or self._kind == SHARED or not self.path.is_file():
            return None
        try:
            header, sections = snapshot.read(self.path, self._identity())
            kind = header["kind"]
            if self._kind not in ("auto", kind) or header["revision"] > state.revision:
                return None
            index = search.INDEXES[kind].from_sections(self._gallery.dimension, sections, **self._options)
        except FaceError as error:
            log.warning("The snapshot of the index is not used, and made anew: %s", error)
            self._forget_snapshot()
            return None
        self._written = header["revision"]
        held = Held(index, kind, State(header["revision"], index.checksum, None), 0)
        held = self._changed(held)
        if held is None:
            index.close()
        return held

    def _identity(self) -> dict[str, Any]:
        gallery = self._gallery
        return {
            "gallery": gallery.uid,
            "model_digest": gallery.model_digest,
            "dimension": gallery.dimension,
            "matching": self._matching,
        }

    def _is_due(self, held: Held) -> bool:
        if self._keep == "never" or held.offset or held.kind == SHARED:
            return False
        if self._keep == "auto" and len(held.index) < SNAPSHOT_FROM:
            return False
        missed = held.state.revision - self._written
        return self._written < 0 or missed > REWRITE_AFTER * len(held.index)

    def _write(self, held: Held) -> None:
        header = self._identity() | {
            "kind": held.kind,
            "revision": held.state.revision,
            "checksum": held.index.checksum,
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            snapshot.write(self.path, header, held.index.sections())
        except OSError as error:
            log.warning("The snapshot of the index could not be written: %s", error.strerror)

    def _forget_snapshot(self) -> None:
        self._written = -1
        forget_snapshots(self._gallery.uid)


def forget_snapshots(uid: str) -> None:
    """Remove what this user's cache holds of a gallery, because somebody in it is to leave no trace.

    Other machines and users remove theirs at their next search, when they read of the change.
    """
    for path in _snapshots().glob(f"{uid}-*.index"):
        with suppress(OSError):
            path.unlink()


def _snapshots() -> Path:
    return cache_folder() / "indexes"


def _read_ahead(pieces: Iterator[Rows]) -> Iterator[Rows]:
    """The same pieces; the next one is read while one is being used."""
    with ThreadPoolExecutor(1, "read") as reader:
        coming = reader.submit(next, pieces, None)
        while (rows := coming.result()) is not None:
            coming = reader.submit(next, pieces, None)
            yield rows


def _difference(digest: int, checksum: int) -> int:
    return (digest - checksum) % 2**64
