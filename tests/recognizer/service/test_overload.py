"""A full queue: who would be refused is told at the door, nothing he sent is kept, and his connection goes on."""

import asyncio
import json
import logging
import socket
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import cv2
import pytest
from fastapi.testclient import TestClient

from recognizer.service import overload, protocol
from recognizer.service.app import create_app
from recognizer.service.context import room
from recognizer.service.middleware import inside, proxy
from recognizer.service.refusals import calls_of
from recognizer.service.routers import ROUTERS
from recognizer.service.settings import ServiceSettings
from tests.recognizer.service.serving import BASE
from tests.recognizer.service.test_protocol import served

BODY = b"x" * 100_000
FORM = b'--b\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\nx\r\n--b--\r\n'
HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def service(mobilefacenet_files, mtcnn_files, tmp_path_factory):
    """A service that asks for keys, in whose queue one may wait; its port and an address with a key."""
    folder = tmp_path_factory.mktemp("overload")
    settings = ServiceSettings(
        keys="required", queue=1, inference_threads=1, jobs_folder=str(folder / "jobs"), trusted_proxies=("127.0.0.1",)
    )
    app = create_app(settings, database=f"sqlite:///{folder}/people.db")
    with TestClient(app, base_url=BASE), served(app, keys="required", max_connections=50) as port:
        services = app.state.services
        key = services.database.keys.create("any", "read").secret
        yield SimpleNamespace(port=port, services=services, key=key)


@contextmanager
def full(service):
    """Within it the queue is full: one request is being computed, and one waits."""
    entered, gate, inference = threading.Event(), threading.Event(), service.services.inference

    def first():
        entered.set()
        gate.wait(20)

    async def both():
        running = asyncio.create_task(inference.run(first))
        await asyncio.to_thread(entered.wait, 20)
        await asyncio.gather(running, inference.run(gate.wait, 20))

    thread = threading.Thread(target=lambda: asyncio.run(both()))
    thread.start()
    try:
        while not (entered.is_set() and inference.is_full):
            assert thread.is_alive()
            time.sleep(0.01)
        yield
    finally:
        gate.set()
        thread.join()


@contextmanager
def connected(service):
    with socket.create_connection(("127.0.0.1", service.port), 10) as connection, connection.makefile("rb") as answers:
        yield SimpleNamespace(send=connection.sendall, read=lambda: read(answers), rest=answers.read)


def read(answers):
    """The next answer of a connection: status, headers, content; None where it has ended."""
    line = answers.readline()
    if not line:
        return None
    headers = {}
    while (field := answers.readline().strip()) != b"":
        name, _, value = field.decode().partition(": ")
        headers[name.lower()] = value
    content = json.loads(answers.read(int(headers["content-length"]))) if "content-length" in headers else None
    return SimpleNamespace(status=int(line.split()[1]), headers=headers, content=content)


