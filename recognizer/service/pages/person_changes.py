"""What is changed on the page of a person. A form says which version it was made from; REST's functions do the work."""

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from common.errors import BadArgument, FaceError
from db.names import clean
from recognizer.recognizer import Recognizer
from recognizer.service import enrolling, idempotency
from recognizer.service.context import Having, allow
from recognizer.service.errors import answer_of
from recognizer.service.etags import Condition, Conditional
from recognizer.service.pages.person import Page, PersonPage
from recognizer.service.pages.templating import render
from recognizer.service.routers import people, photos
from recognizer.service.schemas import people as schemas
from recognizer.service.uploads import Upload

router = APIRouter(prefix="/person", route_class=idempotency.Route)
ENROL, ADMIN = ([Depends(allow(role))] for role in ("enrol", "admin"))
Version = Annotated[str, Form(max_length=200)]
Text = Annotated[str, Form()]  # names are checked, and told in place; the form as a whole has its limit
Chosen = Annotated[list[schemas.PhotoId], Form(max_length=1000)]


class OfOwner(Condition):
    """What is expected of the person whose page it is, where somebody else is written to."""

    def __init__(self, recognizer: Recognizer, version: str, owner: str):
        super().__init__(recognizer, version)
        self._owner = owner

    def of(self, name: str) -> Recognizer:
        """The recognizer, whose writes raise VersionConflict unless the owner is as expected."""
        return super().of(self._owner)


@router.post("/rename", dependencies=ENROL)
def rename(page: Page, version: Version, new_name: Text = "") -> Response:
    """Another name."""

    def work() -> Response:
        change = schemas.PersonChange(name=clean(new_name))
        person = people.change_person(page.request, Response(), page.name, change, _condition(page, version), None)
        return page.left_for("/person", name=person.name, done="renamed")

    return _tried(page, "rename", work, new_name=new_name)


@router.post("/metadata", dependencies=ENROL)
def change_metadata(page: Page, version: Version, metadata: Text = "") -> Response:
    """Other metadata, as JSON; nothing clears it."""

    def work() -> Response:
        change = schemas.PersonChange(metadata=_parsed(metadata))
        people.change_person(page.request, Response(), page.name, change, _condition(page, version), None)
        return page.shown_again("metadata")

    return _tried(page, "metadata", work, metadata=metadata)


@router.post("/merge", dependencies=ENROL)
def merge(page: Page, version: Version, other: Text = "") -> Response:
    """All photos of somebody else, who is forgotten."""

    def work() -> Response:
        name = clean(other)
        if name == clean(page.name):
            raise BadArgument("That is the person of this page: name the other one.")
        wanted = schemas.Merge(names=[name])
        people.merge_people(page.request, Response(), page.name, wanted, _condition(page, version), None)
        return page.shown_again("merged", name)

    return _tried(page, "merge", work, other=other)


@router.post("/move", dependencies=ENROL)
def move(
    page: Page, version: Version, photo: Chosen = (), move_to: Text = "", create: Annotated[bool, Form()] = False
) -> Response:  # fmt: skip
    """Photos for somebody else, who may be new. Who has none left is forgotten."""

    def work() -> Response:
        if not photo:
            raise BadArgument("Choose the photos first: each has a box to tick.")
        wanted, to = schemas.Move(photos=list(photo), create=create), clean(move_to)
        condition = OfOwner(page.found, version, page.name)
        people.move_photos(page.request, Response(), to, wanted, condition, None)
        return page.shown_again("moved", to) if page.is_there() else page.left_for("/person", name=to, done="all_moved")

    return _tried(page, "move", work, photo=list(photo), move_to=move_to, create=create)


@router.post("/photos/delete", dependencies=ENROL)
def delete_photo(page: Page, version: Version, photo: Annotated[schemas.PhotoId, Form()]) -> Response:
    """Forget one photo."""

    def work() -> Response:
        photos.delete_photo(page.request, Response(), page.name, photo, _condition(page, version), None)
        return page.shown_again("photo_deleted")

    return _tried(page, "top", work)


@router.post("/photos", status_code=201, dependencies=ENROL)
async def add_photos(
    request: Request,
    response: Response,
    page: Page,
    condition: Conditional,
    having: Having,
    given: Annotated[list[Upload], Depends(enrolling.photos)],
    _: idempotency.Once,
    mode: schemas.Mode = "add",
) -> schemas.Enrolment:
    """The same as ``POST /v1/people/{name}/photos``, for names that no browser sends in a path: "." and ".."."""
    return await photos.add_photos(request, response, page.name, condition, having, given, None, mode)


@router.post("/delete", dependencies=ENROL)
def delete(page: Page, version: Version) -> Response:
    """Forget the person; the list then says how that is taken back."""

    def work() -> Response:
        done = people.delete_person(page.request, page.name, _condition(page, version), page.having, None, None)
        return page.left_for("/people", deleted=done.names[0], undo=done.undo.token)

    return _tried(page, "top", work)


@router.post("/erase", dependencies=ADMIN)
def erase(page: Page, version: Version, typed_name: Text = "") -> Response:
    """Forget the person for good, and show the receipt, which is kept nowhere else."""

    def work() -> Response:
        if clean(typed_name) != clean(page.name):
            raise BadArgument("That is not the name of this person. Nothing was erased.")
        receipt = people.erase_person(page.request, page.name, _condition(page, version), None)
        told = json.dumps(receipt.model_dump(mode="json"), indent=2, ensure_ascii=False)
        return render(page.request, "erased.html", name=receipt.people[0], receipt=receipt, told=told)

    return _tried(page, "erase", work, typed_name=typed_name)


def _tried(page: PersonPage, part: str, work: Callable[[], Response], **typed: Any) -> Response:
    """What was done, or the page with what is wrong and what was typed.

    Raises:
        UnknownPerson: the person is gone. What is the service's own trouble, such as DatabaseError.
    """
    try:
        return work()
    except FaceError as error:
        if answer_of(error).status >= 500:
            raise
        return page.refused(error, part, **typed)


def _condition(page: PersonPage, version: str) -> Condition:
    return Condition(page.found, version)


def _parsed(text: str) -> dict[str, Any] | None:
    """Metadata as it was typed. Raises BadArgument: it is no JSON object."""
    if not text.strip():
        return None
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno}: {error.msg})" if hasattr(error, "lineno") else ""
        raise BadArgument(f"That is no JSON{where}. Nothing was changed.") from None
    if not isinstance(found, dict):
        raise BadArgument('Metadata is a JSON object, such as {"team": "A"}. Nothing was changed.')
    return found


def _refuse(word: str) -> None:
    raise ValueError(word)
