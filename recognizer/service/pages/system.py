"""What runs here, and how it does: versions, networks, database, indexes, times and scores."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from prometheus_client.parser import text_string_to_metric_families

from common import __version__, cores
from recognizer.service.context import Having, Services, allow, everywhere
from recognizer.service.pages.histograms import Histogram, histograms
from recognizer.service.pages.templating import render

router = APIRouter(prefix="/system", dependencies=[Depends(allow("read")), Depends(everywhere)])
PACKAGES = (
    "openvino",
    "numpy",
    "opencv-python-headless",
    "SQLAlchemy",
    "fastapi",
    "uvicorn",
    "av",
    "faiss-cpu",
    "mysql-connector-python",
)
SHOWN = {
    "recognizer_request_seconds": ("Answers", "seconds", {"route": "/v1/search"}),
    "recognizer_inference_seconds": ("Computing a batch of searches", "seconds", {"work": "search"}),
    "recognizer_similarity": ("Similarity of searched faces to the nearest person", "cosine", {}),
    "recognizer_detection_score": ("Detection score of searched faces", "score", {}),
}  # fmt: skip


class Index(NamedTuple):
    """The index of a gallery in this process."""

    gallery: str
    model: str
    kind: str
    rows: int
    behind: int


@router.get("")
def show(request: Request, having: Having) -> HTMLResponse:
    """The page."""
    default = having.recognizers.of(having.recognizers.default)
    return render(
        request, "system.html", versions=_versions(), machine=_machine(), database=_database(having),
        recognizer=default, card=default.model.card, detector=type(default.detector).__name__, **_figures(having),
    )  # fmt: skip


@router.get("/figures")
def show_figures(request: Request, having: Having) -> HTMLResponse:
    """The part of the page that changes."""
    return render(request, "_figures.html", **_figures(having))


def _figures(having: Services) -> dict[str, object]:
    families = {each.name: each for each in text_string_to_metric_families(_text(having))}
    found: list[Histogram] = []
    for name, (title, unit, labels) in SHOWN.items():
        if name in families:
            found += histograms(families[name], title, unit, labels)
    counts = {
        "Requests answered": _sum(families, "recognizer_requests"),
        "Requests that wait": _sum(families, "recognizer_queue"),
        "Refused because too many waited": _sum(families, "recognizer_overloaded"),
        "Faces searched": _sum(families, "recognizer_faces"),
        "Photos stored": _sum(families, "recognizer_enrolled_photos"),
        "Photos refused": _sum(families, "recognizer_refused_photos"),
        "Calls that the database could not serve": _sum(families, "recognizer_database_errors"),
    }
    return {"counts": counts, "histograms": found, "indexes": _indexes(having, families)}


def _text(having: Services) -> str:
    return having.metrics.text(having.recognizers.opened()).decode()


def _sum(families: dict, name: str) -> int:
    """Of all samples but those that say when a counter was made."""
    samples = families[name].samples if name in families else ()
    return int(sum(each.value for each in samples if not each.name.endswith("_created")))


def _indexes(having: Services, families: dict) -> list[Index]:
    def by_gallery(name: str) -> dict[str, int]:
        return {each.labels["gallery"]: int(each.value) for each in families[name].samples} if name in families else {}

    rows, behind = by_gallery("recognizer_index_size"), by_gallery("recognizer_index_lag_revisions")
    opened = having.recognizers.opened()
    return [
        Index(name, opened[name].model.name, opened[name].index.kind or "", count, behind.get(name, 0))
        for name, count in sorted(rows.items())
        if name in opened
    ]


def _versions() -> dict[str, str]:
    found = {"insightface-tensorflow": __version__, "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # of an extra that is not installed
    return found


def _machine() -> dict[str, str]:
    system = f"{platform.system()} {platform.machine()}"
    return {"System": system, "Cores": str(cores.usable()), "Process": str(os.getpid())}


def _database(having: Services) -> dict[str, str]:
    return {"Kind": having.database.engine, "Place": having.database.place, "Revision": having.database.revision}
