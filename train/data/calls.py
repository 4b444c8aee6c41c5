"""Ends the calls of TensorFlow's threads into Python before Python shuts down.

An endless dataset is read ahead, so at the end of a program some thread is always about to call. Python ends a thread
that comes to it during its shutdown, and the C++ that the thread runs answers with an abort: exit code 134 after a
training that went well.
"""

import atexit
import threading
import time

LONGEST = 10.0  # seconds to wait for a disk that does not answer
QUIET = 0.05  # seconds without a call after which none is expected: full buffers ask for no more


class Calls:
    """Counts calls; used as a context manager around each.

    Attributes:
        running: how many there are now.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self.running = self._begun = 0
        self._ending = False

    def __enter__(self) -> "Calls":
        with self._lock:
            self._begun += 1
            if self._ending:
                raise RuntimeError("The program ends: no more pictures are read.")
            self.running += 1
        return self

    def __exit__(self, *_) -> None:
        with self._lock:
            self.running -= 1

    def end(self) -> None:
        """Let the running calls finish, refuse further ones, and return when no more come."""
        self._ending = True
        started = since = time.monotonic()
        seen = -1
        while (self.running or time.monotonic() - since < QUIET) and time.monotonic() - started < LONGEST:
            if self._begun != seen or self.running:
                seen, since = self._begun, time.monotonic()
            time.sleep(QUIET / 10)


CALLS = Calls()


def end_at_exit() -> None:
    """Have the calls ended when the program does; to be called after TensorFlow was imported, before its own hooks."""
    atexit.unregister(CALLS.end)
    atexit.register(CALLS.end)
