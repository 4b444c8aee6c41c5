"""Wrong keys are counted by address, and an address that has shown too many has to wait.

Nobody guesses a key of 256 bits. What this prevents is that each guess costs the database a look-up. Who has shown a
right key from the same address within the last hour is not kept waiting by a neighbour who shows wrong ones.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from recognizer.service.errors import TooMany

MOST = 10_000  # addresses, and pairs of address and key, that are remembered: some megabytes
PASSED_SECONDS = 3600.0


class Failures:
    """How many wrong keys addresses have shown. Within one process, for its event loop.

    Args:
        per_minute: so many at once, and as many again in each minute.
        clock: in seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic):
        self._most, self._clock = per_minute, clock
        self._free_at: OrderedDict[str, float] = OrderedDict()
        self._passed: OrderedDict[tuple[str, str], float] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until the address may try another key; 0: now."""
        ahead = self._free_at.get(_group(address), 0.0) - self._clock()
        return max(0.0, ahead - 60.0 * (self._most - 1) / self._most)

    def note(self, address: str) -> None:
        """The address has shown a wrong key."""
        group, now = _group(address), self._clock()
        _keep(self._free_at, group, max(now, self._free_at.get(group, 0.0)) + 60.0 / self._most)

    def note_right(self, address: str, public: str) -> None:
        """The address has shown a right key, of that public part."""
        _keep(self._passed, (_group(address), public), self._clock() + PASSED_SECONDS)

    def has_passed(self, address: str, public: str) -> bool:
        """Whether the address has shown the right key of that public part lately."""
        return self._passed.get((_group(address), public), 0.0) > self._clock()

    def require(self, address: str, public: str) -> None:
        """Raises TooMany where the address has to wait, unless it has shown the right key of that part lately."""
        seconds = self.wait(address)
        if seconds and not self.has_passed(address, public):
            raise TooMany("Too many wrong keys came from your address. Wait, and check the key.", seconds)


def _keep(table: OrderedDict, key, value: float) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > MOST:
        table.popitem(last=False)


def _group(address: str) -> str:
    """Whom an address belongs to: of IPv6, everybody has 2^64."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ip_network((parsed, 64), strict=False))
