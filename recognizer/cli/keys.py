"""``recognizer keys``: API keys for the service; no network is loaded."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.failures import say
from common.cli.tables import show, show_json
from common.errors import UnknownKey
from recognizer.cli.auditing import audit, entry
from recognizer.cli.database import opened
from recognizer.cli.options import DatabaseOptions, Json

if TYPE_CHECKING:
    from db.keys import Key


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    options: DatabaseOptions,
    role: Annotated[str, typer.Option(help="read, enrol (which may read, too) or admin (which may do all).")] = "read",
    gallery: Annotated[
        str | None, typer.Option(help="The only gallery that it may be used with; all when not given.")
    ] = None,
    days: Annotated[
        float | None, typer.Option(help="After how many days it expires; never when not given.", min=0.001, max=36500)
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an API key, and print it, this once: only a digest of it is stored."""
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with opened(options.settings()) as database:
        key, secret = database.keys.create(name, role, gallery, expires)
        audit(database, entry("key.create", key.gallery, key=key.id, role=key.role))
    if as_json:
        show_json(_described(key) | {"secret": secret})
    else:
        print(secret)
        say("note", "this is the only time that the key is shown: keep it now")


def list_keys(options: DatabaseOptions, as_json: Json = False) -> None:
    """List the API keys, those that are revoked or expired among them, and when each was last used."""
    with opened(options.settings()) as database:
        keys = database.keys.list()
    if as_json:
        show_json([_described(each) for each in keys])
    elif keys:
        columns = ("Id", "Name", "Role", "Gallery", "State", "Created", "Expires", "Last used")
        rows = [
            (
                each.id, each.name, each.role, "(deleted)" if each.orphaned else each.gallery or "all", each.state(),
                *(_told(moment) for moment in (each.created, each.expires, each.last_used)),
            )
            for each in keys
        ]  # fmt: skip
        show(columns, rows, whole=("Id",))
    else:
        print("There are no API keys.")


def revoke(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="The keys, by the ids of `recognizer keys list`.")],
    options: DatabaseOptions,
) -> None:
    """Refuse API keys from now on. Programs notice within five seconds."""
    with opened(options.settings()) as database:
        there = {key.id for key in database.keys.list()}
        unknown = [each for each in ids if each not in there]
        if unknown:  # quoting it would show a whole key that was given in place of its id
            raise UnknownKey("One of them is no id of an API key: see recognizer keys list. Nothing was revoked.")
        for each in dict.fromkeys(ids):
            key = database.keys.revoke(each)
            audit(database, entry("key.revoke", key.gallery, key=key.id, role=key.role))
            print(f"Revoked {key.id} ({key.name}).")


def _told(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def _described(key: "Key") -> dict[str, Any]:
    moments = {name: getattr(key, name) for name in ("created", "expires", "revoked", "last_used")}
    told = {name: None if moment is None else moment.isoformat() for name, moment in moments.items()}
    plain = {"id": key.id, "name": key.name, "role": key.role, "gallery": key.gallery, "state": key.state()}
    return plain | told
