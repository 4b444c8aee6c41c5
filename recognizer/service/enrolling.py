"""Photos of a request into a gallery, with the names of their files in all that is said of them."""

import copy
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from common.errors import NothingEnrolled
from db.names import clean
from recognizer.forms import NamedPicture
from recognizer.recognizer import Recognizer
from recognizer.results import Enrolment
from recognizer.service import idempotency, uploads
from recognizer.service.auditing import audit
from recognizer.service.context import Services
from recognizer.service.errors import Unprocessable
from recognizer.service.etags import stamp
from recognizer.service.schemas import people as schemas
from recognizer.service.schemas.people import described, remarks
from recognizer.service.uploads import Upload


async def name(request: Request, _: Annotated[list[Upload], Depends(uploads.photos)]) -> str:
    """A dependency: the field ``name`` of the form that the photos came in. Raises Unprocessable, BadName."""
    given = (await request.form()).get("name")
    if not isinstance(given, str):
        raise Unprocessable("Say whom the photos are of: the form needs a field 'name'.", "no_name")
    return clean(given)


def body(*fields: str) -> dict[str, Any]:
    """For OpenAPI: a form with photos, and text fields that it must have."""
    described = copy.deepcopy(uploads.BODY)
    schema = described["requestBody"]["content"][uploads.MULTIPART]["schema"]
    schema["properties"] |= {field: {"type": "string", "examples": ["Ann Lee"]} for field in fields}
    schema["required"] += fields
    return described


async def answer(
    request: Request,
    response: Response,
    having: Services,
    recognizer: Recognizer,
    name: str,
    given: list[Upload] | list[np.ndarray],
    mode: str,
) -> schemas.Enrolment:
    """Enrol, and say what was done: to the audit log, the metrics, and who asked, who also gets the person's ETag.

    Raises as :func:`enrol`; Overloaded.
    """
    done = await having.inference.run(enrol, recognizer, name, given, mode)
    [person] = done.people

    def note() -> None:
        audit(request, f"person.{mode}", person.name, photos=done.added[person.name], refused=len(done.refused))
        stamp(response, recognizer, person.name)

    await run_in_threadpool(note)
    having.metrics.enrolled(done)
    return schemas.Enrolment(
        added=done.added, refused=remarks(done.refused), notes=remarks(done.notes), person=described(person)
    )


async def photos(request: Request, found: Annotated[list[Upload], Depends(uploads.photos)]) -> list[Upload]:
    """A dependency: the photos of a request that writes, known to its idempotency key."""
    if idempotency.is_asked(request):
        form = await request.form()  # parsed already
        fields = [part for name, value in form.multi_items() if isinstance(value, str) for part in (name, value)]
        parts = [part for upload in found for part in (upload.name, upload.data)]
        await run_in_threadpool(idempotency.content_is, request, [*fields, *parts])
    return found


def enrol(recognizer: Recognizer, name: str, given: list[Upload] | list[np.ndarray], mode: str) -> Enrolment:
    """Photos of one person: "add" also makes a new person, "average" does not, "replace" forgets the old ones.

    Ready embeddings can be averaged.

    Raises:
        Unprocessable: no photo was usable; its details say of each why.
        UnknownPerson, BadName, BadEmbedding, VersionConflict.
    """
    enrols = {"add": recognizer.add_customs, "average": recognizer.add_embds, "replace": recognizer.update_customs}
    photos = [NamedPicture(each.data, each.name) if isinstance(each, Upload) else each for each in given]
    try:
        return enrols[mode](name, photos)
    except NothingEnrolled as error:
        refused = [{"source": each.source, "reason": each.reason} for each in error.refused]
        raise Unprocessable(str(error), "nothing_enrolled", refused=refused) from None
