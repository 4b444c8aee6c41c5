"""One person: photos with what each is worth, and everything that can be changed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from common.errors import BadArgument, FaceError, UnknownPerson, VersionConflict
from recognizer.recognizer import Recognizer
from recognizer.service.context import Gallery, Having, Recognizing, Services, allow
from recognizer.service.cursors import MOST
from recognizer.service.errors import answer_of
from recognizer.service.pages.people import initials
from recognizer.service.pages.templating import link, render
from recognizer.service.pages.unlike import unlike_others
from recognizer.service.routers import people, photos
from recognizer.service.schemas.people import Photo

LONGEST = 1024  # characters of a name in an address
PhotoId = Annotated[int, Query(ge=1, lt=2**31)]

router = APIRouter(prefix="/person")
READ = [Depends(allow("read"))]


class Problem(NamedTuple):
    """Why something was not done.

    Attributes:
        part: of the page, where it is told: "rename", "metadata", "merge", "move", "erase", or "top".
        message: what is told.
        is_conflict: whether somebody else was faster; what is shown is the new state.
    """

    part: str
    message: str
    is_conflict: bool


@dataclass(frozen=True)
class PersonPage:
    """The page of a person, to be shown or left."""

    request: Request
    having: Services
    gallery: str
    found: Recognizer
    name: str

    def show(
        self, status: int = 200, *, problem: Problem | None = None, typed: Mapping[str, Any] | None = None,
        done: str = "", to: str = "",
    ) -> HTMLResponse:  # fmt: skip
        """The page. Raises UnknownPerson.

        Args:
            problem: why something was not done; typed: what stood in the fields then, by the field's name.
            done: what was done, see ``_notice.html``; to: and to whom.
        """
        stamped = Response()  # the version first: who changes something from now on is noticed
        person = people.get_person(self.name, self.found, stamped, None)
        listed, threshold = self._photos(), self._threshold()
        unlike = unlike_others([photo.similarity for photo in listed], threshold)
        return render(
            self.request, "person.html", status, person=person, version=stamped.headers["ETag"],
            photos=list(zip(listed, unlike, strict=True)), threshold=threshold, initials=initials(person.name),
            metadata=json.dumps(person.metadata, indent=2, ensure_ascii=False) if person.metadata else "",
            problem=problem, wrong=problem.part if problem else "", typed=typed or {}, done=done, to=to,
            settings=self.having.settings,
        )  # fmt: skip

    def is_there(self) -> bool:
        """Whether there is somebody of that name."""
        try:
            self.found.gallery.person(self.name)
        except UnknownPerson:
            return False
        return True

    def refused(self, error: FaceError, part: str, **typed: Any) -> HTMLResponse:
        """The page with what is wrong, and what was typed. Raises UnknownPerson where the person is gone."""
        is_conflict = isinstance(error, VersionConflict)
        problem = Problem("top" if is_conflict else part, str(error), is_conflict)
        return self.show(answer_of(error).status, problem=problem, typed=typed)

    def shown_again(self, done: str, to: str = "") -> Response:
        """Lead back to this page, which says what was done."""
        return RedirectResponse(self.link("/person", name=self.name, done=done, to=to), 303)

    def left_for(self, path: str, **query: Any) -> Response:
        """Lead to another page; htmx, which would only swap a part, is told to go there."""
        address = self.link(path, **query)
        if "hx-request" in self.request.headers:
            return Response(status_code=204, headers={"HX-Redirect": address})
        return RedirectResponse(address, 303)

    def link(self, path: str, **query: Any) -> str:
        """An address in the same gallery."""
        return link(path, self.gallery, self.having, **query)

    def _photos(self) -> list[Photo]:
        listed, cursor = [], None
        while not listed or cursor is not None:
            portion = photos.list_photos(self.name, self.found, True, cursor, MOST)
            listed, cursor = listed + portion.photos, portion.next_cursor
        return listed

    def _threshold(self) -> float | None:
        try:
            return self.found.threshold
        except BadArgument:  # nobody measured one
            return None


async def person_page(
    request: Request,
    having: Having,
    gallery: Gallery,
    found: Recognizing,
    name: Annotated[str, Query(max_length=LONGEST)] = "",
) -> PersonPage:
    """A dependency: the page of the person whom ``?name=`` says."""
    return PersonPage(request, having, gallery, found, name)


Page = Annotated[PersonPage, Depends(person_page)]


@router.get("", dependencies=READ)
def show(
    page: Page, done: Annotated[str, Query(max_length=20)] = "", to: Annotated[str, Query(max_length=255)] = ""
) -> Response:
    """The page of a person. Who chooses another gallery here, where nobody is meant, gets to its people."""
    return page.show(done=done, to=to) if page.name else page.left_for("/people")


@router.get("/crop", dependencies=READ)
def get_crop(page: Page, photo: PhotoId) -> Response:
    """The aligned face of a photo, as REST gives it."""
    return photos.get_crop(page.name, photo, page.found)
