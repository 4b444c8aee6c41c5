"""Where faces are in photos."""

from typing import Annotated

from fastapi import APIRouter, Depends

from recognizer.service import described, uploads
from recognizer.service.context import Having, Recognizing, allow, room
from recognizer.service.schemas.faces import Detected

router = APIRouter(tags=["faces"], dependencies=[Depends(allow("read")), Depends(room)])


@router.post("/detect", openapi_extra=uploads.BODY)
async def detect(
    having: Having, recognizer: Recognizing, photos: Annotated[list[uploads.Upload], Depends(uploads.photos)]
) -> Detected:
    """The faces of each photo: boxes, five landmarks, scores. Nothing is stored."""
    found = await having.inference.detect(recognizer, [photo.data for photo in photos])
    return described.detected(photos, found)
