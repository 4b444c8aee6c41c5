"""Which identities of a source are taken."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from common.errors import BadArgument


def select(names: list[str], patterns: Sequence[str] = (), span: str | None = None) -> np.ndarray:
    """Numbers of the identities that any pattern fits, and of those the ones in a span; int64 ``[k]`` ascending.

    Args:
        names: of all identities, in their order.
        patterns: names, or patterns such as ``s?``, or paths of files with one of these a line; none takes all.
        span: "1-30", "31-" or "5": positions among those that fit, from 1.

    Raises:
        BadArgument: a pattern that fits nobody, or no such span.
    """
    chosen = np.arange(len(names))
    if patterns:
        fitting = set()
        for pattern in _expanded(patterns):
            found = _fitting(names, pattern)
            if not found:
                raise BadArgument(f"No identity fits {pattern!r}. There are {len(names)}: {_some(names)}.")
            fitting.update(found)
        chosen = np.array(sorted(fitting))
    if span is not None:
        first, last = _span(span, len(chosen))
        chosen = chosen[first - 1 : last]
    return chosen


def _expanded(patterns: Sequence[str]) -> list[str]:
    expanded = []
    for pattern in patterns:
        if not Path(pattern).is_file():
            expanded.append(pattern)
            continue
        try:
            lines = Path(pattern).read_text("utf-8", "surrogateescape").splitlines()
        except OSError as error:
            raise BadArgument(f"{pattern} cannot be read: {error.strerror}.") from None
        expanded += [line.strip() for line in lines if line.strip()]
    return expanded


def _fitting(names: list[str], pattern: str) -> list[int]:
    return [number for number, name in enumerate(names) if name == pattern or fnmatchcase(name, pattern)]


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _span(text: str, count: int) -> tuple[int, int]:
    first, dash, last = (part.strip() for part in text.partition("-"))
    last = last or (str(max(count, 1)) if dash else first)
    if not (first.isdecimal() and last.isdecimal() and int(first) >= 1):
        raise BadArgument(f"A range of identities is written 1-30, 31- or 5, counted from 1, not {text!r}.")
    if int(first) > min(count, int(last)):
        raise BadArgument(f"The range {text} holds no identity: there are {count}.")
    return int(first), int(last)
