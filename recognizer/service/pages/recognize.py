"""Who is in photos, and before the camera: the page whose scripts ask ``/v1/search`` and ``/v1/live``."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from recognizer.service.context import Having, Recognizing, allow
from recognizer.service.pages.templating import render

MOST_AT_ONCE = 8  # photos of one request, so that the first are shown before the last are sent
BODY_SHARE = 0.8  # of the largest body that photos of one request may fill

router = APIRouter(prefix="/recognize", dependencies=[Depends(allow("read"))])


@router.get("")
async def show(request: Request, having: Having, _: Recognizing) -> HTMLResponse:
    """The page. Raises UnknownGallery."""
    most = min(MOST_AT_ONCE, having.settings.max_photos)
    return await run_in_threadpool(
        render, request, "recognize.html", most_photos=most, most_bytes=int(BODY_SHARE * having.settings.max_body)
    )
