"""Who is in photos, or whose ready embeddings are."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from recognizer.service import described, uploads
from recognizer.service.context import Gallery, Having, Recognizing, allow, room
from recognizer.service.errors import Unprocessable
from recognizer.service.schemas.faces import Embeddings, Searched

router = APIRouter(tags=["faces"], dependencies=[Depends(allow("read")), Depends(room)])
MOST_CANDIDATES = 100
JSON = "application/json"
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            **uploads.BODY["requestBody"]["content"],
            JSON: {"schema": Embeddings.model_json_schema()},
        },
    }
}


async def asked(request: Request, having: Having) -> list[uploads.Upload] | list[np.ndarray]:
    """A dependency: the photos of a form, or the embeddings of a JSON body. Raises what :func:`uploads.photos` does."""
    if uploads.is_multipart(request):
        return await uploads.photos(request, having)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != JSON:
        raise Unprocessable(f"Send photos as multipart/form-data, or embeddings as {JSON}.", "no_photos")
    return await run_in_threadpool(_embeddings, await request.body())


@router.post("/search", openapi_extra=BODY)
async def search(
    having: Having,
    gallery: Gallery,
    recognizer: Recognizing,
    given: Annotated[Any, Depends(asked)],
    top: Annotated[
        int, Query(ge=1, le=MOST_CANDIDATES, description="So many of the nearest people of each face.")
    ] = 1,
) -> Searched:
    """Who is in photos: all faces of each, with the nearest people of the gallery, as it is at this moment.

    Or, with ``{"embeddings": [[...]]}``, whose they are. Nothing is stored.
    """
    if isinstance(given[0], np.ndarray):
        matches, threshold = await having.inference.match(recognizer, given, top)
        return described.matched(recognizer, gallery, matches, threshold)
    found = await having.inference.search(recognizer, [photo.data for photo in given], top)
    return described.searched(recognizer, gallery, given, found)


def _embeddings(body: bytes) -> list[np.ndarray]:
    """Off the event loop: a thousand embeddings take a tenth of a second to be read."""
    try:
        rows = Embeddings.model_validate_json(body).embeddings
    except ValidationError as error:
        raise RequestValidationError(
            [each | {"loc": ("body", *each["loc"])} for each in error.errors(include_input=False, include_url=False)]
        ) from None
    return [np.array(row, np.float64) for row in rows]
