"""Whatever is asked, the service answers as its OpenAPI document says: statuses, kinds of content, headers, bodies.

schemathesis makes the requests from the document: its examples, others that it allows, and some that it forbids. They
are the same in each run. Many are about what is really there, so that there are good answers to look at as well.
"""

import copy
import time
from urllib.parse import quote

import cv2
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

schemathesis = pytest.importorskip("schemathesis")

from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.core import NOT_SET  # noqa: E402
from schemathesis.python import asgi  # noqa: E402
from schemathesis.specs.openapi import checks  # noqa: E402

from recognizer.service.app import create_app  # noqa: E402
from recognizer.service.jobs.runner import OURS  # noqa: E402
from recognizer.service.settings import ServiceSettings  # noqa: E402
from tests.recognizer.service.test_openapi import DOCUMENT, OPERATIONS  # noqa: E402

CASES, EDGES = 4, 12  # of an operation: at random, and at most at the edges of what is allowed, and forbidden
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
ALLOWED, FORBIDDEN = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
BASE, GALLERY, SPARE, NAME, OTHER = "http://127.0.0.1:8000", "staff", "spare", "Ann Lee", "Ann L."
SHOWN = ("right", "right", "right", "wrong", None)  # keys
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # of schemathesis' strategies
ways = settings(
    max_examples=CASES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)  # fmt: skip


@pytest.fixture(scope="module")
def service(mobilefacenet_files, mtcnn_files, portraits, tmp_path_factory):
    """A service with a few people, a job that has files, and keys."""
    folder = tmp_path_factory.mktemp("fuzzed")
    options = ServiceSettings(
        keys="required", failures_per_minute=1_000_000, max_jobs=1000, jobs_folder=f"{folder}/jobs", pages=False
    )
    app = create_app(options, database=f"sqlite:///{folder}/people.db", gallery=GALLERY, store_crops=True)
    with TestClient(app, base_url=BASE) as client:
        yield Service(app, client, portraits)


@pytest.fixture(scope="module")
def api(service):
    """The document as schemathesis reads it."""
    schemathesis.openapi.format("binary", st.sampled_from([*service.pictures, b"", b"no picture"]))
    return schemathesis.openapi.from_dict(DOCUMENT)


class Service:
    """Asks it, and puts back what was asked to be gone."""

    def __init__(self, app, client, portraits):
        self.client, self.services = client, app.state.services
        self.app, self.session = app, asgi.ASGIClient(app)
        self.uid = None
        secret = self.services.database.keys.create("right", "admin").secret
        self.keys = {"right": secret, "wrong": secret[:-1] + ("0" if secret[-1] != "0" else "1"), None: None}
        names = ("obama", "obama2", "biden", "wall")
        self.pictures = [cv2.imencode(".jpg", getattr(portraits, name))[1].tobytes() for name in names]
        for name, pictures in ((NAME, self.pictures[:2]), (OTHER, self.pictures[2:3])):
            self.ask("POST", f"people/{name}/photos", files=[("photos", ("1.jpg", each)) for each in pictures])
        self.faces = {name: self.gallery.faces(name) for name in (NAME, OTHER)}
        self.ask("POST", "galleries", json={"name": SPARE})
        self.job = self.ask("POST", f"galleries/{GALLERY}/export").json()["id"]
        while self.ask("GET", f"jobs/{self.job}").json()["state"] != "done":
            time.sleep(0.02)

    def ask(self, method, path, **request):
        """The answer to a request of an admin."""
        headers = {"Authorization": f"Bearer {self.keys['right']}"}
        return self.client.request(method, f"/v1/{path}", headers=headers, **request)

    def answer(self, case, key):
        """The answer to a case, which is as the document says."""
        for shown in ("X-API-Key", "Authorization"):
            case.headers.pop(shown, None)
        headers = {} if self.keys[key] is None else {"Authorization": f"Bearer {self.keys[key]}"}
        answer = case.call(base_url=BASE, session=self.session, app=self.app, headers=headers)
        case.validate_response(answer, checks=CHECKS)
        return answer

    @property
    def gallery(self):
        """The gallery, made anew where it is gone, and called as it was where it has another name."""
        database = self.services.database
        names = database.gallery_names()
        if GALLERY not in names:
            renamed = [name for name in names if database.find(name).uid == self.uid]
            database.rename_gallery(renamed[0], GALLERY) if renamed else self.services.recognizers.warm()
        found = database.find(GALLERY)
        self.uid = found.uid
        return found

    def restored(self):
        """The gallery with its people."""
        gallery = self.gallery
        there = {person.name: person.count for person in gallery.people()}
        for name, faces in self.faces.items():
            if there.get(name, 0) < len(faces):
                gallery.add(name, faces)
        return gallery

    def place(self, case):
        """Let a case be about what is there."""
        gallery = self.restored()
        there = {
            "name": lambda: GALLERY if case.path.startswith("/v1/galleries") else quote(NAME),
            "photo": lambda: gallery.photos(NAME)[0].id,
            "job_id": lambda: self.job,
            "key_id": lambda: self.services.database.keys.create("spare", "read").key.id,
            "token": lambda: gallery.discard([OTHER], 60).token,
        }
        case.path_parameters = {name: there[name]() for name in case.path_parameters}
        for condition in ("If-Match", "If-None-Match", "Idempotency-Key"):
            case.headers.pop(condition, None)
        for name in ("gallery", "cursor"):
            case.query.pop(name, None)


