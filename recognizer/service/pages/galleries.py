"""Galleries: the model and threshold of each, and the work on them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from common.errors import BadArgument, FaceError
from networks import zoo
from recognizer.service.context import Having, Services, allow, check_gallery
from recognizer.service.errors import answer_of
from recognizer.service.pages.templating import page_link, render
from recognizer.service.routers import galleries as rest
from recognizer.service.routers.galleries import Who
from recognizer.service.schemas import galleries as schemas

router = APIRouter(prefix="/galleries")
READ, ADMIN = ([Depends(allow(role))] for role in ("read", "admin"))
ROOM, EVERYWHERE = rest.ROOM, rest.EVERYWHERE
Text = Annotated[str, Form(max_length=1024)]
MOST = 500  # galleries that are listed


@router.get("", dependencies=READ)
def show(request: Request, having: Having, who: Who) -> HTMLResponse:
    """All galleries that the caller may use."""
    return _page(request, having, who)


@router.post("", dependencies=ADMIN + EVERYWHERE)
def create(request: Request, having: Having, who: Who, new_name: Text, model: Text = "") -> Response:
    """A new gallery, for the service's own model or another one."""

    def work() -> str:
        wanted = _made(schemas.NewGallery, name=new_name, model=model or None)
        made = rest.create_gallery(request=request, wanted=wanted, having=having, _=None)
        return f"Gallery {made.name} was made."

    return _done(request, having, who, work)


@router.post("/rename", dependencies=ADMIN)
def rename(request: Request, having: Having, who: Who, name: Text, new_name: Text) -> Response:
    """Another name."""

    def work() -> str:
        change = _made(schemas.GalleryChange, name=new_name)
        found = rest.change_gallery(
            request=request, name=check_gallery(who, name), change=change, having=having, who=who, _=None
        )
        return f"The gallery is called {found.name} now."

    return _done(request, having, who, work)


@router.post("/threshold", dependencies=ADMIN)
def set_threshold(request: Request, having: Having, who: Who, name: Text, similarity: Text = "") -> Response:
    """A threshold that somebody chose; nothing: that of the model's card."""

    def work() -> str:
        threshold = {"similarity": _number(similarity)} if similarity.strip() else None
        change = _made(schemas.GalleryChange, threshold=threshold)
        rest.change_gallery(
            request=request, name=check_gallery(who, name), change=change, having=having, who=who, _=None
        )
        return (
            f"The threshold of {name} is {similarity.strip()}."
            if threshold
            else f"{name} has the threshold of its model's card."
        )

    return _done(request, having, who, work)


@router.post("/delete", dependencies=ADMIN)
def delete(request: Request, having: Having, who: Who, name: Text, typed: Text = "") -> Response:
    """Forget a gallery for good, whose name has to be typed for that."""

    def work() -> str:
        if typed.strip() != name:
            raise BadArgument("Type the gallery's name to delete it. Nothing was deleted.")
        gone = rest.delete_gallery(request=request, name=check_gallery(who, name), having=having, _=None)
        return f"Gallery {gone.name} was deleted with {gone.people} people and {gone.photos} photos."

    return _done(request, having, who, work)


@router.post("/switch", dependencies=ADMIN + EVERYWHERE)
def switch(request: Request, having: Having, who: Who, name: Text, other: Text) -> Response:
    """Exchange the names of two."""

    def work() -> str:
        wanted = _made(schemas.Switch, other=other)
        rest.switch_galleries(request=request, name=name, wanted=wanted, having=having, _=None)
        return f"{name} and {other} have exchanged their names. The same again takes it back."

    return _done(request, having, who, work)


@router.post("/calibrate", dependencies=ADMIN + ROOM)
def calibrate(request: Request, having: Having, who: Who, name: Text, far: Text, dry_run: Text = "") -> Response:
    """Ask for the threshold to be measured."""

    def work() -> Any:
        wanted = _made(schemas.Calibrate, far=_number(far) / 100, dry_run=bool(dry_run))
        return rest.calibrate_gallery(
            request=request, name=check_gallery(who, name), wanted=wanted, having=having, who=who, _=None
        )

    return _job(request, having, who, work)


@router.post("/reembed", dependencies=ADMIN + EVERYWHERE + ROOM)
def reembed(request: Request, having: Having, who: Who, name: Text, model: Text, into: Text = "") -> Response:
    """Ask for the same people under another model."""

    def work() -> Any:
        wanted = _made(schemas.Reembed, model=model, into=into.strip() or None)
        return rest.reembed_gallery(request=request, name=name, wanted=wanted, having=having, who=who, _=None)

    return _job(request, having, who, work)


@router.post("/export", dependencies=ADMIN + ROOM)
def export(request: Request, having: Having, who: Who, name: Text) -> Response:
    """Ask for all of it in one file."""

    def work() -> Any:
        return rest.export_gallery(request=request, name=check_gallery(who, name), having=having, who=who, _=None)

    return _job(request, having, who, work)


def _page(request: Request, having: Services, who: Any, status: int = 200, **values: Any) -> HTMLResponse:
    found = rest.list_galleries(having=having, who=who, cursor=None, limit=MOST).galleries
    default = having.recognizers.of(having.recognizers.default).model
    values = {"told": None, "wrong": None} | values
    return render(
        request, "galleries.html", status, listed=found, models=zoo.names("embedding"),
        default=having.recognizers.default, card=default.card, digest=default.digest, **values,
    )  # fmt: skip


def _done(request: Request, having: Services, who: Any, work: Any) -> Response:
    """The page after something was done, with what it was, or with why it was not."""
    try:
        return _page(request, having, who, told=work())
    except FaceError as error:
        return _refused(request, having, who, error)


def _job(request: Request, having: Services, who: Any, work: Any) -> Response:
    """To the page of a job that was asked for."""
    try:
        job = work()
    except FaceError as error:
        return _refused(request, having, who, error)
    return RedirectResponse(page_link(request, f"/jobs/{job.id}"), 303)


def _refused(request: Request, having: Services, who: Any, error: FaceError) -> HTMLResponse:
    """The page with an error of whoever asked; others are raised again, and told without particulars."""
    status = answer_of(error).status
    if status >= 500:
        raise error
    return _page(request, having, who, status, wrong=str(error))


def _made(schema: type, **values: Any) -> Any:
    """A body of REST. Raises BadArgument: what is wrong with the first field that is."""
    try:
        return schema(**values)
    except ValueError as error:
        problem = error.errors()[0]
        raise BadArgument(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}.") from None


def _number(text: str) -> float:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        raise BadArgument(f"{text[:40]!r} is no number.") from None
