"""Who is in a video, and when."""

import time
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.errors import BadArgument, Cancelled
from mtcnn import Detections
from recognizer.draw import annotate
from recognizer.results import Recognition
from recognizer.video.examine import check_max_side, examine, name_faces
from recognizer.video.reader import Frame, VideoReader
from recognizer.video.results import Track, VideoProgress, VideoResult
from recognizer.video.tracker import Tracker, Trail
from recognizer.video.writer import VideoWriter, require_writable

if TYPE_CHECKING:
    from recognizer import Recognizer

EVERY = 3  # frames; docs/video.md has what other numbers cost and bring
BRIDGED = 0.25  # seconds, and at least two examined frames, for which a box goes on where no face was found


def recognize_video(
    recognizer: "Recognizer",
    path: str | PathLike,
    out: str | PathLike | None = None,
    *,
    every: int = EVERY,
    start: float = 0.0,
    end: float | None = None,
    max_side: int | None = None,
    overwrite: bool = False,
    progress: Callable[[VideoProgress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> VideoResult:
    """Follow the faces of a video, name each once by its best frames, and draw them into a copy.

    The video is read once to find faces and, with ``out``, a second time to draw: so a face bears its name from its
    first frame on. It is never held in memory. The copy has the timestamps and the sound of the original, is upright,
    and takes its name when it is complete: an interrupted or cancelled call leaves nothing.

    Args:
        recognizer: names the faces.
        path: a file; see ``VideoReader`` for what is read.
        out: the copy, ``.mp4``, ``.m4v``, ``.mov`` or ``.mkv``.
        every: faces are looked for in every so many frames; in between, boxes are interpolated.
        start, end: seconds; only what is shown in between.
        max_side: faces are looked for in frames shrunk to so many pixels in the longer side.
        overwrite: whether ``out`` may replace a file.
        progress: called after every frame.
        cancel: asked before every frame; True ends the call. An Event's ``is_set`` does.

    Raises:
        BadVideo: nothing can be read, or the copy cannot be written. What is damaged or cut short is no error: the
            result holds what could be read, and ``damage`` says what could not.
        BadArgument: a value out of range, or ``out`` is there already.
        Cancelled: ``cancel`` said so. MissingDependency: PyAV is not installed.
    """
    _check(path, out, every, max_side, overwrite)
    watch = _Watch(progress, cancel)
    with VideoReader(path, start, end) as reader:
        found = _Found(recognizer, every, max_side)
        for frame in watch.over("finding faces", reader.frames(), reader):
            found.take(frame)
        damage = reader.damage
    tracks, threshold = _named(recognizer, found)
    notes = []
    if out is not None:
        with VideoReader(path, start, end) as reader:
            notes = _write(reader, Path(out), tracks, overwrite, watch)
    seconds = found.last - found.first
    out = Path(out) if out is not None else None
    return VideoResult(tracks, threshold, found.frames, found.examined, seconds, found.size, damage, notes, out)


class _Found:
    """The faces of the frames that were taken so far."""

    def __init__(self, recognizer: "Recognizer", every: int, max_side: int | None):
        self._recognizer, self._every, self._max_side = recognizer, every, max_side
        self.tracker = Tracker(recognizer.threshold)
        self.frames = self.examined = 0
        self.first = self.last = 0.0
        self.size = (0, 0)

    def take(self, frame: Frame) -> None:
        if frame.number % self._every == 0:
            picture = frame.picture()
            self.size = (picture.shape[1], picture.shape[0])
            self.tracker.update(frame.time, examine(self._recognizer, picture, self._max_side))
            self.examined += 1
        self.first = frame.time if frame.number == 0 else self.first
        self.last, self.frames = frame.time, self.frames + 1


class _Watch:
    """Tells the caller how far it has come, and asks whether to go on."""

    def __init__(self, progress: Callable[[VideoProgress], None] | None, cancel: Callable[[], bool] | None):
        self._progress, self._cancel = progress, cancel

    def over(self, stage: str, items: Iterator, reader: VideoReader) -> Iterator:
        """The same items."""
        began, frames = time.monotonic(), 0
        for item in items:
            if self._cancel and self._cancel():
                raise Cancelled("The video was cancelled; nothing was written.")
            yield item
            if isinstance(item, Frame):
                frames += 1
                self._tell(stage, frames, reader.fraction(item.time), time.monotonic() - began)

    def _tell(self, stage: str, frames: int, fraction: float | None, spent: float) -> None:
        if self._progress:
            left = spent / fraction - spent if fraction else None
            self._progress(VideoProgress(stage, frames, fraction, frames / max(spent, 1e-6), left))


def _check(path: str | PathLike, out: str | PathLike | None, every: int, max_side: int | None, overwrite: bool) -> None:
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise BadArgument(f"every must be a whole number from 1 on, not {every!r}.")
    check_max_side(max_side)
    if out is None:
        return
    require_writable(Path(out), overwrite)
    if Path(path).exists() and Path(out).exists() and Path(out).samefile(path):
        raise BadArgument(f"{out} is the video itself: choose another name.")


def _named(recognizer: "Recognizer", found: _Found) -> tuple[list[Track], float]:
    """Tracks out of trails, by one search for all of them, and the threshold they were named with."""
    trails = found.tracker.finish()
    best = [trail.best_sighting() for trail in trails]
    bridged = max(BRIDGED, 2.1 * (found.last - found.first) / max(1, found.examined - 1))
    faces = Detections([each.box for each in best], [each.landmarks for each in best], [each.score for each in best])
    embeddings = np.array([trail.embedding() for trail in trails])
    names = name_faces(recognizer, faces, embeddings, [each.liveness for each in best])
    tracks = [_track(*each, bridged) for each in zip(trails, names, (each.time for each in best))]
    return tracks, recognizer.threshold


def _track(trail: Trail, recognition: Recognition, best_time: float, bridged: float) -> Track:
    first, last = trail.times[0], trail.times[-1]
    return Track(
        recognition,
        best_time,
        np.array(trail.times),
        np.array(trail.boxes, np.float32),
        np.array(trail.landmarks, np.float32),
        first if trail.before is None else (trail.before + first) / 2,
        float("inf") if trail.after is None else (last + trail.after) / 2,
        bridged,
    )


def _write(reader: VideoReader, out: Path, tracks: list[Track], overwrite: bool, watch: _Watch) -> list[str]:
    """Write the annotated copy; what could not be written into it, in words."""
    with VideoWriter(out, reader.tick, reader.rate, reader.audio, overwrite) as writer:
        sweep = _Sweep(tracks)
        for item in watch.over("writing", reader.frames_and_sound(), reader):
            if isinstance(item, Frame):
                writer.frame(annotate(item.picture(), sweep.at(item.time)), item.ticks)
            else:
                writer.sound(item)
    return writer.notes


class _Sweep:
    """The faces in sight at times that go forward, without looking at all tracks each time."""

    def __init__(self, tracks: list[Track]):
        self._coming = sorted(tracks, key=lambda track: track.shown_from, reverse=True)
        self._current: list[Track] = []

    def at(self, time: float) -> list[Recognition]:
        while self._coming and self._coming[-1].shown_from <= time:
            self._current.append(self._coming.pop())
        self._current = [track for track in self._current if track.shown_until >= time]
        return [face for track in self._current if (face := track.at(time)) is not None]
