"""A bounded queue in front of the threads that compute: what does not fit is told at once, what is accepted is done.

A thread takes what waits for the same work on the same recognizer together, so that faces of concurrent requests are
embedded and searched in one batch: its share of those that wait, never more. Nobody waits for a batch to fill.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from common import cores
from db import Threshold
from mtcnn import Detections, Picture
from recognizer.matcher import Match, Named
from recognizer.recognizer import Recognizer
from recognizer.results import Recognition, Verification
from recognizer.service import faces
from recognizer.service.errors import Overloaded

if TYPE_CHECKING:
    from recognizer.service.metrics import Metrics
    from recognizer.service.settings import ServiceSettings

MOST_BYTES = 256 * 2**20  # of encoded photos that wait; one request is always let in
FIRST_GUESS = 0.1  # seconds that a request takes, before any was measured

log = logging.getLogger("recognizer.service")
Result = TypeVar("Result")


@dataclass(eq=False)
class _Work:
    """What one request asks for: ``begin`` alone, then ``finish`` together with others of the same ``key``."""

    kind: str
    key: tuple | None
    begin: Callable[[], Any]
    finish: Callable[[list], list] | None
    bytes: int
    future: Future = field(default_factory=Future)


class Inference:
    """Runs what computes, off the event loop. Its coroutines raise Overloaded at once where the queue is full.

    Args:
        settings: ``inference_threads``, ``batch``, ``queue``, ``max_faces`` and ``workers`` are used.
        metrics: told of the queue, the times and the faces.

    Attributes:
        threads: that compute.
        inside: requests to be computed that were let in and not answered yet, as the event loop counts them.
    """

    def __init__(self, settings: "ServiceSettings", metrics: "Metrics"):
        self._batch, self._most, self._max_faces = settings.batch, settings.queue, settings.max_faces
        self._metrics = metrics
        self.inside = 0
        self._waiting: deque[_Work] = deque()
        self._bytes = 0
        self._computing = 0
        self._seconds = FIRST_GUESS
        self._closing = False
        self._changed = threading.Condition()
        self.threads = settings.inference_threads or max(1, cores.usable() // settings.workers)
        names = [f"inference {number}" for number in range(self.threads)]
        self._threads = [threading.Thread(target=self._serve, name=name, daemon=True) for name in names]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the next one would be refused: as many as may wait do so, or are on their way here."""
        return len(self._waiting) >= self._most or self.inside >= self._most + self._computing

    @property
    def is_open(self) -> bool:
        """Whether anything is accepted."""
        return not self._closing

    def require_room(self) -> None:
        """Raise Overloaded where the queue is full: to be asked before a body is read, of a request that is inside."""
        with self._changed:
            self._check_room(0)
            if self.inside > self._most + self._computing:
                raise self.overloaded()

    def overloaded(self) -> Overloaded:
        """What somebody is told for whom there is no room, who is counted."""
        self._metrics.overloaded()
        waiting = len(self._waiting)
        wait = waiting * self._seconds / len(self._threads)
        return full(wait, waiting)

    async def recognize(self, recognizer: Recognizer, pictures: Sequence[Picture]) -> list[list[Recognition]]:
        """Who is in each picture, as ``Recognizer.recognize`` of the list. Raises Unprocessable, TooLarge."""
        return [each.recognitions for each in await self.search(recognizer, pictures, 2)]

    async def search(self, recognizer: Recognizer, pictures: Sequence[Picture], top: int) -> list[Named]:
        """The same, with the ``top`` nearest people of each face."""
        named = await self._together("search", recognizer, pictures, partial(faces.name, recognizer, top=top), top)
        self._metrics.searched([match for each in named for match in each.faces])
        return named

    async def match(
        self, recognizer: Recognizer, embeddings: Sequence[np.ndarray], top: int
    ) -> tuple[list[Match], Threshold]:
        """Who ready embeddings are, and what they were compared with. Raises BadEmbedding."""
        return await self._run("match", partial(faces.match, recognizer, embeddings, top))

    async def embed(self, recognizer: Recognizer, pictures: Sequence[Picture]) -> list[faces.Embedded]:
        """The faces of pictures and their embeddings. Raises Unprocessable, TooLarge."""
        return await self._together("embed", recognizer, pictures, partial(faces.embed, recognizer))

    async def detect(
        self, recognizer: Recognizer, pictures: Sequence[Picture]
    ) -> list[tuple[tuple[int, int], Detections]]:
        """Width and height, and the faces, of each picture. Raises Unprocessable, TooLarge."""
        work = partial(faces.find, recognizer, pictures, self._max_faces)
        return await self._run("detect", work, bytes=_bytes(pictures))

    async def verify(self, recognizer: Recognizer, first: Picture, second: Picture) -> Verification:
        """Whether two pictures are about one person. Raises NoFace, BadPicture."""
        return await self._run("verify", partial(recognizer.verify, first, second), _bytes([first, second]))

    async def run(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Anything else that computes, such as an enrolment."""
        return await self._run(getattr(function, "__name__", "work"), partial(function, *args, **kwargs))

    def close(self, seconds: float) -> bool:
        """Accept nothing more, finish what was accepted, and end the threads; whether that was done in time."""
        until = time.monotonic() + seconds
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    async def _together(
        self, kind: str, recognizer: Recognizer, pictures: Sequence[Picture], finish: Callable, *also: Any
    ) -> Any:
        begin = partial(faces.see, recognizer, pictures, self._max_faces)
        work = _Work(kind, (kind, id(recognizer), *also), begin, partial(_split, finish), _bytes(pictures))
        return await self._done(work)

    async def _run(self, kind: str, function: Callable[[], Result], bytes: int = 0) -> Result:
        return await self._done(_Work(kind, None, function, None, bytes))

    async def _done(self, work: _Work) -> Any:
        with self._changed:
            self._check_room(work.bytes)
            self._waiting.append(work)
            self._bytes += work.bytes
            self._metrics.waiting(len(self._waiting))
            self._changed.notify()
        return await asyncio.wrap_future(work.future)

    def _check_room(self, bytes: int) -> None:
        if self._closing:
            raise Overloaded("The service is ending. Try again.")
        waiting = len(self._waiting)
        if waiting >= self._most or (waiting and self._bytes + bytes > MOST_BYTES):
            raise self.overloaded()

    def _serve(self) -> None:
        while (batch := self._next()) is not None:
            began = time.perf_counter()
            try:
                _compute([work for work in batch if work.future.set_running_or_notify_cancel()])
            except BaseException:  # this thread must go on; the futures have been told
                log.exception("A batch was not computed.")
            with self._changed:
                self._computing -= len(batch)
            taken = time.perf_counter() - began
            self._seconds += 0.1 * (taken / len(batch) - self._seconds)
            self._metrics.computed(batch[0].kind, taken, len(batch))

    def _next(self) -> list[_Work] | None:
        """What to compute together; None at the end."""
        with self._changed:
            while not self._waiting:
                if self._closing:
                    return None
                self._changed.wait()
            share = min(self._batch, -(-len(self._waiting) // len(self._threads)))
            first = self._waiting.popleft()
            batch = [first]
            if first.key is not None and share > 1:
                batch += [work for work in self._waiting if work.key == first.key][: share - 1]
                taken = set(map(id, batch))
                self._waiting = deque(work for work in self._waiting if id(work) not in taken)
            self._bytes -= sum(work.bytes for work in batch)
            self._computing += len(batch)
            self._metrics.waiting(len(self._waiting))
            return batch


def full(seconds: float, waiting: int) -> Overloaded:
    """What somebody is told who is to come again after so many seconds, as so many wait."""
    return Overloaded("More requests wait than can be done soon. Try again.", seconds, waiting=waiting)


def _compute(batch: list[_Work]) -> None:
    """Begin each alone, so that a bad photo is the affair of its own request; finish all together."""
    begun = []
    for work in batch:
        try:
            begun.append((work, work.begin()))
        except BaseException as error:
            work.future.set_exception(error)
    if not begun:
        return
    try:
        finish = begun[0][0].finish
        results = finish([value for _, value in begun]) if finish else [value for _, value in begun]
    except BaseException as error:
        for work, _ in begun:
            work.future.set_exception(error)
        return
    for (work, _), result in zip(begun, results, strict=True):
        work.future.set_result(result)


def _split(finish: Callable[[list], list], parts: list[list]) -> list[list]:
    """``finish`` of the parts as one list, and its values by part."""
    values = iter(finish([each for part in parts for each in part]))
    return [[next(values) for _ in part] for part in parts]


def _bytes(pictures: Sequence[Picture]) -> int:
    return sum(len(each) if isinstance(each, bytes) else getattr(each, "nbytes", 0) for each in pictures)
