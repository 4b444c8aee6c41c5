"""Video: handing one in, its progress, who is in it and when, the copy with names to watch and to download."""

from typing import Any, NamedTuple

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from recognizer.service.context import Having, allow
from recognizer.service.jobs.kinds.video import COPY
from recognizer.service.pages.jobs import result_of
from recognizer.service.pages.templating import page_link, render
from recognizer.service.routers import jobs as rest
from recognizer.service.routers.jobs import JobId, Who

router = APIRouter(prefix="/video", dependencies=[Depends(allow("read"))])
RECENT = 20  # videos that are listed
TICKS = 6  # times that are written under the timeline, at most
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)  # seconds between them


class Span(NamedTuple):
    """A time in which somebody is in sight: seconds, and the place on a line of 1000 parts."""

    first: float
    last: float
    left: float
    width: float
    similarity: float


class Lane(NamedTuple):
    """One person's line, or a stranger's."""

    name: str | None
    words: str
    seconds: float
    spans: list[Span]


class Tick(NamedTuple):
    """A time under the lines."""

    seconds: int
    left: float


@router.get("")
def show(request: Request, having: Having, who: Who) -> HTMLResponse:
    """The form, and the latest videos."""
    found = rest.list_jobs(having=having, who=who, kind="video", cursor=None, limit=RECENT)
    return render(request, "video.html", jobs=found.jobs, most=having.settings.max_video_mb)


@router.get("/{job_id}")
def show_video(request: Request, job_id: JobId, having: Having, who: Who) -> Response:
    """One video: how far it is, or who is in it."""
    job = rest.get_job(job_id=job_id, having=having, who=who)
    if job.kind != "video":
        return RedirectResponse(page_link(request, f"/jobs/{job_id}"), 303)
    found = result_of(job, having, who)
    has_copy = any(file.name == COPY for file in found["files"])
    return render(
        request, "video_job.html", job=job, has_copy=has_copy, copy=COPY, lanes=lanes(found["result"]),
        ticks=ticks(found["result"]), clock=clock, **found,
    )  # fmt: skip


def lanes(result: dict[str, Any]) -> list[Lane]:
    """The tracks of a result by person, longest in sight first; each stranger for itself, after them."""
    length = _length(result)
    by_name: dict[str, list[Span]] = {}
    strangers: list[Lane] = []
    for track in result.get("tracks", []):
        span = _span(track, length)
        if track["name"] is not None:
            by_name.setdefault(track["name"], []).append(span)
        else:
            strangers.append(Lane(None, f"stranger {len(strangers) + 1}", span.last - span.first, [span]))
    known = [Lane(name, name, sum(each.last - each.first for each in spans), spans) for name, spans in by_name.items()]
    return sorted(known, key=lambda lane: (-lane.seconds, lane.words)) + strangers


def ticks(result: dict[str, Any]) -> list[Tick]:
    """Round times, so many that they can be read."""
    length = _length(result)
    step = next((each for each in STEPS if length / each <= TICKS), 3600 * (1 + int(length / 3600 / TICKS)))
    return [Tick(at, round(1000 * at / length, 1)) for at in range(0, int(length) + 1, step)]


def clock(seconds: float, length: float = 60.0) -> str:
    """Minutes and seconds: "2:05"; with hours where there are some, with tenths in a video under a minute."""
    if length < 60:
        return f"0:{seconds:04.1f}"
    minutes, rest_of = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest_of:02}" if minutes >= 60 else f"{minutes}:{rest_of:02}"


def _length(result: dict[str, Any]) -> float:
    """Seconds from the beginning of the file to what was seen last; never 0."""
    ends = [track["last"] for track in result.get("tracks", [])]
    return max([result.get("totals", {}).get("seconds", 0.0), *ends, 0.1])


def _span(track: dict[str, Any], length: float) -> Span:
    left = 1000 * track["first"] / length
    width = max(4.0, 1000 * (track["last"] - track["first"]) / length)  # of one frame, too, something is seen
    return Span(track["first"], track["last"], round(min(left, 996.0), 1), round(width, 1), track["similarity"])
