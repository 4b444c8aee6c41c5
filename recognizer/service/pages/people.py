"""Everybody of a gallery: a grid of faces to search in, enrolling, and taking a deletion back."""

from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from common.errors import NameTaken
from db.crops import covers
from recognizer.recognizer import Recognizer
from recognizer.service.context import Gallery, Having, Recognizing, allow, services_of
from recognizer.service.cursors import MAX_CHARACTERS
from recognizer.service.errors import answer_of
from recognizer.service.pages.templating import link, render
from recognizer.service.routers import people
from recognizer.service.routers import undo as undoing

PAGE = 60  # people

router = APIRouter()
READ, ENROL = ([Depends(allow(role))] for role in ("read", "enrol"))


class Card(NamedTuple):
    """A person in the grid; ``photo`` is the id of one with a face to show, None where there is none."""

    name: str
    photos: int
    photo: int | None
    initials: str


@router.get("/", dependencies=READ)
def begin(having: Having, gallery: Gallery) -> RedirectResponse:
    """The people are the first page."""
    return RedirectResponse(link("/people", gallery, having), 303)


@router.get("/people", dependencies=READ)
def show(
    request: Request,
    found: Recognizing,
    prefix: Annotated[str, Query(max_length=255)] = "",
    cursor: Annotated[str | None, Query(max_length=MAX_CHARACTERS)] = None,
    deleted: Annotated[str, Query(max_length=255)] = "",
    undo: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """A page of people, by name. ``deleted`` and ``undo`` tell of a deletion, and how it is taken back."""
    return _page(request, found, prefix=prefix, cursor=cursor, deleted=deleted, undo=undo)


@router.post("/people/undo", dependencies=ENROL)
def take_back(
    request: Request,
    having: Having,
    gallery: Gallery,
    found: Recognizing,
    token: Annotated[str, Form(max_length=64)],
    deleted: Annotated[str, Form(max_length=255)] = "",
) -> Response:
    """Bring back who was deleted, and show them. Raises NothingToUndo."""
    try:
        restored = undoing.undo(request, token, found, None)
    except NameTaken as error:  # once that person is renamed, it can be tried again
        return _page(request, found, answer_of(error).status, problem=str(error), deleted=deleted, undo=token)
    return RedirectResponse(link("/person", gallery, having, name=restored.people[0].name, done="restored"), 303)


def _page(
    request: Request, found: Recognizer, status: int = 200, *, prefix: str = "", cursor: str | None = None,
    deleted: str = "", undo: str = "", problem: str = "",
) -> HTMLResponse:  # fmt: skip
    listed = people.list_people(found, prefix, cursor, PAGE)
    shown = covers(found.gallery, [each.name for each in listed.people])
    cards = [Card(each.name, each.photos, shown.get(each.name), initials(each.name)) for each in listed.people]
    return render(
        request, "people.html", status, cards=cards, next_cursor=listed.next_cursor, total=found.gallery.count()[0],
        prefix=prefix, is_continued=cursor is not None, deleted=deleted, undo=undo, problem=problem,
        asked_gallery=request.query_params.get("gallery"), settings=services_of(request).settings,
    )  # fmt: skip


def initials(name: str) -> str:
    """What stands in place of a face: the first letters of the first and the last word, of a stored name."""
    words = name.split()
    return "".join(word[0] for word in ([words[0], words[-1]] if len(words) > 1 else words)).upper()
