"""People and their embeddings, kept safely in SQLite or MySQL. Knows nothing of pictures and networks.

    with db.open("sqlite:////home/me/people.db") as database:
        gallery = database.gallery("default", card.name, digest, 192)
        gallery.add("Ann", [Face(embedding)])

Importing this package does not import SQLAlchemy; opening a database does.
"""

from typing import TYPE_CHECKING

from db.records import Changes, Face, Person, Templates, Threshold

if TYPE_CHECKING:
    from db.database import Database

__all__ = ["Changes", "Face", "Person", "Templates", "Threshold", "open"]


def open(url: str) -> "Database":
    """Open a database, and set it up if it is empty.

    Args:
        url: ``sqlite:////absolute/people.db`` or ``sqlite:///relative/people.db`` (file and folders are made
            where missing, for their owner only), ``sqlite://`` (a fresh one in memory, gone when closed), or
            ``mysql://user:password@host/database`` (MySQL 8.0 or later, MariaDB 10.6 or later).

    Raises:
        BadArgument: not such a URL.
        MissingDependency: ``mysql://`` without the package that speaks to it.
        DatabaseError: it cannot be reached, read or written, holds something else, or has another version.
    """
    from db.database import Database

    return Database(url)
