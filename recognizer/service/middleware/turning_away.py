"""What is answered where there is neither key nor session: people who want a page are led to where they sign in."""

import re
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from common.errors import FaceError
from recognizer.service import errors
from recognizer.service.context import PREFIX
from recognizer.service.middleware import asgi, cookie
from recognizer.service.middleware.credentials import presented

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
# Of this service: what browsers would read as the address of another one begins with two slashes, of either kind, or
# comes to that once they have taken out control characters.
LOCAL = re.compile(r"/([!-.0-\[\]-~][!-\[\]-~]*)?", re.ASCII)
LONGEST = 2000  # characters


async def refuse(error: FaceError, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send, pages: bool) -> None:
    """Answer in place of the application. Without ``pages`` there is nowhere to sign in."""
    lacks_key = errors.answer_of(error).status == 401 and presented(scope) is None
    if scope["type"] != "http" or not lacks_key:
        return await asgi.refuse(error, scope, receive, send)
    answer = _led(error, scope) if pages and not _is_rest(scope["path"]) else errors.response(error)
    if cookie.read(scope) is not None:
        answer.headers.append("Set-Cookie", cookie.cleared(scope))
    return await answer(scope, receive, send)


def local(address: str) -> str | None:
    """An address of this service, path and query, as it came; None where it is anything else."""
    return address if len(address) <= LONGEST and LOCAL.fullmatch(address) else None


def _led(error: FaceError, scope: asgi.Scope) -> Response:
    if asgi.value(scope, b"hx-request") == "true":
        answer = errors.response(error)
        answer.headers["HX-Redirect"] = SIGN_IN
        return answer
    if scope["path"] == SIGN_OUT:  # of a session that is over
        return RedirectResponse(SIGN_IN, 303)
    if scope["method"] == "GET" and any(b"text/html" in each for each in asgi.values(scope, b"accept")):
        wanted = local(_asked(scope))
        return RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='')}" if wanted else SIGN_IN, 303)
    return errors.response(error)


def _asked(scope: asgi.Scope) -> str:
    path, query = scope.get("raw_path") or quote(scope["path"]).encode(), scope.get("query_string", b"")
    return (path.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")


def _is_rest(path: str) -> bool:
    return path == PREFIX or path.startswith(f"{PREFIX}/")
