"""Templates, with what each of them needs: who looks, at which gallery, and addresses that keep the gallery."""

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from common import __version__
from common.errors import FaceError
from db.keys import ROLES
from recognizer.service.context import Caller, Services
from recognizer.service.pages import assets


def render(request: Request, template: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """A template as an answer. It may ask the database: call it from a thread, not from the event loop.

    Templates have, besides ``values``:

    - ``caller``: who looks, see ``recognizer.service.context.Caller``; None before somebody has signed in.
    - ``may(role)``: whether he may do what needs that role.
    - ``gallery``: the name of the gallery that is meant; ``galleries``: the names that the caller may use.
    - ``link(path, **query)``: an address of a page, in that gallery.
    - ``static(name)``: the address of a file of ``static/``.
    - ``keys_required``, ``version``, ``path``.
    """
    return HTMLResponse(environment().get_template(template).render(_common(request) | values), status)


@lru_cache
def environment() -> Environment:
    """What templates are read with. What they print is escaped; what they name and nobody gave is an error."""
    made = Environment(
        loader=PackageLoader("recognizer.service.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"static": assets.address, "version": __version__, "infinity": math.inf}
    made.filters |= {"segment": segment, "percent": percent, "moment": moment, "bytes": in_bytes}
    return made


def page_link(request: Request, path: str, /, **query: Any) -> str:
    """:func:`link`, in the gallery that a request is about."""
    services: Services | None = getattr(request.app.state, "services", None)
    caller: Caller | None = request.scope.get("state", {}).get("caller")
    return link(path, _gallery(request, caller, services), services, **query)


def segment(text: str) -> str:
    """Text as one part of an address's path."""
    return quote(text, safe="")


def percent(share: float) -> str:
    """A share of 1: "0.1 %"."""
    return f"{100 * share:.3g} %"


def moment(time: datetime) -> str:
    """Date and time, to the minute, in UTC, which is how the database gives them."""
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def in_bytes(size: int) -> str:
    """A size in the unit that fits: "1.2 MB"."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            break
        size, unit = size / 1000, {"bytes": "kB", "kB": "MB", "MB": "GB"}[unit]
    return f"{size:.3g} {unit}"


def _common(request: Request) -> dict[str, Any]:
    caller: Caller | None = request.scope.get("state", {}).get("caller")
    services: Services | None = getattr(request.app.state, "services", None)
    gallery = _gallery(request, caller, services)
    return {
        "caller": caller,
        "may": lambda role: caller is not None and ROLES.index(caller.role) >= ROLES.index(role),
        "gallery": gallery,
        "galleries": _galleries(caller, services, gallery),
        "link": lambda path, **query: link(path, gallery, services, **query),
        "keys_required": services is not None and services.settings.keys == "required",
        "path": request.url.path,
    }


def link(path: str, gallery: str | None, services: Services | None, /, **query: Any) -> str:
    """An address of a page in a gallery, which is not named where it is the default one."""
    if services is not None and gallery not in (None, services.recognizers.default):
        query = {"gallery": gallery} | query
    given = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def _gallery(request: Request, caller: Caller | None, services: Services | None) -> str | None:
    if caller is None or services is None:
        return None
    return request.query_params.get("gallery") or caller.gallery or services.recognizers.default


def _galleries(caller: Caller | None, services: Services | None, gallery: str | None) -> list[str]:
    if caller is None or services is None:
        return []
    if caller.gallery is not None:
        return [caller.gallery]
    try:
        return sorted({*services.database.gallery_names(), *([gallery] if gallery else [])})
    except FaceError:
        return [gallery] if gallery else []
