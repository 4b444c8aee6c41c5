"""Jobs: asking for those that are about files, seeing how far they are, cancelling, results."""

import mimetypes
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.datastructures import UploadFile

from db.jobs import ENDED, Job
from recognizer.service import cursors, idempotency
from recognizer.service.auditing import actor, audit
from recognizer.service.context import Caller, Having, Services, allow, caller, gallery_name
from recognizer.service.downloads import Download
from recognizer.service.errors import Conflict, NotFound
from recognizer.service.jobs import asking
from recognizer.service.jobs.asking import ask_with_file, described, file_body, file_of, is_visible, seen
from recognizer.service.jobs.folders import JobFolder, folders_of
from recognizer.service.jobs.kinds import KINDS, enroll, video
from recognizer.service.jobs.runner import kind_of
from recognizer.service.schemas import jobs as schemas

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=idempotency.Route)
READ, ENROL = ([Depends(allow(role))] for role in ("read", "enrol"))
ROOM = [Depends(asking.room)]
Who = Annotated[Caller, Depends(caller)]
GalleryName = Annotated[str, Depends(gallery_name)]
JobId = Annotated[int, Path(ge=1, lt=2**31)]
KIND = "jobs"
FILES = {"application/octet-stream": {}, "video/mp4": {}}  # that jobs make
PARTS = {"application/json": {}, "multipart/byteranges": {}}
PORTION = 500  # jobs that are read at a time, to find those that somebody may see


@router.get("", dependencies=READ, operation_id="jobs")
def list_jobs(
    having: Having,
    who: Who,
    state: Literal["queued", "running", "done", "failed", "cancelled"] | None = None,
    kind: Annotated[Literal[*KINDS] | None, Query(description="Only jobs of this kind.")] = None,
    cursor: Annotated[str | None, Query(max_length=cursors.MAX_CHARACTERS)] = None,
    limit: Annotated[int, Query(ge=1, le=cursors.MOST)] = 100,
) -> schemas.Jobs:
    """Jobs, the latest first: all of them for an admin, and for others those that they asked for."""
    found = _visible(having, who, state, kind, cursors.decode(KIND, cursor, int), limit + 1)
    shown, following = cursors.page(KIND, found, limit, lambda job: job.id)
    return schemas.Jobs(jobs=[described(each) for each in shown], next_cursor=following)


@router.post(
    "/video",
    status_code=202,
    dependencies=READ + ROOM,
    operation_id="recognize_video",
    openapi_extra=file_body("video"),
)
def ask_for_video(
    request: Request,
    having: Having,
    who: Who,
    gallery: GalleryName,
    file: Annotated[UploadFile, Depends(file_of("video"))],
    _: idempotency.Once,
    annotate: Annotated[bool, Query(description="Also make a copy with boxes and names, annotated.mp4.")] = True,
    every: Annotated[int, Query(ge=1, le=1000, description="Faces are looked for in every so many frames.")] = 3,
    start: Annotated[float, Query(ge=0, le=1e6, description="Seconds.")] = 0.0,
    end: Annotated[float | None, Query(ge=0, le=1e6, description="Seconds.")] = None,
    max_side: Annotated[int | None, Query(ge=64, le=16_384, description="Frames are shrunk to look for faces.")] = None,
) -> schemas.Job:
    """Say who is in a video, and when. The video is removed as soon as that is done."""
    return _asked(
        ask_with_file(
            request, having, who, "video", gallery, file, video.SOURCE,
            annotate=annotate, every=every, start=start, end=end, max_side=max_side,
        )
    )  # fmt: skip


@router.post(
    "/enroll",
    status_code=202,
    dependencies=ENROL + ROOM,
    operation_id="enroll_archive",
    openapi_extra=file_body("archive"),
)
def ask_for_enrolment(
    request: Request,
    having: Having,
    who: Who,
    gallery: GalleryName,
    file: Annotated[UploadFile, Depends(file_of("archive"))],
    _: idempotency.Once,
) -> schemas.Job:
    """Enrol many people from a ZIP archive of NAME/photo.jpg. Photos that a person has already are passed over."""
    return _asked(ask_with_file(request, having, who, "enroll", gallery, file, enroll.SOURCE))


@router.get("/{job_id}", dependencies=READ, operation_id="job")
def get_job(job_id: JobId, having: Having, who: Who) -> schemas.Job:
    """One job, and how far it is."""
    return _asked(seen(having, who, job_id))


@router.delete("/{job_id}", dependencies=READ)
def cancel_job(request: Request, job_id: JobId, having: Having, who: Who, _: idempotency.Once) -> schemas.Job:
    """Ask for a job to be stopped; of one that has ended, remove the files."""
    seen(having, who, job_id)
    job = having.database.jobs.cancel(job_id)
    folder = _folder(having, job)
    if job.state in ENDED and folder is not None:
        folder.remove()
    audit(request, "job.cancel", gallery=asking.gallery_of(job), job=job.id, state=job.state)
    return _asked(job)


@router.get(
    "/{job_id}/result",
    dependencies=READ,
    operation_id="result",
    response_model=schemas.Result | schemas.Tracks,
    responses={
        200: {"content": FILES},
        206: {"content": {**FILES, **PARTS}, "description": "The bytes that `Range` names."},
    },
)
def get_result(
    job_id: JobId,
    having: Having,
    who: Who,
    file: Annotated[
        str | None, Query(max_length=255, description="One of the result's files.", examples=["people.gallery"])
    ] = None,
) -> Any:
    """What a job led to, and the names of the files that it made; or one of these. 409 before it is done."""
    job = seen(having, who, job_id)
    if job.state != "done":
        raise Conflict(f"Job {job.id} is {job.state}: {job.error or 'it has no result yet'}", state=job.state)
    folder = _folder(having, job)
    if file is None:
        files = folder.files() if folder else {}
        return schemas.Result(
            result=job.result or {}, files=[schemas.File(name=name, bytes=size) for name, size in files.items()]
        )
    path = folder.output(file) if folder else None
    if path is None:
        raise NotFound(f"Job {job.id} has no file of that name here: it was removed, or is on another machine.")
    return Download(
        path,
        media_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        filename=path.name,
        headers={"Cache-Control": "private, no-store"},
    )


def _asked(job: Job) -> schemas.Job:
    return schemas.Job(**described(job))


def _folder(having: Services, job: Job) -> JobFolder | None:
    return folders_of(having.settings).find((job.parameters or {}).get("folder"))


def _visible(
    having: Services, who: Caller, state: str | None, kind: str | None, before: int | None, most: int
) -> list[Job]:
    found, owner = [], None if who.role == "admin" else actor(who)
    while len(found) < most:
        page = having.database.jobs.list(owner=owner, state=state, before=before, limit=PORTION)
        found += [job for job in page if is_visible(job, who) and kind in (None, kind_of(job.kind))]
        if len(page) < PORTION:
            break
        before = page[-1].id
    return found[:most]
