"""Jobs: what was asked for, how far it is, what came of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from recognizer.service.context import Having, allow
from recognizer.service.cursors import MAX_CHARACTERS
from recognizer.service.pages.templating import page_link, render
from recognizer.service.routers import jobs as rest
from recognizer.service.routers.jobs import JobId, Who
from recognizer.service.schemas.jobs import Job

router = APIRouter(prefix="/jobs", dependencies=[Depends(allow("read"))])
PAGE = 50
ACTIVE = ("queued", "running")
KINDS = {
    "enroll": "Enrol an archive",
    "import": "Import a gallery",
    "export": "Export a gallery",
    "reembed": "Re-embed a gallery",
    "calibrate": "Measure a threshold",
    "video": "Recognise in a video",
}
Cursor = Annotated[str | None, Query(max_length=MAX_CHARACTERS)]


@router.get("")
def show(request: Request, having: Having, who: Who, cursor: Cursor = None) -> HTMLResponse:
    """The list, the latest first."""
    return _list(request, having, who, cursor, "jobs.html")


@router.get("/rows")
def show_rows(request: Request, having: Having, who: Who, cursor: Cursor = None) -> HTMLResponse:
    """The list alone, for as long as a job of it goes on."""
    return _list(request, having, who, cursor, "_jobs.html")


@router.get("/{job_id}")
def show_job(request: Request, job_id: JobId, having: Having, who: Who) -> Response:
    """One job; a video's has a page of its own."""
    job = rest.get_job(job_id=job_id, having=having, who=who)
    if job.kind == "video":
        return RedirectResponse(page_link(request, f"/video/{job_id}"), 303)
    return render(request, "job.html", job=job, kinds=KINDS, **result_of(job, having, who))


@router.get("/{job_id}/progress")
def show_progress(request: Request, job_id: JobId, having: Having, who: Who) -> HTMLResponse:
    """How far it is; when it has ended, the page is to be read anew."""
    job = rest.get_job(job_id=job_id, having=having, who=who)
    page = render(request, "_progress.html", job=job)
    if job.state not in ACTIVE:
        page.headers["HX-Refresh"] = "true"
    return page


@router.post("/{job_id}/cancel")
def cancel(request: Request, job_id: JobId, having: Having, who: Who) -> RedirectResponse:
    """Stop it, or remove the files of one that has ended."""
    rest.cancel_job(request=request, job_id=job_id, having=having, who=who, _=None)
    return RedirectResponse(page_link(request, f"/jobs/{job_id}"), 303)


def result_of(job: Job, having: Any, who: Any) -> dict[str, Any]:
    """``result`` and ``files`` of a job that is done; empty ones of others."""
    if job.state != "done":
        return {"result": {}, "files": []}
    found = rest.get_result(job_id=job.id, having=having, who=who, file=None)
    return {"result": found.result, "files": found.files}


def _list(request: Request, having: Any, who: Any, cursor: str | None, template: str) -> HTMLResponse:
    found = rest.list_jobs(having=having, who=who, cursor=cursor, limit=PAGE)
    active = any(job.state in ACTIVE for job in found.jobs)
    return render(
        request, template, jobs=found.jobs, kinds=KINDS, cursor=cursor, next_cursor=found.next_cursor, active=active
    )
