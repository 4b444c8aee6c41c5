"""People: who is there, enrolling, renaming, metadata, putting together, forgetting."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from common.errors import BadArgument
from db.conditional import together
from recognizer.index import forget_snapshots
from recognizer.service import cursors, enrolling, idempotency
from recognizer.service.auditing import audit
from recognizer.service.context import Having, Recognizing, Services, allow
from recognizer.service.etags import Conditional, is_known, stamp
from recognizer.service.paths import Route
from recognizer.service.schemas import people as schemas
from recognizer.service.schemas.people import described
from recognizer.service.uploads import Upload

router = APIRouter(prefix="/people", tags=["people"], route_class=Route)
READ, ENROL, ADMIN = ([Depends(allow(role))] for role in ("read", "enrol", "admin"))
KIND = "people"
Seconds = Annotated[
    float | None,
    Query(ge=0, le=604_800, description="For how long it can be undone; 0: for good. As the settings say without it."),
]


@router.get("", dependencies=READ, operation_id="people")
def list_people(
    found: Recognizing,
    prefix: Annotated[str, Query(max_length=255, description="Only names that begin so; case counts.")] = "",
    cursor: Annotated[str | None, Query(max_length=cursors.MAX_CHARACTERS)] = None,
    limit: Annotated[int, Query(ge=1, le=cursors.MOST)] = 100,
) -> schemas.People:
    """Who is enrolled, by name."""
    page = found.customs(prefix, cursors.decode(KIND, cursor, str), limit + 1)
    shown, following = cursors.page(KIND, page, limit, lambda person: person.name)
    return schemas.People(people=[described(each) for each in shown], next_cursor=following)


@router.post("", status_code=201, dependencies=ENROL, openapi_extra=enrolling.body("name"))
async def add_person(
    request: Request,
    response: Response,
    condition: Conditional,
    having: Having,
    photos: Annotated[list[Upload], Depends(enrolling.photos)],
    name: Annotated[str, Depends(enrolling.name)],
    _: idempotency.Once,
) -> schemas.Enrolment:
    """Enrol somebody new: the form has the field `name`, and `photos`. 409 where there is somebody of that name."""
    return await enrolling.answer(request, response, having, condition.absent(name), name, photos, "add")


@router.get(
    "/{name}",
    dependencies=READ,
    operation_id="person",
    responses={304: {"description": "It is as If-None-Match says."}},
)
def get_person(
    name: str,
    found: Recognizing,
    response: Response,
    if_none_match: Annotated[str | None, Header(max_length=1024)] = None,
) -> schemas.Person:
    """One person, with an ETag for conditional writes."""
    etag, known = is_known(found, name, if_none_match)
    if known:
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return described(found.gallery.person(name))


@router.patch("/{name}", dependencies=ENROL)
def change_person(
    request: Request,
    response: Response,
    name: str,
    change: schemas.PersonChange,
    condition: Conditional,
    _: idempotency.Once,
) -> schemas.Person:
    """Give a person another name, other metadata, or both in one step."""
    asked = change.model_fields_set - ({"name"} if change.name is None else set())
    if not asked:
        raise BadArgument("Say what is to be changed: name, metadata or both.")

    def work(gallery: Any) -> Any:
        person = gallery.set_metadata(name, change.metadata) if "metadata" in asked else None
        return gallery.rename(name, change.name) if "name" in asked else person

    person = together(condition.of(name).gallery, work)
    renamed = {"to": person.name} if "name" in asked else {}
    audit(request, "person.change", name, metadata="metadata" in asked, **renamed)
    stamp(response, condition.recognizer, person.name)
    return described(person)


@router.delete("/{name}", dependencies=ENROL)
def delete_person(
    request: Request,
    name: str,
    condition: Conditional,
    having: Having,
    _: idempotency.Once,
    undo_seconds: Seconds = None,
) -> schemas.Forgotten:
    """Forget a person with all photos. POST undo/{token} takes it back while that can be undone."""
    return forget(request, name, condition, having, undo_seconds)


@router.post("/{name}/merge", dependencies=ENROL)
def merge_people(
    request: Request, response: Response, name: str, others: schemas.Merge, condition: Conditional, _: idempotency.Once
) -> schemas.Person:
    """Give all photos of others to this person, and forget the others. Their metadata goes with them."""
    person = condition.of(name).merge_customs(others.names, name)
    for other in others.names:
        audit(request, "person.merge", other, into=person.name)
    stamp(response, condition.recognizer, person.name)
    return described(person)


@router.post("/{name}/move", dependencies=ENROL)
def move_photos(
    request: Request, response: Response, name: str, wanted: schemas.Move, condition: Conditional, _: idempotency.Once
) -> schemas.Person:
    """Give photos of others to this person. Who has none left is forgotten."""
    person = condition.of(name).move_photos(wanted.photos, name, wanted.create)
    audit(request, "photo.move", person.name, photos=len(wanted.photos))
    stamp(response, condition.recognizer, person.name)
    return described(person)


@router.post("/{name}/erase", dependencies=ADMIN)
def erase_person(request: Request, name: str, condition: Conditional, _: idempotency.Once) -> schemas.Receipt:
    """Forget a person for good, out of the database's files, too. Writers wait while these are written anew."""
    gallery = condition.of(name).gallery
    receipt = gallery.erase([name])
    forget_snapshots(gallery.uid)
    audit(request, "person.erase", name, "ok" if receipt.complete else "incomplete", receipt=receipt.digest)
    return schemas.Receipt(**receipt.as_dict())


def forget(
    request: Request, name: str, condition: Conditional, having: Services, undo_seconds: float | None
) -> schemas.Forgotten:
    """Forget a person, for good where ``undo_seconds`` is 0."""
    seconds = having.settings.undo_seconds if undo_seconds is None else undo_seconds
    gallery = condition.of(name).gallery
    if seconds == 0:
        names, undo = gallery.delete([name]), None
    else:
        discarded = gallery.discard([name], seconds)
        names, undo = discarded.names, schemas.Undo(token=discarded.token, until=discarded.until)
    forget_snapshots(gallery.uid)
    audit(request, "person.delete", names[0], undo_seconds=seconds)
    return schemas.Forgotten(names=names, undo=undo)
