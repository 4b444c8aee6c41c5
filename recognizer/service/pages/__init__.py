"""The web pages: Jinja2 templates and htmx, one router a page, beside the REST routes and by way of the same functions.

install(app)    adds all of them, and lets errors be pages where a page was asked for
"""

from importlib import import_module

from fastapi import APIRouter, FastAPI

from recognizer.service.pages import errors
from recognizer.service.pages.assets import router as assets

# A new page is a file here and its name in this list.
PAGES = (
    "sign_in",
    "people",
    "person",
    "person_changes",
    "recognize",
    "video",
    "galleries",
    "jobs",
    "keys",
    "audit",
    "system",
)


def install(app: FastAPI) -> None:
    """Add the pages to an application that has not answered yet."""
    errors.install(app)
    for router in (assets, *(_router(name) for name in PAGES)):
        app.include_router(router, include_in_schema=False)


def _router(name: str) -> APIRouter:
    return import_module(f"{__name__}.{name}").router
