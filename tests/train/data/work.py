"""Pieces of work for worker processes."""

import os
import signal
import time

from common.errors import BadPicture


def square(state, number):
    """Something small."""
    return state + number * number, os.getpid()


def die(state, number):
    """Ends its own process as the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(state, number):
    """An error with a message."""
    raise BadPicture(f"number {number}")


def hang(state, number):
    """Works for long, having said where it works."""
    (state / str(os.getpid())).touch()
    time.sleep(60)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from tests.train.data import work
    from train.data.prepare import workers

    list(workers.run(work.hang, Path(sys.argv[1]), range(2), 2))
