"""Several threads that compute at the same time: each on one core, with a copy of the network of its own.

A call that uses all cores ends when its slowest part does, and of two such calls each waits for the other's threads.
On 2 cores (AMD EPYC, AVX-512) two threads recognised 124 to 139 photos a second with copies, and 74 to 104 by turns;
one thread alone is better off with all cores (83 to 103, not 69 to 74). What came out was the same, to the bit.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, LifoQueue
from typing import Generic, TypeVar
from weakref import WeakSet

SECONDS = 0.1  # after calls overlapped, in which it is taken that they will again

Copy = TypeVar("Copy")


class Callers:
    """Counts the calls that are under way: ``with callers: ...``

    Args:
        many: at the same time are so many that each had better have a core of its own.
    """

    def __init__(self, many: int):
        self._many, self._inside, self._until = many, 0, 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside >= self._many:
                self._until = time.monotonic() + SECONDS

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1

    @property
    def are_many(self) -> bool:
        """Whether they are, or just were."""
        return time.monotonic() < self._until


class Copies(Generic[Copy]):
    """At most so many copies of something that serves one thread at a time, made when they are first needed."""

    def __init__(self, make: Callable[[], Copy], most: int):
        self._make: Callable[[], Copy] | None = make
        self._count, self._most = 0, most
        self._idle: LifoQueue[Copy] = LifoQueue()
        self._lock = threading.Lock()
        _living.add(self)

    @contextmanager
    def one(self) -> Iterator[Copy]:
        """A copy for the calling thread, which waits for one where all are in use."""
        copy = self._taken()
        try:
            yield copy
        finally:
            self._idle.put(copy)

    def prepare(self, count: int) -> None:
        """Make what is missing of so many."""
        while self._count < count and (copy := self._made()) is not None:
            self._idle.put(copy)

    def _taken(self) -> Copy:
        try:
            return self._idle.get_nowait()
        except Empty:
            made = self._made()
            return self._idle.get() if made is None else made

    def _made(self) -> Copy | None:
        with self._lock:
            if self._make is None:
                return None
            copy = self._make()
            self._count += 1
            if self._count == self._most:
                self._make = None  # and what it is made from can go
            return copy


_living: "WeakSet[Copies]" = WeakSet()


def prepare(threads: int) -> None:
    """Make the copies that so many threads need of the networks that are loaded: their first calls take no longer."""
    for copies in list(_living) if threads > 1 else ():
        copies.prepare(threads)
