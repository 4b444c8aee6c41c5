"""API keys: who has one, a new one, revoking."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse

from common.errors import BadArgument, FaceError
from recognizer.service.context import Having, allow, everywhere
from recognizer.service.pages.templating import render
from recognizer.service.routers import keys
from recognizer.service.schemas.keys import Key, NewKey, Role, described

router = APIRouter(prefix="/keys", dependencies=[Depends(allow("admin")), Depends(everywhere)])
LONGEST_DAYS = 36_500


@router.get("")
def show(request: Request, having: Having) -> HTMLResponse:
    """The list, the latest first, and the form for a new one."""
    return _page(request, having)


@router.post("")
def create(
    request: Request,
    having: Having,
    name: Annotated[str, Form(max_length=255)],
    role: Annotated[Role, Form()],
    of_gallery: Annotated[str, Form(max_length=255)] = "",
    days: Annotated[str, Form(max_length=10)] = "",
) -> HTMLResponse:
    """A new key, whose secret is on this page and nowhere else."""
    given = {"name": name, "role": role, "of_gallery": of_gallery, "days": days}
    try:
        wanted = NewKey(name=_purpose(name), role=role, gallery=of_gallery or None, expires=_expires(days))
        made = keys.create_key(request, Response(), wanted, having, None)
    except FaceError as error:
        return _page(request, having, 422, given=given, wrong=str(error))
    page = _page(request, having, 201, made=made)
    page.headers["Cache-Control"] = "no-store"
    return page


@router.post("/{key_id}/revoke")
def revoke(request: Request, key_id: str, having: Having) -> HTMLResponse:
    """Refuse a key from now on; the list as it is then."""
    keys.revoke_key(request, key_id, having, None)
    return _page(request, having, revoked=key_id)


def _page(request: Request, having: Having, status: int = 200, **values: object) -> HTMLResponse:
    nothing = {
        "made": None,
        "wrong": None,
        "revoked": None,
        "given": {"name": "", "role": "read", "of_gallery": "", "days": ""},
    }
    return render(request, "keys.html", status, keys=_all(having)[::-1], **nothing | values)


def _all(having: Having) -> list[Key]:
    return [described(each) for each in having.database.keys.list()]


def _purpose(name: str) -> str:
    """Raises BadArgument: it says nothing."""
    if not name.strip():
        raise BadArgument("Say what the key is for.")
    return name.strip()


def _expires(days: str) -> datetime | None:
    """Raises BadArgument: not a number of days."""
    if not days.strip():
        return None
    if not days.strip().isdecimal() or not 1 <= int(days) <= LONGEST_DAYS:
        raise BadArgument(f"Days are a whole number from 1 to {LONGEST_DAYS}, or nothing.")
    return datetime.now(UTC) + timedelta(days=int(days))
