"""``recognizer db``: the database itself; no network is loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from common.cli.failures import ERROR, say
from common.cli.tables import show, show_json
from recognizer.cli.options import DatabaseOptions, Json

if TYPE_CHECKING:
    from db.database import Database
    from recognizer.settings import Settings


@contextmanager
def opened(settings: "Settings") -> Iterator["Database"]:
    """The database of some settings."""
    import db

    with db.open(settings.database, settings.database_timeout, settings.database_password_file) as database:
        yield database


def upgrade(options: DatabaseOptions) -> None:
    """Bring a database that an older release made to what this one needs.

    Make a backup first, and stop what still runs the older release: it cannot use the database afterwards. What
    was interrupted is taken up by the same command.
    """
    import db

    settings = options.settings()
    before, after = db.upgrade(settings.database, settings.database_password_file)
    if before == after:
        print(f"The database has revision {after} already.")
    else:
        print(f"The database has revision {after} now; {'it was empty' if before is None else f'it had {before}'}.")


def scrub(options: DatabaseOptions, as_json: Json = False) -> None:
    """Write the database's files anew, so that nothing of deleted rows is left in them.

    It takes as long as copying the tables; writers wait. Exits 2 when somebody has them in use for too long.
    """
    with opened(options.settings()) as database:
        done = database.scrub()
    if as_json:
        show_json({"statements": done.statements, "problem": done.problem, "limits": done.limits})
    else:
        print(f"Done: {'; '.join(done.statements)}" if done.problem is None else "The files could not be written anew.")
        for limit in done.limits:
            print(f"Beyond reach: {limit}")
    if done.problem is not None:
        say("error", done.problem)
        raise typer.Exit(ERROR)


def info(options: DatabaseOptions, as_json: Json = False) -> None:
    """Show where the database is, what runs it, its revision, and how much it holds."""
    with opened(options.settings()) as database:
        galleries = database.summaries()
        found = {
            "place": database.place,
            "engine": database.engine,
            "revision": database.revision,
            "galleries": len(galleries),
            "people": sum(each.people for each in galleries),
            "photos": sum(each.photos for each in galleries),
        }
    if as_json:
        show_json(found)
    else:
        show(("Place", "Engine", "Revision", "Galleries", "People", "Photos"), [[str(each) for each in found.values()]])
