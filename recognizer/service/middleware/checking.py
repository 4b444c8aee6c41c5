"""Keys, and sessions of the pages, as addresses show them: checked, and counted where they are wrong."""

import anyio
from anyio import to_thread

from common.errors import KeyRefused
from db import keys, sessions
from recognizer.service.middleware.credentials import public_part
from recognizer.service.middleware.rate import Failures

LOOKUPS = 4  # in the database at a time, so that wrong keys do not take all threads
GUESSES = (keys.REFUSED, sessions.REFUSED)  # not of one that was right, and is over


class Checking:
    """For the event loop of one process."""

    def __init__(self, failures: Failures):
        self._failures = failures
        self._lookups: anyio.CapacityLimiter | None = None

    async def check(self, known: keys.Keys | sessions.Sessions, shown: str, address: str) -> keys.Key:
        """The key that is shown, or that of a session.

        Raises:
            TooMany: the address has shown too many wrong ones. KeyRefused, DatabaseError.
        """
        public = public_part(shown)
        self._failures.require(address, public)
        try:
            found = await self._found(known, shown)
        except KeyRefused as error:
            if str(error) in GUESSES:
                self._failures.note(address)
            raise
        self._failures.note_right(address, public)
        return found

    async def _found(self, known: keys.Keys | sessions.Sessions, shown: str) -> keys.Key:
        """Here, in microseconds, where that needs no database: a thread takes milliseconds to get its turn."""
        if known.is_held(shown):
            return known.check(shown)
        self._lookups = self._lookups or anyio.CapacityLimiter(LOOKUPS)
        return await to_thread.run_sync(known.check, shown, limiter=self._lookups)
