"""Photos of a request into a gallery, with the names of their files in all that is said of them."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple, TypeVar

import numpy as np
from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from db import Face, Person
from db.names import clean
from recognizer.enrolment import Gathered, look, nothing_enrolled
from recognizer.index import forget_snapshots
from recognizer.recognizer import Recognizer
from recognizer.results import Enrolment
from recognizer.service import idempotency, uploads
from recognizer.service.auditing import audit
from recognizer.service.context import Services
from recognizer.service.errors import Unprocessable
from recognizer.service.etags import gallery_of, stamp
from recognizer.service.schemas import people as schemas
from recognizer.service.schemas.people import described, remarks
from recognizer.service.uploads import Upload

Result = TypeVar("Result")


class Enrolled(NamedTuple):
    """What came of the photos of one person, who is as of then."""

    person: Person
    enrolment: Enrolment

    @property
    def added(self) -> int:
        """Photos that were stored."""
        return sum(self.enrolment.added.values())


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
    schema["properties"] |= {field: {"type": "string"} for field in fields}
    schema["required"] += fields
    return described


async def answer(
    request: Request,
    response: Response,
    having: Services,
    recognizer: Recognizer,
    name: str,
    given: list[Upload],
    mode: str,
) -> schemas.Enrolment:
    """Enrol, and say what was done: to the audit log, and to who asked. Raises as :func:`enrol`; Overloaded."""
    done = await having.inference.run(enrol, recognizer, name, given, mode)
    return await told(request, response, having, recognizer, done, mode)


async def told(
    request: Request, response: Response, having: Services, recognizer: Recognizer, done: "Enrolled", mode: str
) -> schemas.Enrolment:
    """What was done, for the audit log, the metrics, and who asked, who also gets the person's ETag."""

    def note() -> None:
        audit(request, f"person.{mode}", done.person.name, photos=done.added, refused=len(done.enrolment.refused))
        stamp(response, recognizer, done.person.name)

    await run_in_threadpool(note)
    having.metrics.enrolled(done.enrolment)
    return schemas.Enrolment(
        added=done.enrolment.added, refused=remarks(done.enrolment.refused), notes=remarks(done.enrolment.notes),
        person=described(done.person),
    )  # fmt: skip


async def photos(request: Request, found: Annotated[list[Upload], Depends(uploads.photos)]) -> list[Upload]:
    """A dependency: the photos of a request that writes, known to its idempotency key."""
    if idempotency.is_asked(request):
        form = await request.form()  # parsed already
        fields = [part for name, value in form.multi_items() if isinstance(value, str) for part in (name, value)]
        parts = [part for upload in found for part in (upload.name, upload.data)]
        await run_in_threadpool(idempotency.content_is, request, [*fields, *parts])
    return found


def enrol(recognizer: Recognizer, name: str, given: Sequence[Upload], mode: str) -> Enrolled:
    """Photos of one person: "add" also makes a new person, "average" does not, "replace" forgets the old ones.

    It is ``Recognizer.add_customs``, ``add_embds`` and ``update_customs``: those call photos by their number.

    Raises:
        Unprocessable: no photo was usable; its details say of each why.
        UnknownPerson, BadName, VersionConflict.
    """
    gallery = gallery_of(recognizer)
    stores = {
        "add": gallery.add_many,
        "average": partial(gallery.add_many, create=False),
        "replace": gallery.replace,
    }
    name, gathered = clean(name), Gathered()
    for upload in given:
        take(gathered, recognizer, name, upload)
    if not gathered.usable:
        refused = [{"source": each.source, "reason": each.reason} for each in gathered.refused]
        raise Unprocessable(str(nothing_enrolled(gathered.refused)), "nothing_enrolled", refused=refused)
    [person] = store(recognizer, gathered, stores[mode])
    if mode == "replace":
        forget_snapshots(gallery.uid)
    added = {person.name: len(gathered.usable)}
    return Enrolled(person, Enrolment(added, gathered.refused, gathered.notes))


def take(gathered: Gathered, recognizer: Recognizer, name: str, upload: Upload) -> None:
    """Look at one photo."""
    size, gates = recognizer.model.card.input_size, recognizer.gates
    gathered.take(look(name, upload.name, upload.data, recognizer.detector, size, gates=gates))


def store(recognizer: Recognizer, gathered: Gathered, write: Callable[[Mapping[str, list[Face]]], Result]) -> Result:
    """Embed what was gathered, note what is too near to somebody else, and store it in one step."""
    embeddings = recognizer.model.embed(np.stack([sighting.crop for sighting in gathered.usable]))
    faces = gathered.faces(embeddings, recognizer._store_crops)
    gathered.notes += gathered.compared(embeddings, recognizer._duplicates)
    return write(faces)
