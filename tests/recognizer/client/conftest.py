"""A real service with keys, which clients ask over TCP."""

import threading
import time
from types import SimpleNamespace

import cv2
import pytest
import uvicorn

from recognizer.client import Client
from recognizer.service import listening
from recognizer.service.app import create_app
from recognizer.service.jobs import runner
from recognizer.service.settings import ServiceSettings


@pytest.fixture(scope="session")
def server(mobilefacenet_files, mtcnn_files, tmp_path_factory):
    """The address of a service with the galleries "staff" and "guests", its database, and a key of each role."""
    folder = tmp_path_factory.mktemp("served")
    settings = ServiceSettings(
        keys="required", failures_per_minute=100_000, jobs_folder=str(folder / "jobs"), pages=False
    )
    app = create_app(settings, database=f"sqlite:///{folder}/people.db", gallery="staff", store_crops=True)
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="on", **listening.options(settings))
    uvicorns, poll = uvicorn.Server(config), runner.POLL_SECONDS
    runner.POLL_SECONDS = 0.02
    running = threading.Thread(target=uvicorns.run)
    running.start()
    try:
        while not uvicorns.started:
            assert running.is_alive()
            time.sleep(0.01)
        port = uvicorns.servers[0].sockets[0].getsockname()[1]
        database = app.state.services.database
        keys = {role: database.keys.create(role, role).secret for role in ("read", "enrol", "admin")}
        model = app.state.services.recognizers.of("staff").model
        database.gallery("guests", model.name, model.digest, model.dim)
        yield SimpleNamespace(url=f"http://127.0.0.1:{port}", port=port, database=database, keys=keys)
    finally:
        uvicorns.should_exit = True
        running.join()
        runner.POLL_SECONDS = poll


@pytest.fixture
def client(server):
    """A client of an admin, and nobody in its gallery."""
    with Client(server.url, server.keys["admin"]) as admin:
        yield admin
    gallery = server.database.find("staff")
    gallery.delete([person.name for person in gallery.people()])


@pytest.fixture(scope="session")
def photos(portraits, tmp_path_factory):
    """The paths of photos of two people, and of a wall."""
    folder, found = tmp_path_factory.mktemp("photos"), {}
    for name, picture in vars(portraits).items():
        found[name] = folder / f"{name}.jpg"
        cv2.imwrite(str(found[name]), picture)
    return SimpleNamespace(**found)
