"""``recognizer erase`` and ``expire``: forgetting people for good, and what is too old; no network is loaded."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli.failures import ERROR, NO, say
from common.cli.tables import show, show_json
from recognizer.cli.auditing import audit, entry
from recognizer.cli.confirm import Yes, agreed
from recognizer.cli.database import opened
from recognizer.cli.options import GalleryOptions, Json

if TYPE_CHECKING:
    from db.database import Database
    from db.erasure import Receipt
    from db.retention import Expired


def erase(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="The people to erase.")],
    options: GalleryOptions,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Forget people for good, out of the database's files, too, with a receipt.

    What was kept to undo an earlier deletion goes as well, and the files are written anew, which takes a while. The
    receipt says what was done and what cannot be reached from here, such as backups. Exits 2 when the people are gone
    from the tables and the files could not be written anew.
    """
    from recognizer.index import forget_snapshots

    settings = options.settings()
    with opened(settings) as database:
        gallery = database.find(settings.gallery)
        if not yes and not agreed(f"Erase {', '.join(names)} for good?", "Erasing"):
            print("Nobody was erased.")
            raise typer.Exit(NO)
        receipt = gallery.erase(names)
        forget_snapshots(gallery.uid)
        done, outcome = "person.erase", "ok" if receipt.complete else "incomplete"
        about = [entry(done, gallery.name, name, outcome, receipt=receipt.digest) for name in receipt.people]
        audit(database, *about)
    show_json(receipt.as_dict()) if as_json else _show(receipt)
    if not receipt.complete:
        reason = receipt.problem or f"{receipt.found} of {receipt.looked_for} pieces are still in the file."
        say("error", f"the people are gone, but not all traces of them: {reason} Then: recognizer db scrub")
        raise typer.Exit(ERROR)


def expire(
    days: Annotated[float, typer.Argument(metavar="DAYS", help="The age from which photos go.", min=0.001, max=36500)],
    options: GalleryOptions,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Forget photos that were added longer ago than DAYS, and people who have none left. Asks first."""
    from recognizer.index import forget_snapshots

    settings, age = options.settings(), timedelta(days=days)
    with opened(settings) as database:
        gallery = database.find(settings.gallery)
        expired = gallery.expire(age, dry_run=True)
        if not dry_run:
            question = f"Forget {expired.photos} photos, and {len(expired.people)} people with all of theirs?"
            if not yes and not agreed(question, "Forgetting"):
                print("Nothing was forgotten.")
                raise typer.Exit(NO)
            expired = gallery.expire(age)
            forget_snapshots(gallery.uid)
            _log(database, gallery.name, days, expired)
    if as_json:
        show_json({"photos": expired.photos, "people": expired.people, "dry_run": dry_run})
        return
    print(f"{'Would forget' if dry_run else 'Forgot'} {expired.photos} photos and {len(expired.people)} people.")
    for name in expired.people:
        print(f"  {name}")


def _log(database: "Database", gallery: str, days: float, expired: "Expired") -> None:
    about = [entry("person.expire", gallery, name) for name in expired.people]
    whole = entry("gallery.expire", gallery, days=days, photos=expired.photos, people=len(expired.people))
    audit(database, whole, *about)


def _show(receipt: "Receipt") -> None:
    show(("Erased", "Gallery"), [(name, receipt.gallery) for name in receipt.people])
    rows = ", ".join(f"{count} of {table}" for table, count in receipt.rows.items() if count)
    looked = "not looked for" if receipt.looked_for is None else f"{receipt.found} of {receipt.looked_for} found"
    print(f"When: {receipt.erased:%Y-%m-%d %H:%M:%S} UTC, from {receipt.place} ({receipt.engine})")
    print(f"Rows: {rows}")
    print(f"Files: {'; '.join(receipt.statements)}; pieces left in them: {looked}")
    if receipt.still_held:
        say(
            "note",
            f"{receipt.still_held} of the embeddings or crops were also enrolled for somebody else, who has them",
        )
    if receipt.other_galleries:
        say("note", f"somebody of such a name is also in: {', '.join(receipt.other_galleries)}")
    for limit in receipt.limits:
        print(f"Beyond reach: {limit}")
    print(f"Receipt: {receipt.digest}")
