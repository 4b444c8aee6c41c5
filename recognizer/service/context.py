"""What a request knows: who asks, what he may do, which gallery is meant; and what the service has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query, Request

from db.keys import ROLES
from recognizer.recognizer import Recognizer
from recognizer.service.errors import Forbidden, NotReady, Unauthorized

if TYPE_CHECKING:
    from db.database import Database
    from recognizer.service.inference import Inference
    from recognizer.service.metrics import Metrics
    from recognizer.service.overload import Door
    from recognizer.service.recognizers import Recognizers
    from recognizer.service.settings import ServiceSettings

PREFIX = "/v1"


@dataclass(frozen=True)
class Caller:
    """Who makes a request.

    Attributes:
        actor: the key's name, or "local" where no keys are asked for.
        key_id: the public part of the key.
        role: "read", "enrol" or "admin", each of which includes those before.
        gallery: the only gallery that may be used; None for all.
        address: of the client, as trusted proxies tell it.
        session: whether he has signed in to the pages, and shows no key.
    """

    actor: str
    key_id: str | None
    role: str
    gallery: str | None
    address: str
    session: bool = False


@dataclass
class Services:
    """What the routes work with: ``request.app.state.services``, there from the start of the lifespan to its end.

    Attributes:
        settings: of the service.
        database: for what does not belong to one gallery: keys, audit, jobs, idempotency, galleries.
        recognizers: ``.of(gallery)``, ``.default`` (the name of the default gallery).
        inference: what computes goes through it.
        metrics: what is counted.
        door: refuses while the queue is full.
    """

    settings: "ServiceSettings"
    database: "Database"
    recognizers: "Recognizers"
    inference: "Inference"
    metrics: "Metrics"
    door: "Door"


def services_of(request: Request) -> Services:
    """What the service has. Raises NotReady before the start is over."""
    found = getattr(request.app.state, "services", None)
    if found is None:
        raise NotReady("The service is starting. Try again.")
    return found


def caller_of(request: Request) -> Caller:
    """Who asks, as the middleware found out. Raises Unauthorized where it did not."""
    found = request.scope.get("state", {}).get("caller")
    if found is None:
        raise Unauthorized("This needs an API key: Authorization: Bearer rk_...")
    return found


async def services(request: Request) -> Services:
    """:func:`services_of` as a dependency; those that are not coroutines cost a thread each."""
    return services_of(request)


async def caller(request: Request) -> Caller:
    """:func:`caller_of` as a dependency."""
    return caller_of(request)


def request_id(request: Request) -> str:
    """The id of the request, as it is in the log and in ``X-Request-ID``."""
    return request.scope.get("state", {}).get("request_id", "-")


def template(scope: dict[str, Any]) -> str | None:
    """The route that a request went to, such as ``/v1/people/{name}``; None where it went to none."""
    path = getattr(scope.get("route"), "path", None)
    if path is not None and scope["path"].startswith(f"{PREFIX}/") and not path.startswith(f"{PREFIX}/"):
        return PREFIX + path  # FastAPI's later releases leave the prefix of an included router out
    return path


def allow(role: str) -> Callable[..., Caller]:
    """A dependency that lets callers of a role, or of one that includes it, in. It raises Forbidden."""

    async def check(found: Annotated[Caller, Depends(caller)]) -> Caller:
        if ROLES.index(found.role) < needed:
            raise Forbidden(f"This needs a key of the role {role}; yours has {found.role}.", role=role)
        return found

    needed = ROLES.index(role)
    check.role = role  # for the OpenAPI document
    return check


async def everywhere(found: Annotated[Caller, Depends(caller)]) -> Caller:
    """A dependency for what concerns the database as a whole: refuses keys of one gallery. Raises Forbidden."""
    if found.gallery is not None:
        raise Forbidden("This concerns all galleries; your key is for one.", gallery=found.gallery)
    return found


async def room(having: Annotated[Services, Depends(services)]) -> None:
    """A dependency for what computes: a full queue is told at once, before anything else is done. Raises Overloaded."""
    having.inference.require_room()


def check_gallery(found: Caller, name: str) -> str:
    """``name``, where the caller may use that gallery. Raises Forbidden."""
    if found.gallery is not None and name != found.gallery:
        raise Forbidden("Your key is for another gallery.", gallery=found.gallery)
    return name


async def gallery_name(
    found: Annotated[Caller, Depends(caller)],
    having: Annotated[Services, Depends(services)],
    gallery: Annotated[
        str | None, Query(max_length=255, description="The gallery; without it the key's, else the default one.")
    ] = None,
) -> str:
    """A dependency: the gallery that is meant, ``?gallery=NAME``. Raises Forbidden."""
    if gallery is None:
        return found.gallery if found.gallery is not None else having.recognizers.default
    return check_gallery(found, gallery)


async def recognizer(
    having: Annotated[Services, Depends(services)], name: Annotated[str, Depends(gallery_name)]
) -> Recognizer:
    """A dependency: the recognizer of the gallery that is meant. Raises UnknownGallery."""
    return await having.recognizers.get(name)


Having = Annotated[Services, Depends(services)]
Gallery = Annotated[str, Depends(gallery_name)]
Recognizing = Annotated[Recognizer, Depends(recognizer)]
