"""The routes, one file a resource. A new resource is a file here and a line in ``ROUTERS``."""

from fastapi import APIRouter

from recognizer.service.routers import (
    audit,
    detect,
    embed,
    galleries,
    jobs,
    keys,
    live,
    people,
    photos,
    search,
    system,
    undo,
    verify,
)  # fmt: skip

ROUTERS: tuple[APIRouter, ...] = (
    detect.router,
    embed.router,
    verify.router,
    search.router,
    live.router,
    people.router,
    photos.router,
    undo.router,
    galleries.router,
    jobs.router,
    keys.router,
    audit.router,
    system.router,
)
