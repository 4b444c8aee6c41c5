"""The embeddings of photos' faces."""

from typing import Annotated

from fastapi import APIRouter, Depends

from recognizer.service import described, uploads
from recognizer.service.context import Having, Recognizing, allow, room
from recognizer.service.schemas.faces import Embedded

router = APIRouter(tags=["faces"], dependencies=[Depends(allow("read")), Depends(room)])


@router.post("/embed", openapi_extra=uploads.BODY)
async def embed(
    having: Having, recognizer: Recognizing, photos: Annotated[list[uploads.Upload], Depends(uploads.photos)]
) -> Embedded:
    """The faces of each photo with their embeddings, under the model of the gallery. Nothing is stored."""
    found = await having.inference.embed(recognizer, [photo.data for photo in photos])
    return described.embedded(recognizer, photos, found)