def logged(caplog, request_id):
    """The line of the access log about a request; it may come after its answer."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        for record in list(caplog.records):
            if record.name == "recognizer.service.access" and request_id in record.getMessage():
                return json.loads(record.getMessage())
        time.sleep(0.01)
    raise AssertionError("it is not logged")


def request(path="/v1/search", body=BODY, *fields):
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *fields)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_a_full_queue_is_told_before_the_body_and_the_key_and_the_connection_goes_on(service):
    with full(service), connected(service) as client:
        for path in overload.COMPUTING:
            sent = request(f"/v1/{path}?top=3")
            client.send(sent[:-60_000])
            answer = client.read()
            assert answer.status == 503 and answer.content["code"] == "overloaded"
            assert int(answer.headers["retry-after"]) >= 1 and answer.content["details"] == {"waiting": 1}
            client.send(sent[-60_000:-1])
            client.send(sent[-1:] + HEALTH)
            assert client.read().content["status"] == "ok", "what followed the body is the next request"


def test_it_is_counted_logged_and_protected_like_any_other_answer(service, caplog):
    caplog.set_level(logging.INFO, "recognizer.service.access")
    counted = "recognizer_requests_total", {"method": "POST", "route": "/v1/search", "status": "503"}
    registry = service.services.metrics.registry
    before = [registry.get_sample_value(*counted) or 0, registry.get_sample_value("recognizer_overloaded_total")]
    with full(service), connected(service) as client:
        client.send(request("/v1/search", BODY, "X-Forwarded-For: 203.0.113.9, 198.51.100.7") + HEALTH)
        refused, served_next = client.read(), client.read()
    after = [registry.get_sample_value(*counted), registry.get_sample_value("recognizer_overloaded_total")]
    assert after == [before[0] + 1, before[1] + 1]
    assert refused.headers.keys() | {"retry-after"} == served_next.headers.keys() | {"retry-after"}
    line, _, number = refused.headers["x-request-id"].partition("-")
    first, second = (logged(caplog, each) for each in (line, served_next.headers["x-request-id"]))
    assert first.keys() == second.keys() | {"requests"} and (number, first["requests"]) == ("1", 1)
    assert (first["address"], first["route"], first["status"]) == ("198.51.100.7", "/v1/search", 503)


def test_the_log_is_told_in_one_line_a_second_for_each_address_and_route(service, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "recognizer.service.access")
    monkeypatch.setattr(overload, "SECONDS", 0.3)
    sent = [("/v1/search", "198.51.100.7")] * 3 + [("/v1/search", "198.51.100.8"), ("/v1/embed", "198.51.100.7")]
    ids = {each: [] for each in sent}
    with full(service), connected(service) as client:
        for path, address in sent:
            client.send(request(path, BODY, f"X-Forwarded-For: {address}"))
            answer = client.read()
            ids[path, address].append((answer.headers["x-request-id"], int(answer.headers["content-length"])))
    for (path, address), told in ids.items():
        names, lengths = zip(*told, strict=True)
        [line] = {name.partition("-")[0] for name in names}
        assert names == tuple(f"{line}-{number}" for number in range(1, len(names) + 1))
        entry = logged(caplog, line)
        assert (entry["route"], entry["address"], entry["requests"]) == (path, address, len(names))
        assert (entry["status"], entry["bytes_in"], entry["bytes_out"]) == (503, 0, sum(lengths))
    written = len([record for record in caplog.records if record.name == "recognizer.service.access"])
    with full(service), connected(service) as client:
        client.send(request())
        later = client.read().headers["x-request-id"].partition("-")[0]
    assert logged(caplog, later)["requests"] == 1 and written == len(ids), "the next second begins anew"


def test_the_end_of_a_service_leaves_no_refusal_out_of_the_log(mobilefacenet_files, mtcnn_files, tmp_path, caplog):
    caplog.set_level(logging.INFO, "recognizer.service.access")
    settings = ServiceSettings(queue=1, inference_threads=1, jobs_folder=str(tmp_path / "jobs"))
    app = create_app(settings, database=f"sqlite:///{tmp_path}/people.db")
    with TestClient(app, base_url=BASE), served(app) as port:
        service = SimpleNamespace(port=port, services=app.state.services)
        with full(service), connected(service) as client:
            client.send(request())
            line = client.read().headers["x-request-id"].partition("-")[0]
    assert logged(caplog, line)["requests"] == 1


def test_when_there_is_room_again_the_same_connection_is_served(service, portraits):
    photo = cv2.imencode(".jpg", portraits.obama)[1].tobytes()
    form = b'--b\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\n' + photo + b"\r\n--b--\r\n"
    fields = ("Content-Type: multipart/form-data; boundary=b", f"X-API-Key: {service.key}")
    with connected(service) as client:
        with full(service):
            client.send(request("/v1/detect", form, *fields))
            assert client.read().status == 503
        client.send(request("/v1/detect", form, *fields))
        answer = client.read()
    assert answer.status == 200 and len(answer.content["photos"][0]["faces"]) == 1


def test_who_is_let_in_has_a_place_while_his_body_comes_and_when_he_leaves_no_more(service):
    fields = ("Content-Type: multipart/form-data; boundary=b", f"X-API-Key: {service.key}")
    photo, inference = request("/v1/detect", FORM, *fields), service.services.inference
    with connected(service) as other:
        with connected(service) as slow:
            slow.send(photo[:-1])
            until(lambda: inference.is_full)
            other.send(photo)
            refused = other.read()
            assert refused.status == 503 and refused.content["details"] == {"waiting": 0}
            slow.send(photo[-1:])
            assert slow.read().content["code"] == "bad_picture"
            until(lambda: not inference.is_full)
            slow.send(photo[:-1])
            until(lambda: inference.is_full)
        until(lambda: not inference.is_full)
        other.send(photo)
        assert other.read().content["code"] == "bad_picture"


def test_who_is_slow_keeps_nobody_out(service, monkeypatch):
    monkeypatch.setattr(inside, "SECONDS", 0.2)
    fields = ("Content-Type: multipart/form-data; boundary=b", f"X-API-Key: {service.key}")
    photo, inference = request("/v1/detect", FORM, *fields), service.services.inference
    with connected(service) as slow, connected(service) as other:
        slow.send(photo[:-1])
        until(lambda: inference.is_full)
        time.sleep(0.1)
        assert inference.is_full
        until(lambda: not inference.is_full)
        other.send(photo)
        assert other.read().content["code"] == "bad_picture"
        slow.send(photo[-1:])
        assert slow.read().content["code"] == "bad_picture"
    until(lambda: inference.inside == 0)


def test_the_place_is_refused_also_to_who_was_not_seen_at_the_door(service):
    chunked = b"POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
    fields = ("Content-Type: multipart/form-data; boundary=b", f"X-API-Key: {service.key}")
    with connected(service) as slow, connected(service) as other:
        slow.send(request("/v1/detect", FORM, *fields)[:-1])
        until(lambda: service.services.inference.is_full)
        other.send(chunked % service.key.encode())
        assert other.read().content["code"] == "overloaded"


def until(is_so):
    ending = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < ending
        time.sleep(0.005)


UNUSUAL = {
    "another route": request("/v1/people"),
    "a longer path": request("/v1/search/x"),
    "another method": request().replace(b"POST", b"PUT", 1),
    "pieces": request("/v1/search", b"", "Transfer-Encoding: chunked"),
    "two lengths": request("/v1/search", b"x", "Content-Length: 2"),
    "the length twice": request("/v1/search", b"x", "content-length: 1"),
    "no length": request().replace(b"Content-Length", b"Content-Lengths", 1),
    "a signed length": request().replace(b"h: 1", b"h: +1", 1),
    "lengths in a list": request().replace(b"h: 1", b"h: 1, 1", 1),
    "a space before the colon": request().replace(b"Length:", b"Length :", 1),
    "a folded line": request("/v1/search", b"x", "X-a: b", " c"),
    "a bare line feed": request().replace(b"\r\nHost", b"\nHost", 1),
    "a bare carriage return": request("/v1/search", b"x", "X-a: b\rc"),
    "a zero": request("/v1/search", b"x", "X-a: \0"),
    "two hosts": request("/v1/search", b"x", "Host: elsewhere"),
    "no host": request().replace(b"Host", b"Hosts", 1),
    "an upgrade": request("/v1/search", b"x", "Upgrade: websocket", "Connection: upgrade"),
    "an end": request("/v1/search", b"x", "Connection: close"),
    "an expectation": request("/v1/search", b"x", "Expect: 100-continue"),
    "an older protocol": request().replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "half a head": request()[:40],
    "a long head": request("/v1/search", b"x", f"X-a: {'a' * overload.LONGEST_HEAD}"),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_what_is_unusual_is_left_to_those_who_know_all_of_http(kind):
    assert overload.head_of(request()) is not None
    assert overload.head_of(UNUSUAL[kind]) is None


@pytest.mark.parametrize(("kind", "status", "goes_on"), [
    ("pieces", 401, True), ("half a head", 401, True), ("an end", 401, False), ("two lengths", 400, False)
])  # fmt: skip
def test_what_is_left_to_others_is_answered_once(service, kind, status, goes_on):
    rest = {"pieces": b"0\r\n\r\n", "half a head": request()[40:]}
    with full(service), connected(service) as client:
        client.send(UNUSUAL[kind])
        time.sleep(0.05)
        client.send(rest.get(kind, b""))
        assert client.read().status == status
        if goes_on:
            client.send(HEALTH)
            assert client.read().content["status"] == "ok"
        else:
            assert b"HTTP/1.1" not in client.rest()


def test_what_stands_within_another_request_is_none(service):
    with full(service), connected(service) as client:
        client.send(b"GET /v1/health HTTP/1.1\r\nX-a: ")
        time.sleep(0.05)
        client.send(request("/v1/search", b"", "Connection: keep-alive"))
        assert client.read().content["status"] == "ok", "all of it is the value and the headers of one request"
        client.send(b"POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300\r\n\r\n")
        assert client.read().status == 401
        client.send(request("/v1/search", b"x" * 300)[:300] + HEALTH)
        assert client.read().content["status"] == "ok", "the first 300 bytes are the body of the one before"


def test_who_takes_no_answers_is_not_answered_for_ever(service):
    with full(service), socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", service.port))
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            for _ in range(400):
                client.sendall(request("/v1/search", b"x" * 1000) * 100)


def test_a_body_that_was_refused_and_does_not_come_is_waited_for_as_long_as_headers(service, monkeypatch):
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.5)
    with full(service), connected(service) as client:
        for _ in range(4):  # longer than the time, which begins anew with each request
            client.send(request())
            assert client.read().status == 503
            time.sleep(0.2)
        client.send(request()[:-1])
        assert client.read().status == 503
        began = time.monotonic()
        assert client.read() is None
        assert 0.3 < time.monotonic() - began < 8


def test_the_routes_that_are_refused_at_the_door_are_those_that_ask_for_room():
    computing = {
        route.path.removeprefix("/")
        for router in ROUTERS
        for route in router.routes
        if room in calls_of(route.dependant)
    }
    assert computing == set(overload.COMPUTING)


@pytest.mark.parametrize("client", ["127.0.0.1", "::ffff:127.0.0.1", "203.0.113.5"])
@pytest.mark.parametrize("told", [[], ["198.51.100.7"], ["1.2.3.4", "198.51.100.7, 127.0.0.1"], ["nobody"], [""]])
def test_the_address_is_that_which_other_answers_log(client, told):
    headers = [(b"x-forwarded-for", each.encode()) for each in told]
    scope = {"type": "http", "client": (client, 5), "headers": headers, "scheme": "http"}
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["state"]["address"])

    asyncio.run(proxy.Proxy(app, ("127.0.0.1",))(dict(scope), None, None))
    assert [proxy.address(scope, ("127.0.0.1",))] == seen
