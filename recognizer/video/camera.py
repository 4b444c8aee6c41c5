"""The newest picture of a camera, whenever it is asked for; a camera that is lost is opened again."""

import threading
import time
from collections.abc import Callable, Iterator
from os import PathLike
from typing import NamedTuple

import numpy as np

from common.errors import BadVideo
from recognizer.video.sources import source

PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before a lost camera is tried again; the last one from then on
POLL = 0.5  # seconds; waiting for longer at a time cannot be interrupted on Windows


class Shot(NamedTuple):
    """A picture uint8 ``[H, W, 3]`` BGR and when it came, in seconds since the camera was opened."""

    time: float
    picture: np.ndarray


class Camera:
    """Reads a camera in a thread of its own and keeps its newest picture: who is slow misses some and sees no old ones.

    A camera that was there and is lost is opened again, after 1, 2, 5, 10, then 30 seconds, for as long as it takes.
    One that cannot be opened at first is an error. A file is played once, at its own speed.

    Args:
        named: a device's number, ``rtsp://``, ``rtsps://``, ``http://`` or ``https://``, or a file.
        report: called with a sentence when it is lost or back; never with a user, password or path of an address.
        pauses: seconds before each attempt to open it again.

    Raises:
        UnknownChoice, BadArgument: an address of another kind, or none at all.
    """

    def __init__(
        self,
        named: str | int | PathLike,
        report: Callable[[str], None] | None = None,
        pauses: tuple[float, ...] = PAUSES,
    ):
        self._source = source(named)
        self._report, self._pauses = report or (lambda sentence: None), pauses
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._shot: Shot | None = None
        self._ended, self._error = False, None
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def __repr__(self) -> str:
        return f"<Camera {self._source.name}>"

    def __enter__(self) -> "Camera":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self._source.name

    def close(self) -> None:
        """Let go of the camera; one that does not answer is left to its thread."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def shot(self, after: float = -1.0, timeout: float | None = None) -> Shot | None:
        """The newest picture that came later than ``after``; None when it has ended, or ``timeout`` is over.

        Raises:
            BadVideo: it cannot be opened, or is lost and no camera that could come back.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self._shot is None or self._shot.time <= after:
                if self._error:
                    raise self._error
                left = POLL if deadline is None else min(POLL, deadline - time.monotonic())
                if self._ended or left <= 0:
                    return None
                self._changed.wait(left)
            return self._shot

    def __iter__(self) -> Iterator[Shot]:
        """Pictures until it ends, each the newest there is."""
        shot = self.shot()
        while shot is not None:
            yield shot
            shot = self.shot(shot.time)

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # to be raised where the pictures are waited for
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _follow(self) -> None:
        failures = 0
        while True:
            try:
                for when, picture in self._source.pictures():
                    if failures:
                        self._report(f"{self.name} is back.")
                    failures = 0
                    if self._wait(when):
                        return
                    self._publish(picture)
                reason = f"{self.name} has ended"
            except BadVideo as error:
                if self._shot is None or not self._source.live:
                    raise
                reason = str(error).rstrip(".")
            if not self._source.live:
                return
            pause = self._pauses[min(failures, len(self._pauses) - 1)]
            failures += 1
            self._report(f"{reason}: trying again in {pause:g} s.")
            if self._closed.wait(pause):
                return

    def _wait(self, when: float | None) -> bool:
        """Wait until a picture is due; whether the camera was closed meanwhile."""
        return self._closed.wait(max(0.0, self._began + (when or 0.0) - time.monotonic()))

    def _publish(self, picture: np.ndarray) -> None:
        with self._changed:
            self._shot = Shot(time.monotonic() - self._began, picture)
            self._changed.notify_all()
