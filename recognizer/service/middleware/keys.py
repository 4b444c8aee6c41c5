"""The key of a request is checked before anything of its body is read."""

import time

import anyio
from anyio import to_thread

from common.errors import FaceError, KeyRefused
from db import keys as database_keys
from recognizer.service.context import Caller
from recognizer.service.errors import NotReady, Unauthorized
from recognizer.service.middleware import asgi
from recognizer.service.middleware.credentials import presented, public_part
from recognizer.service.middleware.rate import Failures

OPEN = ("/v1/health", "/v1/ready")  # for load balancers, which have no key
LOOKUPS = 4  # in the database at a time, so that wrong keys do not take all threads
MARGIN = 0.05  # seconds
NEEDED = (
    "This needs an API key: Authorization: Bearer rk_... Whoever runs the service makes them: recognizer keys create"
)


class Keys:
    """Sets ``state["caller"]``, or answers 401.

    Args:
        required: without it everybody is "local", and may do everything.
    """

    def __init__(self, app: asgi.Application, failures: Failures, required: bool):
        self._app, self._failures, self._required = app, failures, required
        self._lookups: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if not asgi.is_request(scope) or (self._required and scope["path"] in OPEN):
            return await self._app(scope, receive, send)
        try:
            asgi.state(scope)["caller"] = await self._caller(scope)
        except FaceError as error:
            return await asgi.refuse(error, scope, receive, send)
        return await self._app(scope, receive, send)

    async def _caller(self, scope: asgi.Scope) -> Caller:
        address = asgi.state(scope)["address"]
        if not self._required:
            return Caller("local", None, "admin", None, address)
        key = presented(scope)
        if key is None:
            raise Unauthorized(NEEDED)
        try:
            found = await self._check(_keys(scope), key)
        except KeyRefused as error:
            if str(error) == database_keys.REFUSED:  # not of one that was right, and is over: that is no guess
                self._failures.note(address)
            raise
        self._failures.note_right(address, public_part(key))
        return Caller(found.name, found.id, found.role, found.gallery, address)

    async def _check(self, keys: database_keys.Keys, key: str) -> database_keys.Key:
        """Here, in microseconds, where that needs no database: a thread takes milliseconds to get its turn."""
        shaped = database_keys.SHAPE.fullmatch(key)
        held = keys._held.get(shaped[1]) if shaped else None
        if shaped is None or (held is not None and time.monotonic() + MARGIN < held.until):
            return keys.check(key)
        self._lookups = self._lookups or anyio.CapacityLimiter(LOOKUPS)
        return await to_thread.run_sync(keys.check, key, limiter=self._lookups)


def _keys(scope: asgi.Scope) -> database_keys.Keys:
    services = getattr(scope["app"].state, "services", None)
    if services is None:
        raise NotReady("The service is starting. Try again.")
    return services.database.keys
