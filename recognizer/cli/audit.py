"""``recognizer audit``: who did what to whom; no network is loaded."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from common.cli.failures import say
from common.cli.tables import show, show_json
from common.errors import BadArgument
from recognizer.cli.database import opened
from recognizer.cli.options import DatabaseOptions, Json


def audit(
    options: DatabaseOptions,
    person: Annotated[str | None, typer.Option(help="Only what was done to this person.", show_default=False)] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this one did.", show_default=False)] = None,
    action: Annotated[str | None, typer.Option(help="Only this, such as person.erase.", show_default=False)] = None,
    gallery: Annotated[str | None, typer.Option(help="Only in this gallery.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option(help="Only from this day or moment on: 2026-11-25, 2026-11-25T14:30+01:00.")
    ] = None,
    before: Annotated[
        int | None, typer.Option(help="Only entries before this id: the last of the page before.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 100,
    as_json: Json = False,
) -> None:
    """Show the audit log, the latest first: who did what to whom, when, and what came of it."""
    with opened(options.settings()) as database:
        found = database.audit.entries(
            person=person, actor=actor, action=action, gallery=gallery,
            since=None if since is None else _moment(since), before=before, limit=limit,
        )  # fmt: skip
    if as_json:
        show_json([asdict(each) | {"moment": each.moment.isoformat()} for each in found])
    elif found:
        rows = [
            (
                str(each.id), f"{each.moment:%Y-%m-%d %H:%M:%S} UTC", each.actor, each.action, each.outcome,
                each.gallery or "-", each.person or "-",
                json.dumps(each.details, ensure_ascii=False) if each.details else "-",
            )
            for each in found
        ]  # fmt: skip
        show(("Id", "When", "Who", "What", "Outcome", "Gallery", "Person", "Details"), rows, whole=("When",))
    else:
        print("The audit log holds no such entry.")
    if len(found) == limit:
        say("note", f"there may be more: add --before {found[-1].id}")


def _moment(text: str) -> datetime:
    """A day or moment; without a time zone it is in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadArgument(
            f"--since takes a day or moment such as 2026-11-25 or 2026-11-25T14:30+01:00, not {text[:40]!r}."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
