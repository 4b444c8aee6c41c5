"""People and their embeddings, kept safely in SQLite or MySQL. Knows nothing of pictures and networks.

    with db.open("sqlite:////home/me/people.db") as database:
        gallery = database.gallery("default", card.name, digest, 192)
        gallery.add("Ann", [Face(embedding)])

Importing this package does not import SQLAlchemy; opening a database does.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from db.records import Changes, Face, Person, Photo, Rows, State, Summary, Threshold

if TYPE_CHECKING:
    from db.database import Database

__all__ = ["Changes", "Face", "Person", "Photo", "Rows", "State", "Summary", "Threshold", "open", "upgrade"]


def open(url: str, timeout: float = 10.0, password_file: str | Path | None = None) -> "Database":
    """Open a database, and set it up if it is empty.

    Args:
        url: ``sqlite:////absolute/people.db`` or ``sqlite:///relative/people.db`` (file and folders are made
            where missing, for their owner only), ``sqlite://`` (a fresh one in memory, gone when closed), or
            ``mysql://user:password@host/database`` (MySQL 8.0 or later, MariaDB 10.6 or later). After ``?`` may
            follow ``ssl_mode``, ``ssl_ca``, ``ssl_cert`` and ``ssl_key``, as MySQL's own clients have them, and
            ``unix_socket``.
        timeout: seconds after which a call that cannot be done is an error. Until then lost connections,
            deadlocks and locks of others are tried again.
        password_file: whose first line is the password, where the URL has none. Without it, the password is that
            of the environment: ``RECOGNIZER_DATABASE_PASSWORD``, or the file ``RECOGNIZER_DATABASE_PASSWORD_FILE``.

    Raises:
        BadArgument: not such a URL, or a password file that cannot be read.
        MissingDependency: ``mysql://`` without the package that speaks to it.
        DatabaseError: it cannot be reached, read or written, holds something else, or has another version.
    """
    from db.database import Database

    return Database(url, timeout, password_file)


def upgrade(url: str, password_file: str | Path | None = None) -> tuple[str | None, str]:
    """Bring a database that an older release made to what this one needs; the revisions before and after.

    Takes what :func:`open` takes, and raises what it raises. What was interrupted is taken up again.
    """
    from db import versions
    from db.connections import Connections

    connections = Connections(url, 60.0, password_file)
    try:
        return versions.upgrade(connections)
    finally:
        connections.close()
