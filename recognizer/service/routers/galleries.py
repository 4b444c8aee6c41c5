"""Galleries: list, make, rename, delete, switch; and the long work on them, as jobs."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import UploadFile

from common.errors import BadArgument, UnknownChoice, UnknownGallery
from db import Summary
from db import names as naming
from db.names import clean
from networks import zoo
from recognizer.index import forget_snapshots
from recognizer.service import cursors, idempotency
from recognizer.service.auditing import audit
from recognizer.service.context import Caller, Having, Services, allow, caller, check_gallery, everywhere
from recognizer.service.errors import Forbidden
from recognizer.service.jobs import asking
from recognizer.service.jobs.asking import ask, ask_with_file, file_body, file_of
from recognizer.service.jobs.asking import described as described_job
from recognizer.service.jobs.folders import folders_of
from recognizer.service.jobs.kinds import importing
from recognizer.service.jobs.kinds.reembed import load
from recognizer.service.paths import Route
from recognizer.service.schemas import galleries as schemas
from recognizer.service.schemas.galleries import described
from recognizer.service.schemas.jobs import Job

router = APIRouter(prefix="/galleries", tags=["galleries"], route_class=Route)
READ, ADMIN = ([Depends(allow(role))] for role in ("read", "admin"))
EVERYWHERE, ROOM = [Depends(everywhere)], [Depends(asking.room)]
Who = Annotated[Caller, Depends(caller)]
KIND = "galleries"


async def allowed(name: str, who: Who) -> str:
    """A dependency: the gallery of the address, which the caller may use. Raises Forbidden."""
    return check_gallery(who, name)


Name = Annotated[str, Depends(allowed)]


@router.get("", dependencies=READ, operation_id="galleries")
def list_galleries(
    having: Having,
    who: Who,
    cursor: Annotated[str | None, Query(max_length=cursors.MAX_CHARACTERS)] = None,
    limit: Annotated[int, Query(ge=1, le=cursors.MOST)] = 100,
) -> schemas.Galleries:
    """The galleries that the caller may use, by name."""
    after = cursors.decode(KIND, cursor, str) or ""
    found = [each for each in having.database.summaries() if each.name > after and who.gallery in (None, each.name)]
    shown, following = cursors.page(KIND, found, limit, lambda gallery: gallery.name)
    return schemas.Galleries(galleries=[described(each) for each in shown], next_cursor=following)


@router.post("", status_code=201, dependencies=ADMIN + EVERYWHERE)
def create_gallery(
    request: Request, wanted: schemas.NewGallery, having: Having, _: idempotency.Once
) -> schemas.Gallery:
    """Make an empty gallery for a model: that of the default gallery, or one of the zoo."""
    if wanted.model is None:
        model = having.recognizers.of(having.recognizers.default).model
    else:
        model = load(having, _model(wanted.model))
    gallery = having.database.create_gallery(wanted.name, model.name, model.digest, model.dim)
    audit(request, "gallery.create", gallery=gallery.name, model=model.name)
    return _summary(having, gallery.name)


@router.get("/{name}", dependencies=READ, operation_id="gallery")
def get_gallery(name: Name, having: Having) -> schemas.Gallery:
    """One gallery."""
    return _summary(having, name)


@router.patch("/{name}", dependencies=ADMIN)
def change_gallery(
    request: Request, name: Name, change: schemas.GalleryChange, having: Having, who: Who, _: idempotency.Once
) -> schemas.Gallery:
    """Give a gallery another name, or another threshold. Who has it open goes on."""
    if (change.name is None) == ("threshold" not in change.model_fields_set):
        raise BadArgument("Say what is to be changed: the name or the threshold, one at a time.")
    if change.name is None:
        return _change_threshold(request, name, change.threshold, having)
    if who.gallery is not None:
        raise Forbidden("A name is taken from all galleries; your key is for one.", gallery=who.gallery)
    having.database.rename_gallery(name, change.name)
    audit(request, "gallery.rename", gallery=name, to=clean(change.name, "gallery"))
    return _summary(having, change.name)


@router.delete("/{name}", dependencies=ADMIN)
def delete_gallery(request: Request, name: Name, having: Having, _: idempotency.Once) -> schemas.Deleted:
    """Forget a gallery and all of its people, for good."""
    gallery = having.database.find(name)
    people, photos = gallery.count()
    having.database.delete_gallery(name)
    forget_snapshots(gallery.uid)
    audit(request, "gallery.delete", gallery=gallery.name, people=people, photos=photos)
    return schemas.Deleted(name=gallery.name, people=people, photos=photos)


@router.post("/{name}/switch", dependencies=ADMIN + EVERYWHERE)
def switch_galleries(
    request: Request, name: Name, wanted: schemas.Switch, having: Having, _: idempotency.Once
) -> schemas.Switched:
    """Exchange the names of two galleries, in one step; the same again takes it back."""
    having.database.switch_galleries(name, wanted.other)
    audit(request, "gallery.switch", gallery=name, other=wanted.other)
    return schemas.Switched(galleries=[_summary(having, name), _summary(having, wanted.other)])


@router.post("/{name}/calibrate", status_code=202, dependencies=ADMIN + ROOM)
def calibrate_gallery(
    request: Request, name: Name, wanted: schemas.Calibrate, having: Having, who: Who, _: idempotency.Once
) -> Job:
    """Measure the threshold on the gallery's own people, and keep it with the gallery. A job."""
    gallery = having.database.find(name)
    return _asked(ask(request, having, who, "calibrate", gallery.name, far=wanted.far, dry_run=wanted.dry_run))


