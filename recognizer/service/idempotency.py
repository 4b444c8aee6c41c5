"""``Idempotency-Key`` on writes: a request that is sent again gets the answer of the first, and changes nothing.

    router = APIRouter(route_class=idempotency.Route)

    @router.post("/people")
    def create(..., _: idempotency.Once): ...

``Once`` comes last among a route's parameters: who may not do it, and what cannot be read, is refused before. It claims
the key; ``Route`` keeps the answer, or gives the key back where the request failed, for then nothing was changed. A
route that reads files says with :func:`content_is` what makes its content, and one whose answer holds a secret says
with :func:`keep_instead` what is kept in its place.
"""

import logging
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from common.errors import FaceError
from db.idempotency import MAX_BODY_BYTES, MAX_KEY_CHARACTERS, Answer, Claim
from recognizer.service.context import Caller, Services, caller, services
from recognizer.service.errors import Conflict, body

CONTENT, CLAIM = "idempotency.content", "idempotency.claim"  # within a request's scope
KEPT_HEADERS = ("content-type", "etag", "location")
REPLAYED = "Idempotency-Replayed"  # "true" on an answer that was given before
ANONYMOUS = "local"  # the scope of those who need no key

log = logging.getLogger("recognizer.service")


async def once(
    request: Request,
    having: Annotated[Services, Depends(services)],
    found: Annotated[Caller, Depends(caller)],
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=MAX_KEY_CHARACTERS,
            description="A text that is new for each request. The same request with the same key gets the first answer "
            "again, for a day, and changes nothing.",
            examples=["0f8c6a2e-enrol-ann"],
        ),
    ] = None,
) -> None:
    """A dependency: claims the request's key, where it has one.

    Raises:
        IdempotencyConflict: it was used for another request. Conflict: the first request is still under way.
    """
    if idempotency_key is None:
        return
    scope, fingerprint = found.key_id or ANONYMOUS, await _fingerprint(request)
    claim = await run_in_threadpool(having.database.idempotency.claim, scope, idempotency_key, fingerprint)
    if claim.state == "stored":
        raise _Replay(claim.answer)
    if claim.state == "in progress":
        retry = {"Retry-After": str(max(1, min(5, round(claim.wait_seconds))))}
        raise Conflict("The first request with this Idempotency-Key is still under way: ask again.", retry)
    request.scope[CLAIM] = _Claimed(having.database.idempotency, claim)


Once = Annotated[None, Depends(once)]


def keep_instead(request: Request, content: Any) -> None:
    """Let repeated requests be answered with other content than this one, whose answer holds a secret."""
    claimed = request.scope.get(CLAIM)
    if claimed is not None:
        claimed.instead = JSONResponse(content).body


def is_asked(request: Request) -> bool:
    """Whether a request has a key, so that its content matters."""
    return "idempotency-key" in request.headers


def content_is(request: Request, parts: Iterable[str | bytes]) -> None:
    """Say what the content of a form is, part by part: its own bytes hold a boundary that is new each time."""
    hashed = sha256()
    for part in parts:
        _take(hashed, part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part)
    request.scope[CONTENT] = hashed.digest()


class Route(APIRoute):
    """A route that keeps its answer under the key that :func:`once` claimed."""

    def get_route_handler(self) -> Callable:
        """The handler of requests, as FastAPI asks for it."""
        handle = super().get_route_handler()

        async def answering(request: Request) -> Response:
            try:
                response = await handle(request)
            except _Replay as replay:
                return replay.response()
            except Exception:
                await _settle(request, None)
                raise
            await _settle(request, response)
            return response

        return answering


class _Replay(Exception):
    """An answer that was given before."""

    def __init__(self, answer: Answer):
        super().__init__()
        self._answer = answer

    def response(self) -> Response:
        return Response(self._answer.body, self._answer.status, dict(self._answer.headers) | {REPLAYED: "true"})


class _Claimed:
    """A key that this request has, until its answer is kept or it is given back."""

    def __init__(self, keys, claim: Claim):
        self._keys, self._claim = keys, claim
        self.instead: bytes | None = None

    def keep(self, response: Response) -> None:
        """Keep an answer; one that is too large is told to have been."""
        content = response.body if self.instead is None else self.instead
        if len(content) > MAX_BODY_BYTES:
            content = JSONResponse(body("answer_not_kept", "It was done; the answer was too large to be kept.")).body
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        self._keys.complete(self._claim, Answer(response.status_code, headers, bytes(content)))

    def release(self) -> None:
        """Give the key back."""
        self._keys.release(self._claim)


async def _settle(request: Request, response: Response | None) -> None:
    """Keep an answer, or give the key back. What was done is done: an answer that cannot be kept is only logged."""
    claimed = request.scope.pop(CLAIM, None)
    if claimed is None:
        return
    try:
        if response is not None and response.status_code < 400:
            await run_in_threadpool(claimed.keep, response)
        else:
            await run_in_threadpool(claimed.release)
    except FaceError as error:
        log.warning("The answer to an Idempotency-Key was not kept: %s", error)


async def _fingerprint(request: Request) -> str:
    """SHA-256 of method, address, conditions and content."""
    hashed = sha256()
    for text in (request.method, request.url.path, request.url.query, request.headers.get("if-match", "")):
        _take(hashed, text.encode())
    content = request.scope.get(CONTENT)
    _take(hashed, await request.body() if content is None else content)
    return hashed.hexdigest()


def _take(hashed: Any, content: bytes) -> None:
    """With its length, so that no two contents run together."""
    hashed.update(len(content).to_bytes(8, "big") + content)
