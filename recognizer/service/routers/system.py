"""Whether the service works, and what it has counted."""

import threading

import numpy as np
from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from common import __version__
from common.errors import FaceError
from recognizer.recognizer import Recognizer
from recognizer.service.context import Having, Services, allow, everywhere
from recognizer.service.errors import NotReady
from recognizer.service.schemas.system import Health, Ready

router = APIRouter(tags=["system"])
_reading = threading.Lock()
TEXT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/health")
async def health() -> Health:
    """That the process answers. It needs no key."""
    return Health(status="ok", version=__version__)


@router.get("/ready")
async def ready(having: Having) -> Ready:
    """That networks, database and index are there, so that requests can be served; else 503. It needs no key."""
    missing = await run_in_threadpool(_missing, having)
    if missing:
        raise NotReady(f"Not ready: {', '.join(missing)}.", missing=missing)
    return Ready(status="ready")


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"example": "recognizer_queue 0.0\n"}}, "description": "The counts."}},
    dependencies=[Depends(allow("read")), Depends(everywhere)],
)
async def metrics(having: Having) -> Response:
    """What was counted, in Prometheus' text format."""
    text = await run_in_threadpool(having.metrics.text, having.recognizers.opened())
    return Response(text, media_type=TEXT)


def _missing(having: Services) -> list[str]:
    missing = [] if having.inference.is_open else ["the service is ending"]
    try:
        if not _is_read(having.recognizers.of(having.recognizers.default)):
            missing.append("the index is being read")
    except FaceError:
        missing.append("the database cannot be used")
    return missing


def _is_read(recognizer: Recognizer) -> bool:
    """Whether the index is in memory. One that is not, as of a gallery that was switched, is read by who asks first:
    nobody searches where a load balancer hears that the service is not ready.
    """
    index = recognizer.index
    if not index.is_loaded and _reading.acquire(blocking=False):
        try:
            index.search(np.empty((0, recognizer.model.dim), np.float32), 1)
        finally:
            _reading.release()
    return index.is_loaded
