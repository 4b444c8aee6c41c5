"""What commands write into the audit log, under the names that the service uses for the same."""

import getpass
import os
from typing import TYPE_CHECKING, Any

from common.cli.failures import say
from common.errors import FaceError

if TYPE_CHECKING:
    from db.audit import Entry
    from db.database import Database


def entry(action: str, gallery: str | None, person: str | None = None, outcome: str = "ok", **details: Any) -> "Entry":
    """What this user did.

    Args:
        action: such as "person.delete".
        gallery, person: whom it was about.
        outcome: "ok", or what came of it instead.
        details: a few numbers, truth values and short texts.
    """
    from db.audit import Entry

    return Entry(actor(), action, outcome, gallery, person, None, details or None)


def audit(database: "Database", *entries: "Entry") -> None:
    """Store entries. What was done is done: where they cannot be stored that is a warning."""
    try:
        database.audit.append(*entries)
    except FaceError as error:
        say("warning", f"this was done, and the audit log has no entry of it: {error}")


def actor() -> str:
    """Who gives this command, as the audit log names him: the user of this machine."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        name = str(os.getuid())
    return "command line: " + "".join(each if each.isprintable() else "?" for each in name)[:200]
