"""The key of a request, or the session of its cookie, is checked before anything of its body is read."""

from typing import TYPE_CHECKING

from common.errors import FaceError
from recognizer.service.context import Caller
from recognizer.service.errors import Forbidden, NotReady, Unauthorized
from recognizer.service.middleware import asgi, cookie, origin, turning_away
from recognizer.service.middleware.checking import Checking
from recognizer.service.middleware.credentials import presented

if TYPE_CHECKING:
    from db.database import Database

OPEN = ("/v1/health", "/v1/ready")  # for load balancers, which have no key
STATIC = "/static/"  # style and scripts of the pages
NEEDED = (
    "This needs an API key: Authorization: Bearer rk_... Whoever runs the service makes them: recognizer keys create"
)
NOT_OWN = (
    "Who has signed in changes things by this service's own pages alone, and the browser has to say that one of them "
    "asks (Sec-Fetch-Site, Origin). Programs show a key instead."
)


class Keys:
    """Sets ``state["caller"]``, or answers 401.

    Args:
        checking: what checks keys and sessions.
        required: without it everybody is "local", and may do everything.
        pages: whether there are pages, and so where to sign in.
    """

    def __init__(self, app: asgi.Application, checking: Checking, required: bool, pages: bool = True):
        self._app, self._checking, self._required, self._pages = app, checking, required, pages

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if not asgi.is_request(scope) or (self._required and self._is_open(scope["path"])):
            return await self._app(scope, receive, send)
        try:
            asgi.state(scope)["check_again"] = self._caller  # for connections that last
            asgi.state(scope)["caller"] = await self._caller(scope)
        except FaceError as error:
            return await turning_away.refuse(error, scope, receive, send, self._pages)
        return await self._app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in OPEN or (self._pages and (path == turning_away.SIGN_IN or path.startswith(STATIC)))

    async def _caller(self, scope: asgi.Scope) -> Caller:
        address = asgi.state(scope)["address"]
        if not self._required:
            return Caller("local", None, "admin", None, address)
        shown, token = presented(scope), cookie.read(scope)
        if shown is not None:
            found = await self._checking.check(_database(scope).keys, shown, address)
        elif token is None:
            raise Unauthorized(NEEDED)
        elif scope.get("method") not in origin.HARMLESS and not origin.is_own(scope):
            raise Forbidden(NOT_OWN)
        else:
            found = await self._checking.check(_database(scope).sessions, token, address)
        return Caller(found.name, found.id, found.role, found.gallery, address, session=shown is None)


def _database(scope: asgi.Scope) -> "Database":
    services = getattr(scope["app"].state, "services", None)
    if services is None:
        raise NotReady("The service is starting. Try again.")
    return services.database
