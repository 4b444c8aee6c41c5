"""SIGTERM and Ctrl-C asked for an end: the step under way is finished and the state saved first."""

import signal
from types import FrameType


class Stopping:
    """A context in which these signals set ``signal`` instead of ending the process; a second one ends it at once."""

    def __init__(self):
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "Stopping":
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._asked)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """What shells expect of a process that a signal ended."""
        return 128 + self.signal if self.signal else 0

    def _asked(self, number: int, _: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        signal.signal(number, self._before[self.signal])