@router.post("/{name}/reembed", status_code=202, dependencies=ADMIN + EVERYWHERE + ROOM)
def reembed_gallery(
    request: Request, name: Name, wanted: schemas.Reembed, having: Having, who: Who, _: idempotency.Once
) -> Job:
    """Build the same people under another model, in a new gallery, from the crops that were kept. A job."""
    gallery = having.database.find(name)
    into = None if wanted.into is None else clean(wanted.into, "gallery")
    return _asked(ask(request, having, who, "reembed", gallery.name, model=_model(wanted.model), into=into))


@router.post("/{name}/export", status_code=202, dependencies=ADMIN + ROOM)
def export_gallery(request: Request, name: Name, having: Having, who: Who, _: idempotency.Once) -> Job:
    """Write a gallery to one file, people.gallery. A job; GET jobs/{id}/result?file=people.gallery has it."""
    gallery = having.database.find(name)
    return _asked(ask(request, having, who, "export", gallery.name, folders_of(having.settings).new()))


@router.post("/{name}/import", status_code=202, dependencies=ADMIN + ROOM, openapi_extra=file_body("file"))
def import_gallery(
    request: Request,
    name: Name,
    having: Having,
    who: Who,
    file: Annotated[UploadFile, Depends(file_of("file"))],
    _: idempotency.Once,
    mode: Annotated[
        Literal["new", "merge", "replace"],
        Query(description="new: nobody may be there; merge: add to who is there; replace: forget who is there."),
    ] = "new",
) -> Job:
    """Store what is in a gallery's file, after all of it has been verified. A job."""
    gallery = clean(name, "gallery")
    return _asked(ask_with_file(request, having, who, "import", gallery, file, importing.FILE, mode=mode))


def _change_threshold(
    request: Request, name: str, threshold: schemas.Threshold | None, having: Services
) -> schemas.Gallery:
    gallery = having.database.find(name)
    if threshold is None:
        gallery.clear_threshold()
    else:
        gallery.set_threshold(**threshold.model_dump())
    audit(request, "gallery.threshold", gallery=gallery.name, similarity=threshold and threshold.similarity)
    return _summary(having, name)


def _summary(having: Services, name: str) -> schemas.Gallery:
    wanted = clean(name, "gallery")
    found: list[Summary] = [each for each in having.database.summaries() if each.name == wanted]
    if not found:
        raise UnknownGallery(f"There is no gallery {naming.excerpt(wanted)}.")
    return schemas.Gallery(**described(found[0]))


def _model(name: str) -> str:
    """A model of the zoo: a request must not name files of this machine. Raises UnknownChoice."""
    known = zoo.names("embedding")
    if name not in known:
        raise UnknownChoice(f"Unknown model {name!r:.60}. Expected one of: {', '.join(known)}.")
    return name


def _asked(job) -> Job:
    return Job(**described_job(job))
