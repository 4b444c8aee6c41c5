"""Asking for jobs, and who may see them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from common.errors import UnknownJob
from db.jobs import Job
from recognizer.service import idempotency, uploads
from recognizer.service.auditing import actor, audit
from recognizer.service.context import Caller, Services, services
from recognizer.service.errors import TooMany, Unprocessable
from recognizer.service.jobs.folders import JobFolder, folders_of
from recognizer.service.jobs.runner import kind_of

PAGE = 1000  # the most that are counted
RETRY_AFTER = 30.0
PIECE = 2**20  # bytes of a file that are hashed at a time


def room(having: Annotated[Services, Depends(services)]) -> None:
    """A dependency: raises TooMany where as many jobs wait as may, before anything is received."""
    most = min(having.settings.max_jobs, PAGE)
    if len(having.database.jobs.list(state="queued", limit=most)) >= most:
        raise TooMany("As many jobs wait as may: wait for some to end, or cancel some.", RETRY_AFTER, most=most)


def ask(
    request: Request, having: Services, caller: Caller, kind: str, gallery: str, folder: JobFolder | None = None,
    **parameters: Any,
) -> Job:  # fmt: skip
    """Queue a job; its folder is removed where that fails. Raises DatabaseError."""
    try:
        queue = folders_of(having.settings).queue_of(kind)
        asked = {"gallery": gallery, "folder": folder and folder.token, **parameters}
        job = having.database.jobs.create(queue, asked, actor(caller))
    except BaseException:
        if folder is not None:
            folder.remove()
        raise
    audit(request, "job.create", gallery=gallery, job=job.id, kind=kind)
    return job


def ask_with_file(
    request: Request, having: Services, caller: Caller, kind: str, gallery: str, file: UploadFile, name: str,
    **parameters: Any,
) -> Job:  # fmt: skip
    """Queue a job about a file that was received, which is copied under a name of ours. Raises DatabaseError."""
    folder = folders_of(having.settings).new()
    try:
        folder.take_in(file.file, name)
    except BaseException:
        folder.remove()
        raise
    return ask(request, having, caller, kind, gallery, folder, **parameters)


def is_visible(job: Job, caller: Caller) -> bool:
    """Whether somebody may see a job: an admin, or who asked for it; of a gallery that the key is for."""
    if caller.gallery is not None and gallery_of(job) != caller.gallery:
        return False
    return caller.role == "admin" or job.owner == actor(caller)


def seen(having: Services, caller: Caller, job_id: int) -> Job:
    """A job that somebody may see. Raises UnknownJob."""
    job = having.database.jobs.get(job_id)
    if not is_visible(job, caller):
        raise UnknownJob(f"There is no job {job_id} of yours.")
    return job


def gallery_of(job: Job) -> str:
    """The gallery that a job is about."""
    return (job.parameters or {}).get("gallery") or ""


def described(job: Job) -> dict[str, Any]:
    """A job for who asked for it."""
    names = ("id", "owner", "state", "done", "total", "cancel_requested", "error", "created", "started", "finished")
    return {name: getattr(job, name) for name in names} | {"kind": kind_of(job.kind), "gallery": gallery_of(job)}


def file_body(field: str) -> dict[str, Any]:
    """For OpenAPI: a form with one file."""
    schema = {
        "type": "object", "required": [field], "properties": {field: {"type": "string", "format": "binary"}},
    }  # fmt: skip
    return {"requestBody": {"required": True, "content": {uploads.MULTIPART: {"schema": schema}}}}


def file_of(field: str) -> Callable[[Request], AsyncIterator[UploadFile]]:
    """A dependency: the one file of a form, which stays where it was received until the request is answered."""

    async def received(request: Request) -> AsyncIterator[UploadFile]:
        async with _parsed(request, field) as file:
            yield file

    return received


@asynccontextmanager
async def _parsed(request: Request, field: str) -> AsyncIterator[UploadFile]:
    wanted = f"Send one file as {uploads.MULTIPART}, in the field {field}."
    if not uploads.is_multipart(request):
        raise Unprocessable(wanted, "no_file")
    form = request.form(max_files=1, max_fields=uploads.MOST_FIELDS, max_part_size=uploads.LONGEST_FIELD)
    try:
        parts = await form.__aenter__()
    except HTTPException as error:
        raise Unprocessable(f"{wanted} The form cannot be read: {error.detail}", "bad_form") from None
    try:
        file = parts.get(field)
        if not isinstance(file, UploadFile):
            raise Unprocessable(wanted, "no_file")
        if idempotency.is_asked(request):
            await run_in_threadpool(idempotency.content_is, request, _pieces(file))
        yield file
    finally:
        await form.__aexit__(None, None, None)


def _pieces(file: UploadFile):
    file.file.seek(0)
    while piece := file.file.read(PIECE):
        yield piece
    file.file.seek(0)
