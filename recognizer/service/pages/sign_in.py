"""Signing in to the pages with an API key, and out again."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from common.errors import FaceError, KeyRefused
from db.keys import Key
from recognizer.service import context, errors
from recognizer.service.auditing import audit
from recognizer.service.context import Caller, Having, Services
from recognizer.service.errors import Forbidden, TooMany
from recognizer.service.middleware import cookie, origin
from recognizer.service.middleware.turning_away import SIGN_IN, SIGN_OUT, local
from recognizer.service.pages.templating import render

SECONDS = 43_200  # that somebody is signed in, at most
HOME = "/people"
KEPT = ("retry-after", "www-authenticate")  # headers of a refusal that go with the form
NOT_OWN = "People sign in by this service's own page alone, and the browser has to say so (Sec-Fetch-Site, Origin)."

router = APIRouter()


@router.get(SIGN_IN)
def ask(request: Request, having: Having, wanted: Annotated[str, Query(alias="next")] = "") -> Response:
    """The form. Who needs no key is led on."""
    if having.settings.keys == "off":
        return RedirectResponse(HOME, 303)
    return _form(request, wanted)


@router.post(SIGN_IN)
async def sign_in(request: Request, having: Having) -> Response:
    """A new session for who shows a key; else the form again, in the same words for every wrong key."""
    if having.settings.keys == "off":
        return RedirectResponse(HOME, 303)
    if not origin.is_own(request.scope):
        raise Forbidden(NOT_OWN)
    async with request.form() as fields:
        shown, wanted = _text(fields.get("key")), _text(fields.get("next"))
    address = request.scope["state"]["address"]
    try:
        key = await request.app.state.checking.check(having.database.keys, shown.strip(), address)
    except (KeyRefused, TooMany) as error:
        return await run_in_threadpool(_form, request, wanted, error)
    request.scope["state"]["caller"] = Caller(key.name, key.id, key.role, key.gallery, address, session=True)
    token = await run_in_threadpool(_start, request, having, key)
    answer = RedirectResponse(local(wanted) or HOME, 303)
    answer.headers.append("Set-Cookie", cookie.given(request.scope, token, SECONDS))
    return answer


@router.post(SIGN_OUT)
def sign_out(request: Request, having: Having) -> Response:
    """End the session, here and in the browser."""
    if context.caller_of(request).session:
        having.database.sessions.end(cookie.read(request.scope))
        audit(request, "session.end")
    answer = RedirectResponse(SIGN_IN, 303)
    answer.headers.append("Set-Cookie", cookie.cleared(request.scope))
    return answer


def _start(request: Request, having: Services, key: Key) -> str:
    """The token of a new session. What the browser had before is never taken over, and ends."""
    before = cookie.read(request.scope)
    if before is not None:
        having.database.sessions.end(before)
    token = having.database.sessions.create(key.id, SECONDS)
    audit(request, "session.start", gallery=key.gallery)
    return token


def _form(request: Request, wanted: str, error: FaceError | None = None) -> Response:
    values = {"next": local(wanted), "error": None if error is None else str(error)}
    if error is None:
        return render(request, "sign_in.html", **values)
    refusal = errors.response(error)
    page = render(request, "sign_in.html", refusal.status_code, **values)
    page.headers.update({name: refusal.headers[name] for name in KEPT if name in refusal.headers})
    return page


def _text(field: object) -> str:
    """What stands in a field of a form; nothing where it is missing, or a file."""
    return field if isinstance(field, str) else ""
