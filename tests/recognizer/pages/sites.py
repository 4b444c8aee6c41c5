"""A running service with pages for a browser, and people in it."""

import socket
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import cv2
import pytest
import requests
import uvicorn

from recognizer.service import listening
from recognizer.service.app import create_app
from recognizer.service.jobs import runner
from recognizer.service.settings import ServiceSettings


@contextmanager
def served(folder, **settings):
    """A service of its own on a free port, which keeps crops; what it writes lies in ``folder``.

    Yields ``url``, ``app``, ``services`` (see ``recognizer.service.context``), ``folder`` and
    ``ask(method, path, ...)``, which asks a REST route as ``requests`` does.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    chosen = ServiceSettings(port=port, jobs_folder=str(folder / "jobs"), **settings)
    app = create_app(chosen, database=f"sqlite:///{folder}/people.db", store_crops=True)
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=2, **listening.options(chosen))
    )
    thread = threading.Thread(target=server.run, daemon=True)
    poll, runner.POLL_SECONDS = runner.POLL_SECONDS, 0.05
    thread.start()
    until = time.monotonic() + 60
    while not server.started and thread.is_alive() and time.monotonic() < until:
        time.sleep(0.02)
    assert server.started
    url = f"http://127.0.0.1:{port}"
    try:
        yield SimpleNamespace(
            url=url, app=app, services=app.state.services, folder=folder,
            ask=lambda method, path, **options: requests.request(method, f"{url}/v1/{path}", timeout=30, **options),
        )  # fmt: skip
    finally:
        server.should_exit = True
        thread.join(30)
        runner.POLL_SECONDS = poll


def photo_files(*pictures):
    """Pictures ``uint8 [H, W, 3]`` BGR as files of a form."""
    encoded = [cv2.imencode(".png", picture)[1].tobytes() for picture in pictures]
    return [("photos", (f"{number}.png", each, "image/png")) for number, each in enumerate(encoded, 1)]


@pytest.fixture(scope="module")
def site(mobilefacenet_files, mtcnn_files, htmx_file, portraits, tmp_path_factory):
    """A service without keys, in whose default gallery are Barack Obama (two photos) and Joe Biden (one)."""
    with served(tmp_path_factory.mktemp("site")) as found:
        for name, pictures in (
            ("Barack Obama", (portraits.obama, portraits.obama2)),
            ("Joe Biden", (portraits.biden,)),
        ):
            answer = found.ask("POST", f"people/{name}/photos", files=photo_files(*pictures))
            assert answer.status_code == 201, answer.text
        yield found


@pytest.fixture(scope="session")
def htmx_file():
    """The script of htmx; tests that need it skip where it cannot be had."""
    from common.errors import FetchFailed
    from recognizer.service.pages import htmx

    try:
        return htmx.fetch()
    except FetchFailed as error:
        pytest.skip(str(error).splitlines()[0])
