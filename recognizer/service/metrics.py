"""What is counted, for Prometheus; also of several worker processes, whose numbers are then added up.

Several processes share files in the folder that ``PROMETHEUS_MULTIPROC_DIR`` names, which must be set before this
module is imported: ``recognizer serve`` does. Labels are routes, gallery names and fixed words; never a person's name.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import FaceError
from recognizer.quality.rules import RULES
from recognizer.recognizer import Recognizer
from recognizer.results import Enrolment, Recognition
from recognizer.service.context import template

if TYPE_CHECKING:
    from recognizer.matcher import Match

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "recognizer_"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
SIMILARITIES = tuple(each / 20 for each in range(-4, 20))  # -0.2 to 0.95
SCORES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
SIZES = (1, 2, 4, 8, 16, 32, 64)
# How a reason begins for which a photo was refused, and what it is counted as.
REASONS = {
    "unreadable": "unreadable",
    "no face found": "no_face",
    "not sharp enough to tell": "liveness",
    "looks like a picture": "liveness",
    **{rule.wrong: rule.measure for rule in RULES},
}


class Metrics:
    """The numbers of this process, in a registry of their own. Safe to use from several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        having = {"registry": self.registry}
        self._requests = Counter(
            PREFIX + "requests", "Requests answered.", ("method", "route", "status"), **having
        )
        self._seconds = Histogram(
            PREFIX + "request_seconds", "Time from a request to the end of its answer.", ("method", "route"),
            buckets=SECONDS, **having,
        )  # fmt: skip
        self._queue = Gauge(
            PREFIX + "queue", "Requests that wait to be computed.", multiprocess_mode="livesum", **having
        )
        self._overloaded = Counter(PREFIX + "overloaded", "Requests refused because the queue was full.", **having)
        self._computing = Histogram(
            PREFIX + "inference_seconds", "Time that a batch took to compute.", ("work",), buckets=SECONDS, **having
        )
        self._batches = Histogram(
            PREFIX + "batch_requests", "Requests that were computed together.", ("work",), buckets=SIZES, **having
        )
        self._faces = Counter(PREFIX + "faces", "Faces searched, by what came of it.", ("outcome",), **having)
        self._similarity = Histogram(
            PREFIX + "similarity", "Cosine between a searched face and the nearest person.", ("outcome",),
            buckets=SIMILARITIES, **having,
        )  # fmt: skip
        self._score = Histogram(
            PREFIX + "detection_score", "The detector's score of searched faces.", buckets=SCORES, **having
        )
        self._enrolled = Counter(PREFIX + "enrolled_photos", "Photos stored.", **having)
        self._refused = Counter(PREFIX + "refused_photos", "Photos refused at enrolment.", ("reason",), **having)
        self._frames = Counter(
            PREFIX + "live_frames", "Pictures of live connections answered.", ("task", "code"), **having
        )
        self._live = Gauge(
            PREFIX + "live_connections", "Live connections that are open.", multiprocess_mode="livesum", **having
        )
        self._database_errors = Counter(
            PREFIX + "database_errors", "Calls that the database could not serve.", **having
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def waiting(self, requests: int) -> None:
        """So many requests wait to be computed."""
        self._queue.set(requests)

    def overloaded(self) -> None:
        """A request was refused because the queue was full."""
        self._overloaded.inc()

    def computed(self, work: str, seconds: float, requests: int) -> None:
        """A batch was computed."""
        self._computing.labels(work).observe(seconds)
        self._batches.labels(work).observe(requests)

    def searched(self, faces: Iterable[tuple[Recognition, "Match"]]) -> None:
        """Faces of photos were searched."""
        for recognition, match in faces:
            outcome = "known" if recognition.name else "not_live" if match.name else "stranger"
            self._faces.labels(outcome).inc()
            self._similarity.labels(outcome).observe(recognition.similarity)
            self._score.observe(recognition.score)

    def enrolled(self, enrolment: Enrolment) -> None:
        """Photos were stored and refused."""
        self._enrolled.inc(sum(enrolment.added.values()))
        for refusal in enrolment.refused:
            self._refused.labels(_reason(refusal.reason)).inc()

    def live_frame(self, task: str, code: str) -> None:
        """A picture of a live connection was answered, with "answered" or the code of an error."""
        self._frames.labels(task, code).inc()

    def live(self) -> AbstractContextManager[None]:
        """Within it a live connection is open."""
        return self._live.track_inprogress()

    def database_error(self) -> None:
        """The database could not serve a call."""
        self._database_errors.inc()

    def text(self, recognizers: Mapping[str, Recognizer]) -> bytes:
        """All of it in Prometheus' text format. It asks the database for the galleries' revisions."""
        registry = self.registry
        if FOLDER in os.environ:
            _forget_the_dead(Path(os.environ[FOLDER]))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry) + generate_latest(_of_indexes(recognizers))


class Measured:
    """ASGI middleware: counts requests by the route's template, so that no address becomes a label."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            services = getattr(scope["app"].state, "services", None)
            if services is not None:
                taken = time.perf_counter() - began
                services.metrics.answered(scope["method"], template(scope) or "none", status, taken)


def _forget_the_dead(folder: Path) -> None:
    """Take the queues of worker processes that were killed out of the sum; what they counted stays."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdecimal() and not _is_alive(int(pid)):
            mark_process_dead(int(pid), str(folder))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


class _Indexes(Collector):
    def __init__(self, recognizers: Mapping[str, Recognizer]):
        self._recognizers = recognizers

    def collect(self) -> Iterator[Metric]:
        size = GaugeMetricFamily(PREFIX + "index_size", "Rows of the index in this process.", labels=["gallery"])
        lag = GaugeMetricFamily(
            PREFIX + "index_lag_revisions", "Writes to the gallery that the index has not read yet.", labels=["gallery"]
        )
        for name, recognizer in self._recognizers.items():
            if not recognizer.index.is_loaded:
                continue
            size.add_metric([name], recognizer.index.size)
            try:
                lag.add_metric([name], recognizer.index.lag())
            except FaceError:
                continue  # a gallery that was deleted, or a database that is away: the rest is told all the same
        yield from (size, lag)


def _of_indexes(recognizers: Mapping[str, Recognizer]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Indexes(recognizers))
    return registry


def _reason(text: str) -> str:
    return next((counted for part, counted in REASONS.items() if text.startswith(part)), "other")
