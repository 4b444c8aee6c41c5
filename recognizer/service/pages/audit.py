"""The audit log, filtered and read page by page."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from recognizer.service.context import Having, allow, everywhere
from recognizer.service.cursors import MAX_CHARACTERS
from recognizer.service.pages.templating import render
from recognizer.service.routers.audit import read_audit

router = APIRouter(prefix="/audit", dependencies=[Depends(allow("admin")), Depends(everywhere)])
Text = Annotated[str, Query(max_length=255)]
PAGE = 50  # entries


@router.get("")
def show(
    request: Request,
    having: Having,
    person: Text = "",
    actor: Text = "",
    action: Text = "",
    in_gallery: Text = "",
    since: Text = "",
    until: Text = "",
    cursor: Annotated[str | None, Query(max_length=MAX_CHARACTERS)] = None,
) -> HTMLResponse:
    """Entries that match all that is asked for, the latest first; of a request for more, the rows alone."""
    asked = {
        "person": person,
        "actor": actor,
        "action": action,
        "in_gallery": in_gallery,
        "since": since,
        "until": until,
    }
    try:
        begin, end = _moment(since), _moment(until)
    except ValueError:
        return render(request, "audit.html", 422, asked=asked, wrong="Dates are written as 2026-11-28.", found=None)
    found = read_audit(
        having, person or None, actor or None, action or None, in_gallery or None, None, begin, end, cursor, PAGE
    )
    template = "_audit.html" if cursor and "hx-request" in request.headers else "audit.html"
    return render(request, template, asked=asked, wrong=None, found=found)


def _moment(date: str) -> datetime | None:
    """The beginning of a day, in UTC. Raises ValueError: not a date."""
    return datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC) if date else None