def good(service, operation):
    """A case as the document shows it, about what is there."""
    [*content] = operation.definition.raw.get("requestBody", {}).get("content", {}).items()
    kind, body = (content[0][0], copy.deepcopy(content[0][1]["example"])) if content else (None, NOT_SET)
    names = [each["name"] for each in operation.definition.raw.get("parameters", ()) if each["in"] == "path"]
    case = operation.Case(path_parameters=dict.fromkeys(names), query={}, headers={}, body=body, media_type=kind)
    service.place(case)
    if kind == "multipart/form-data":
        body |= {"photos": service.pictures[: len(body["photos"])]} if "photos" in body else {}
        body |= {"name": "Bob Ray"} if "name" in body else {}
    elif kind is not None:
        body |= {"names": [OTHER]} if "names" in body else {}
        body |= {"photos": [service.gallery.photos(OTHER)[0].id]} if "photos" in body else {}
        body |= {"other": SPARE} if "other" in body else {}
    return case


def edges(api, operation, mode):
    """Cases at the edges of what the document allows, or forbids: from all that there are, some at even distances."""
    config = operation.schema.config.generation_for(operation=operation)
    found = api.iter_coverage_cases(operation, generation_modes=[mode], generation_config=config)
    found = [case for case in found if case.method.upper() == operation.method.upper()]
    return found[:: -(-len(found) // EDGES) or 1]


def cases(operation):
    """Those that the document shows, others that it allows, and some that it forbids."""
    made = [operation.as_strategy(generation_mode=mode) for mode in (ALLOWED, FORBIDDEN)]
    return st.one_of(*operation.get_strategies_from_examples(), *made)


@pytest.mark.parametrize("name", OPERATIONS)
def test_it_answers_as_the_document_says(service, api, name):
    method, path, _ = OPERATIONS[name]
    operation = api[path][method.upper()]

    @ways
    @given(case=cases(operation), key=st.sampled_from(SHOWN), is_there=st.booleans())
    def answers(case, key, is_there):
        if is_there:
            service.place(case)
        service.answer(case, key)

    assert service.answer(good(service, operation), "right").status_code < 300
    for case in edges(api, operation, ALLOWED):
        service.place(case)
        service.answer(case, "right")
    for case in edges(api, operation, FORBIDDEN):
        service.answer(case, "right")
    answers()


def test_no_job_that_was_asked_for_failed_as_nobody_foresaw(service):
    failed = [job.error for job in service.services.database.jobs.list(state="failed", limit=1000)]
    assert OURS not in failed
