"""Photos of a person: list, add, average, replace, forget; their aligned faces."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from common.errors import BadArgument, UnknownPhoto
from db import Face
from db import names as naming
from db.crops import crop_of
from recognizer.service import cursors, enrolling, idempotency, uploads
from recognizer.service.auditing import audit
from recognizer.service.context import Having, Recognizing, Services, allow, services
from recognizer.service.etags import Conditional, stamp
from recognizer.service.paths import Route
from recognizer.service.routers import search
from recognizer.service.routers.people import Seconds, forget
from recognizer.service.schemas import people as schemas
from recognizer.service.schemas.people import described
from recognizer.service.uploads import Upload

router = APIRouter(prefix="/people/{name}/photos", tags=["photos"], route_class=Route)
READ, ENROL = ([Depends(allow(role))] for role in ("read", "enrol"))
PhotoId = Annotated[int, Path(ge=1, lt=2**31, description="As the list of photos has it.")]
KIND = "photos"


@router.get("", dependencies=READ, operation_id="photos")
def list_photos(
    name: str,
    found: Recognizing,
    similarities: Annotated[bool, Query(description="Also the similarity of each to the others.")] = False,
    cursor: Annotated[str | None, Query(max_length=cursors.MAX_CHARACTERS)] = None,
    limit: Annotated[int, Query(ge=1, le=cursors.MOST)] = 100,
) -> schemas.Photos:
    """A person's photos, oldest first. One with a low similarity may be of somebody else."""
    after = cursors.decode(KIND, cursor, int) or 0
    later = [photo for photo in found.photos(name) if photo.id > after]
    shown, following = cursors.page(KIND, later, limit, lambda photo: photo.id)
    near = _similarities(found.gallery.faces(name)) if similarities else {}
    photos = [schemas.Photo(**vars(photo), similarity=near.get(photo.id)) for photo in shown]
    return schemas.Photos(photos=photos, next_cursor=following)


async def given(request: Request, having: Annotated[Services, Depends(services)]) -> list[Upload] | list[np.ndarray]:
    """A dependency: the photos of a form, or the embeddings of a JSON body. Raises what both do."""
    if uploads.is_multipart(request):
        return await enrolling.photos(request, await uploads.photos(request, having))
    return await search.asked(request, having)


@router.post(
    "",
    status_code=201,
    dependencies=ENROL,
    openapi_extra=search.BODY,
)
async def add_photos(
    request: Request,
    response: Response,
    name: str,
    condition: Conditional,
    having: Having,
    photos: Annotated[Any, Depends(given)],
    _: idempotency.Once,
    mode: Annotated[
        schemas.Mode,
        Query(description="add: the person may be new; average: must be there; replace: the old photos go."),
    ] = "add",
) -> schemas.Enrolment:
    """Enrol photos of a person, or average ready embeddings in (JSON, with mode=average)."""
    found = await run_in_threadpool(condition.of, name)
    if not isinstance(photos[0], Upload) and mode != "average":
        raise BadArgument("Ready embeddings can be averaged into somebody who is there: mode=average.")
    return await enrolling.answer(request, response, having, found, name, photos, mode)


@router.delete("", dependencies=ENROL)
def delete_photos(
    request: Request, name: str, condition: Conditional, having: Having, _: idempotency.Once,
    undo_seconds: Seconds = None,
) -> schemas.Forgotten:  # fmt: skip
    """Forget all photos of a person, and with them the person: the same as DELETE people/{name}."""
    return forget(request, name, condition, having, undo_seconds)


@router.delete("/{photo}", dependencies=ENROL)
def delete_photo(
    request: Request, response: Response, name: str, photo: PhotoId, condition: Conditional, _: idempotency.Once
) -> schemas.Person:
    """Forget one photo. A person keeps at least one."""
    if photo not in {each.id for each in condition.recognizer.photos(name)}:
        raise UnknownPhoto(f"{naming.excerpt(name)} has no photo {photo}.")
    condition.of(name).del_photos(photo)
    audit(request, "photo.delete", name, photo=photo)
    stamp(response, condition.recognizer, name)
    return described(condition.recognizer.gallery.person(name))


@router.get(
    "/{photo}/crop",
    dependencies=READ,
    operation_id="crop",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "The aligned face."}},
)
def get_crop(name: str, photo: PhotoId, found: Recognizing) -> Response:
    """The aligned face of a photo, where it was kept (`store_crops` of the settings)."""
    crop = crop_of(found.gallery, name, photo)
    if crop is None:
        raise UnknownPhoto("No aligned face was kept with this photo: see store_crops in the settings.")
    return Response(crop, media_type="image/png", headers={"Cache-Control": "private, no-store"})


def _similarities(faces: list[Face]) -> dict[int, float | None]:
    """By photo, the cosine to the mean of the person's other photos; None of a single one."""
    if len(faces) < 2:
        return {face.id: None for face in faces}
    vectors = np.stack([face.embedding for face in faces]).astype(np.float64)
    others = vectors.sum(axis=0) - vectors
    lengths = np.linalg.norm(others, axis=1) * np.linalg.norm(vectors, axis=1)
    cosines = np.einsum("ij,ij->i", others, vectors) / np.maximum(lengths, 1e-12)
    return {face.id: round(float(cosine), 4) for face, cosine in zip(faces, cosines, strict=True)}
