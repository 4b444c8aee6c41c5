"""Timing several contestants fairly on a machine whose speed drifts: in turn, many rounds, medians."""

import time
from collections.abc import Callable, Mapping
from statistics import median

PAUSE = 0.02  # seconds between turns: idle thread pools spin for some milliseconds and would tax the next


def interleave(
    contestants: Mapping[str, Callable[[], float]], rounds: int, burst: int = 0
) -> dict[str, list[float]]:
    """Let each contestant have a turn per round, beginning with another one each round.

    Args:
        contestants: name -> a function that does the work once and returns the seconds it took.
        rounds: how many turns each has.
        burst: 0: a turn is one run, which finds its caches cold and its threads asleep (MobileFaceNet on one face: 13
            ms instead of 5). Otherwise a turn is this many runs after one that does not count.

    Returns:
        name -> its seconds, in the order of the runs.
    """
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % max(len(names), 1)
        for name in names[shift:] + names[:shift]:
            time.sleep(PAUSE)
            if burst:
                contestants[name]()
            seconds[name].extend(contestants[name]() for _ in range(max(burst, 1)))
    return seconds


def timed(function: Callable, *arguments) -> float:
    """Seconds one call takes."""
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each contestant's runs."""
    return {name: median(values) for name, values in seconds.items()}


def ratios(seconds: Mapping[str, float], ours: set[str]) -> dict[str, float]:
    """Each contestant's time over that of the fastest peer (those not in ``ours``); empty without a peer."""
    peers = [value for name, value in seconds.items() if name not in ours]
    return {name: value / min(peers) for name, value in seconds.items()} if peers else {}
