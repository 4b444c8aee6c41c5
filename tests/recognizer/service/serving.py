"""A running service for tests, with a gallery of its own for each test: import the fixtures that are needed."""

import itertools
import time
from types import SimpleNamespace

import cv2
import pytest
from fastapi.testclient import TestClient

from common.errors import UnknownGallery
from recognizer.service.app import create_app
from recognizer.service.jobs import runner
from recognizer.service.settings import ServiceSettings

BASE = "http://127.0.0.1:8000"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def application(mobilefacenet_files, mtcnn_files, tmp_path_factory):
    """A service without keys, which keeps crops, and looks for jobs all the time."""
    folder = tmp_path_factory.mktemp("service")
    settings = ServiceSettings(jobs_folder=str(folder / "jobs"), max_photos=8)
    app = create_app(settings, database=f"sqlite:///{folder}/people.db", store_crops=True)
    poll, runner.POLL_SECONDS = runner.POLL_SECONDS, 0.02
    with TestClient(app, base_url=BASE) as client:
        yield SimpleNamespace(app=app, client=client, services=app.state.services, folder=folder)
    runner.POLL_SECONDS = poll


@pytest.fixture
def service(application):
    """The service, asked about a gallery without people; it is another one after a test that changed it."""
    application.spare = getattr(application, "spare", None) or _new_gallery(application)
    name, uid, last = application.spare
    yield Service(application, name, since=last)
    try:
        gallery = application.services.database.find(name)
        if gallery.uid != uid or gallery.threshold is not None:
            raise UnknownGallery
        gallery.delete([person.name for person in gallery.people()])
        application.spare = (name, uid, _last_entry(application))
    except UnknownGallery:
        application.spare = None


def _new_gallery(application):
    name = f"gallery {next(numbers)}"
    made = application.client.post("/v1/galleries", json={"name": name})
    assert made.status_code == 201
    return name, application.services.database.find(name).uid, _last_entry(application)


def _last_entry(application):
    return max((entry.id for entry in application.services.database.audit.entries(limit=1)), default=0)


@pytest.fixture(scope="session")
def pictures(portraits):
    """The portraits, and a wall, as PNG."""
    return SimpleNamespace(
        **{name: cv2.imencode(".png", picture)[1].tobytes() for name, picture in vars(portraits).items()}
    )


class Service:
    """Asks a service about one gallery."""

    def __init__(self, application, gallery, headers=None, since=0):
        self.app, self.client, self.services = application.app, application.client, application.services
        self.folder, self.gallery, self.headers, self.since = application.folder, gallery, headers or {}, since

    def ask(self, method, path, query=None, headers=None, **request):
        """The answer to a request."""
        query = {"gallery": self.gallery} | (query or {})
        return self.client.request(
            method, f"/v1/{path}", params=query, headers={**self.headers, **(headers or {})}, **request
        )

    def enrol(self, name, *photos, mode="add", **request):
        """Photos into somebody."""
        return self.ask("POST", f"people/{name}/photos", {"mode": mode}, files=form(*photos), **request)

    def search(self, photo):
        """The names that a photo gets."""
        answer = self.ask("POST", "search", files=form(photo)).json()
        return [face["name"] for face in answer["photos"][0]["faces"]]

    def names(self):
        """Who is there."""
        return [person["name"] for person in self.ask("GET", "people").json()["people"]]

    def photos(self, name):
        """A person's photos."""
        return self.ask("GET", f"people/{name}/photos").json()["photos"]

    def audited(self, action=None):
        """What the audit log says of this gallery since the test began, the latest first; of one action, or all."""
        found = self.services.database.audit.entries(action=action, gallery=self.gallery)
        return [entry for entry in found if entry.id > self.since]

    def ended(self, answer):
        """The job of an answer, when it has ended."""
        assert answer.status_code == 202, answer.text
        until = time.monotonic() + 20
        while time.monotonic() < until:
            job = self.client.get(f"/v1/jobs/{answer.json()['id']}", headers=self.headers).json()
            if job["state"] in ("done", "failed", "cancelled"):
                return job
            time.sleep(0.02)
        raise AssertionError(f"the job does not end: {job}")


def form(*photos):
    """Photos, or (name, photo), as files of a form."""
    named = [photo if isinstance(photo, tuple) else (f"{number}.png", photo) for number, photo in enumerate(photos, 1)]
    return [("photos", (name, photo, "image/png")) for name, photo in named]


@pytest.fixture(scope="module")
def guarded(mobilefacenet_files, mtcnn_files, tmp_path_factory):
    """A service that asks for keys, with the galleries "staff" and "guests"; ``as_("read", gallery)`` asks with one."""
    folder = tmp_path_factory.mktemp("guarded")
    settings = ServiceSettings(keys="required", jobs_folder=str(folder / "jobs"))
    app = create_app(settings, database=f"sqlite:///{folder}/people.db", gallery="staff")
    with TestClient(app, base_url=BASE) as client:
        services = app.state.services
        model = services.recognizers.of("staff").model
        services.database.gallery("guests", model.name, model.digest, model.dim)
        found = SimpleNamespace(app=app, client=client, services=services, folder=folder)

        def as_(role, gallery=None, of="staff"):
            secret = services.database.keys.create(f"{role} key", role, gallery).secret
            return Service(found, of, {"Authorization": f"Bearer {secret}"})

        found.as_ = as_
        yield found
