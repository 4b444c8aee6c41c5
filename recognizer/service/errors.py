"""What goes wrong, as HTTP: one status and one stable code for each class, one shape of body.

A body is ``{"code": "unknown_person", "message": "...", "details": {...}}``. Clients branch on ``code``; ``message`` is
for people and may change. What is the service's own trouble (5xx) is logged and told without its particulars.
"""

import logging
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from common import errors as common
from common.errors import FaceError

log = logging.getLogger("recognizer.service")
RETRY_AFTER = 5  # seconds, of a database that cannot be reached


class ServiceError(FaceError):
    """Base of what only the service raises.

    Attributes:
        status, code: of the answer.
        details: plain values for programs.
        headers: of the answer.
    """

    status = 500
    code = "internal"

    def __init__(self, message: str, headers: dict[str, str] | None = None, **details: Any):
        super().__init__(message)
        self.details, self.headers = details, headers or {}


class Unauthorized(ServiceError):
    """A request without the key that it needs, or with one that is not good."""

    status, code = 401, "unauthorized"

    def __init__(self, message: str, headers: dict[str, str] | None = None, **details: Any):
        super().__init__(message, {"WWW-Authenticate": "Bearer"} | (headers or {}), **details)


class Forbidden(ServiceError):
    """A key that is good, and may not do this."""

    status, code = 403, "forbidden"


class NotFound(ServiceError):
    """Nothing under that address."""

    status, code = 404, "not_found"


class Conflict(ServiceError):
    """What is asked for contradicts what is there."""

    status, code = 409, "conflict"


class PreconditionFailed(ServiceError):
    """``If-Match`` names another version than the present one."""

    status, code = 412, "precondition_failed"


class TooLarge(ServiceError):
    """A body, a photo or a number of them above the limits."""

    status, code = 413, "too_large"


class Unprocessable(ServiceError):
    """A request that is understood and cannot be done; ``code`` may say more."""

    status, code = 422, "unprocessable"

    def __init__(self, message: str, code: str | None = None, **details: Any):
        super().__init__(message, **details)
        self.code = code or self.code


class TooMany(ServiceError):
    """More requests than an address or key may make."""

    status, code = 429, "too_many_requests"

    def __init__(self, message: str, retry_after: float, **details: Any):
        super().__init__(message, _retry(retry_after), **details)


class Overloaded(ServiceError):
    """The queue is full, or the service is ending: to be tried again."""

    status, code = 503, "overloaded"

    def __init__(self, message: str, retry_after: float = 1.0, **details: Any):
        super().__init__(message, _retry(retry_after), **details)
        self.retry_after = retry_after


class NotReady(Overloaded):
    """The service is up, and something that it needs is not."""

    code = "not_ready"


class Answer(NamedTuple):
    """The status and code of a class of errors."""

    status: int
    code: str


# The nearest of an error's classes counts. What is not here is the service's own trouble: 500, "internal".
STATUS: dict[type[FaceError], Answer] = {
    common.BadPicture: Answer(422, "bad_picture"),
    common.BadVideo: Answer(422, "bad_video"),
    common.NoFace: Answer(422, "no_face"),
    common.BadEmbedding: Answer(422, "bad_embedding"),
    common.BadName: Answer(422, "bad_name"),
    common.BadArgument: Answer(422, "bad_argument"),
    common.UnknownChoice: Answer(422, "unknown_choice"),
    common.NothingEnrolled: Answer(422, "nothing_enrolled"),
    common.IdempotencyConflict: Answer(422, "idempotency_conflict"),
    common.KeyRefused: Answer(401, "unauthorized"),
    common.LicenseNotAccepted: Answer(403, "license_not_accepted"),
    common.UnknownPerson: Answer(404, "unknown_person"),
    common.UnknownPhoto: Answer(404, "unknown_photo"),
    common.UnknownGallery: Answer(404, "unknown_gallery"),
    common.UnknownKey: Answer(404, "unknown_key"),
    common.UnknownJob: Answer(404, "unknown_job"),
    common.NothingToUndo: Answer(404, "nothing_to_undo"),
    common.NameTaken: Answer(409, "name_taken"),
    common.VersionConflict: Answer(412, "precondition_failed"),
    common.ModelMismatch: Answer(409, "model_mismatch"),
    common.JobLost: Answer(409, "job_lost"),
    common.Cancelled: Answer(409, "cancelled"),
    common.DatabaseError: Answer(503, "database_unavailable"),
}
INTERNAL = Answer(500, "internal")
_TOLD = {
    "internal": "Something went wrong in the service. Its log says what, under the id of this request.",
    "database_unavailable": "The database cannot be used at the moment. Try again.",
}
_HTTP = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def answer_of(error: FaceError) -> Answer:
    """The status and code of an error."""
    if isinstance(error, ServiceError):
        return Answer(error.status, error.code)
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), INTERNAL)


def response(error: FaceError) -> JSONResponse:
    """The answer that tells an error; also an ASGI application, for middleware: ``await response(...)(*asgi)``."""
    status, code = answer_of(error)
    headers = dict(error.headers) if isinstance(error, ServiceError) else {}
    if isinstance(error, common.DatabaseError):
        headers |= _retry(RETRY_AFTER)
    elif isinstance(error, common.KeyRefused):
        headers["WWW-Authenticate"] = "Bearer"
    details = error.details if isinstance(error, ServiceError) else {}
    message = str(error) if isinstance(error, ServiceError) else _TOLD.get(code, str(error))
    return JSONResponse(body(code, message, details), status, headers)


def body(code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """The one shape of errors."""
    return {"code": code, "message": message, "details": details or {}}


def handler(app: FastAPI) -> None:
    """Let an application answer every error in that shape."""
    app.add_exception_handler(FaceError, _face_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


async def _face_error(request: Request, error: FaceError) -> JSONResponse:
    services = getattr(request.app.state, "services", None)
    if isinstance(error, common.DatabaseError) and services is not None:
        services.metrics.database_error()
    if answer_of(error).code in _TOLD:
        log.error("%s: %s: %s", _request_id(request), type(error).__name__, error)
    return response(error)


async def _validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
    """Where, and what is wrong; never what came, which may be an embedding."""
    problems = [{"where": ".".join(map(str, each["loc"])), "problem": each["msg"]} for each in error.errors()[:10]]
    first = f"{problems[0]['where']}: {problems[0]['problem']}" if problems else "it cannot be read"
    return JSONResponse(body("invalid_request", f"The request is not valid. {first}.", {"problems": problems}), 422)


async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    code = _HTTP.get(error.status_code, "http_error")
    return JSONResponse(body(code, str(error.detail)), error.status_code, error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(body(INTERNAL.code, _TOLD["internal"]), INTERNAL.status)


def _request_id(request: Request) -> str:
    return request.scope.get("state", {}).get("request_id", "-")


def _retry(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, round(seconds)))}
