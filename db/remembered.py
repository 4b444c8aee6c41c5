"""What the database said a moment ago, so that it is not asked at each request."""

import threading
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

MOST = 10_000  # values, of some hundred bytes
MARGIN = 0.05  # seconds: from saying that something is held to its use

Value = TypeVar("Value")


class _Entry(NamedTuple, Generic[Value]):
    value: Value
    until: float  # by time.monotonic


class Remembered(Generic[Value]):
    """Values by name, each for some seconds. May be used from several threads.

    That there is none is not remembered, so what is new is there at once.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry[Value]] = {}
        self._changes = 0
        self._lock = threading.Lock()

    def holds(self, name: str) -> bool:
        """Whether :meth:`get`, called now, gives what is held."""
        entry = self._entries.get(name)
        return entry is not None and time.monotonic() + MARGIN < entry.until

    def get(self, name: str, read: Callable[[], Value | None], seconds: float) -> Value | None:
        """What is held, or what ``read`` gives, which is then held for ``seconds``."""
        entry = self._entries.get(name)
        began = time.monotonic()
        if entry is not None and began < entry.until:
            return entry.value
        changes = self._changes
        value = read()
        with self._lock:
            if len(self._entries) >= MOST:
                self._entries.clear()
            self._entries.pop(name, None)
            if value is not None and changes == self._changes:  # else it may be what was true before
                self._entries[name] = _Entry(value, began + seconds)
        return value

    def forget(self, name: str) -> None:
        """Let a value be read again: it was changed."""
        with self._lock:
            self._entries.pop(name, None)
            self._changes += 1
