"""Whether two photos show one person."""

import copy
from typing import Annotated

from fastapi import APIRouter, Depends

from recognizer.service import uploads
from recognizer.service.context import Having, Recognizing, allow, room
from recognizer.service.errors import Unprocessable
from recognizer.service.schemas.faces import Verified

router = APIRouter(tags=["faces"], dependencies=[Depends(allow("read")), Depends(room)])


BODY = copy.deepcopy(uploads.BODY)
FORM = BODY["requestBody"]["content"][uploads.MULTIPART]["schema"]
FORM["properties"][uploads.FIELD] |= {"minItems": 2, "maxItems": 2}


@router.post("/verify", openapi_extra=BODY)
async def verify(
    having: Having, recognizer: Recognizing, photos: Annotated[list[uploads.Upload], Depends(uploads.photos)]
) -> Verified:
    """Whether the most prominent faces of two photos are one person's, by the threshold of the gallery."""
    if len(photos) != 2:
        raise Unprocessable(f"Send two photos to be compared, not {len(photos)}.", "two_photos", photos=len(photos))
    found = await having.inference.verify(recognizer, *(photo.data for photo in photos))
    return Verified(
        same=found.same, similarity=found.similarity, threshold=found.threshold, model=recognizer.model.name
    )
