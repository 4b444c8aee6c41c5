"""Once a minute: what has had its time is removed, and it is stored when keys were last used."""

import logging
import random
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from common.errors import FaceError

if TYPE_CHECKING:
    from db.database import Database

SECONDS = 60.0
JOBS_AGE = timedelta(days=7)

log = logging.getLogger("recognizer.service")


class Housekeeping:
    """A thread that tidies a database from :meth:`start` to :meth:`stop`; several processes may do it side by side.

    Args:
        audit_days: after which entries of the audit log go; None: never.
    """

    def __init__(self, database: "Database", audit_days: float | None):
        self._database = database
        self._audit_age = None if audit_days is None else timedelta(days=audit_days)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Tidy a last time, and end."""
        self._stopping.set()
        self._thread.join()
        self._tidy()

    def _run(self) -> None:
        while not self._stopping.wait(SECONDS * random.uniform(0.9, 1.1)):  # so that processes do not all come at once
            self._tidy()

    def _tidy(self) -> None:
        try:
            self._database.tidy(JOBS_AGE, self._audit_age)
        except FaceError as error:
            log.warning("The database was not tidied: %s", error)
        except Exception:
            log.exception("The database was not tidied.")
