"""Errors as pages, where a browser asked for a page; htmx and scripts get them as REST gives them."""

import json
from collections.abc import Awaitable, Callable
from functools import partial

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from recognizer.service.context import PREFIX
from recognizer.service.pages.templating import render

Handler = Callable[[Request, Exception], Awaitable[Response]]
KEPT = ("retry-after",)  # headers that go with the page


def install(app: FastAPI) -> None:
    """Let the handlers of an application, which are there already, and its middleware answer with pages."""
    app.state.as_page = as_page
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, partial(_handled, handler))


async def as_page(request: Request, answer: Response) -> Response:
    """The answer that tells an error, in JSON; or a page of it, where a browser asked for one."""
    if not is_page(request):
        return answer
    told = json.loads(answer.body)
    page = await run_in_threadpool(
        render, request, "error.html", answer.status_code, message=told["message"], code=told["code"]
    )
    page.headers.update({name: answer.headers[name] for name in KEPT if name in answer.headers})
    return page


async def _handled(handler: Handler, request: Request, error: Exception) -> Response:
    return await as_page(request, await handler(request, error))


def is_page(request: Request) -> bool:
    """Whether a browser asks for a whole page."""
    asks_for_page = "text/html" in request.headers.get("accept", "")
    is_rest = request.url.path == PREFIX or request.url.path.startswith(f"{PREFIX}/")
    return asks_for_page and not is_rest and "hx-request" not in request.headers
