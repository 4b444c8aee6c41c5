"""Runs numbered pieces of work in processes of their own."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from common.errors import BadArgument, WorkerLost

_state: Any = None


def run(work: Callable[[Any, int], Any], state: Any, numbers: Sequence[int], jobs: int) -> Iterator[tuple[int, Any]]:
    """``(number, work(state, number))`` for all numbers, as they come.

    Args:
        work: a function of a module.
        state: what it needs; pickled once into each process.
        numbers: the pieces.
        jobs: processes; 1 works in this one.

    Raises:
        WorkerLost: a process was killed. FaceError: whatever ``work`` raised first; nothing new is begun then.
    """
    if jobs < 1:
        raise BadArgument(f"jobs must be 1 or more, not {jobs}.")
    jobs = min(jobs, len(numbers))
    if jobs <= 1:
        for number in numbers:
            yield number, work(state, number)
        return
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin, (state,))
    try:
        futures = {pool.submit(_call, work, number): number for number in numbers}
        for future in as_completed(futures):
            yield futures.pop(future), future.result()
    except BrokenProcessPool:
        raise WorkerLost(
            "A worker process was ended from outside, perhaps for want of memory. Call it again with fewer --jobs: it "
            "goes on where it was."
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(state: Any) -> None:
    global _state
    _state = state
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the parent alone decides
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _call(work: Callable[[Any, int], Any], number: int) -> Any:
    return work(_state, number)
