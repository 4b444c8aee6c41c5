"""Bodies are counted as they come, and cut where they break a limit, whatever the route makes of it."""

import asyncio
from itertools import chain

import httpx
import pytest

from recognizer.service.middleware.limits import Limits
from recognizer.service.settings import ServiceSettings
from tests.recognizer.service.guarding import client, guarded

MEGABYTE = 2**20


@pytest.fixture
def app():
    return guarded(None, max_body_mb=1, max_photos=4, body_seconds=1)


def pieces(total, size=65536):
    """A body whose length is not told before."""
    for _ in range(total // size):
        yield b"x" * size


BINARY = {"Content-Type": "application/octet-stream"}


def send(app, path, pieces, kind, length=None):
    """The answer to a body that comes in pieces. The client of Starlette puts them together first."""

    async def body():
        for piece in pieces:
            yield piece

    async def sent():
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as asking:
            headers = {"Content-Type": kind} | ({} if length is None else {"Content-Length": str(length)})
            return await asking.post(path, content=body(), headers=headers)

    return asyncio.run(sent())


def test_a_body_that_is_announced_as_too_large_is_refused_unread(app):
    taken = []
    body = (taken.append(at) or b"x" * 65536 for at in range(17))
    answer = send(app, "/v1/read", body, "application/octet-stream", 17 * 65536)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.json()["details"] == {"most_bytes": MEGABYTE}
    assert taken == [] and app.state.read == 0


def test_a_body_of_the_largest_size_passes(app):
    assert client(app).post("/v1/read", content=b"x" * MEGABYTE, headers=BINARY).json() == {"bytes": MEGABYTE}
    app.state.read = 0
    assert send(app, "/v1/read", pieces(MEGABYTE), "application/octet-stream").json() == {"bytes": MEGABYTE}


def test_a_body_whose_length_is_not_told_is_cut_at_the_limit(app):
    answer = send(app, "/v1/read", pieces(4 * MEGABYTE), "application/octet-stream")
    assert answer.status_code == 413
    assert app.state.read == MEGABYTE


@pytest.mark.parametrize("route", ["/v1/form", "/v1/json"])
def test_a_body_that_is_cut_while_it_is_parsed_is_told_as_too_large_not_as_unreadable(app, route):
    kind = "multipart/form-data; boundary=b" if route == "/v1/form" else "application/json"
    begun = b'--b\r\nContent-Disposition: form-data; name="p"; filename="p"\r\n\r\n' if route == "/v1/form" else b""
    answer = send(app, route, chain([begun], pieces(2 * MEGABYTE)), kind)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def parts(number, boundary):
    part = b"--%b\r\nContent-Disposition: form-data; name=p\r\n\r\nx\r\n" % boundary
    return part * number + b"--%b--\r\n" % boundary


@pytest.mark.parametrize("size", [1, 7, 64, 65536])
@pytest.mark.parametrize("boundary", ["simple", '"quo ted"', "-", "a; x=b", 'b; x="; boundary=other"'])
def test_parts_are_counted_however_they_are_cut(app, size, boundary):
    name = boundary.split(";")[0].strip('"').encode()
    most, kind = 4 + 32, f"multipart/form-data; boundary={boundary}"

    def cut(body):
        return (body[at : at + size] for at in range(0, len(body), size))

    assert send(app, "/v1/form", cut(parts(most, name)), kind).json() == {"parts": most}
    refused = send(app, "/v1/form", cut(parts(most + 1, name)), kind)
    assert (refused.status_code, refused.json()["details"]) == (413, {"most": most})


def test_the_letters_of_a_boundary_within_a_photo_are_no_part(app):
    body = b'--b\r\nContent-Disposition: form-data; name="p"; filename="p"\r\n\r\n' + b"--b" * 1000 + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert client(app).post("/v1/form", content=body, headers=headers).json() == {"parts": 1}


@pytest.mark.parametrize("kind", ["multipart/form-data", f"multipart/form-data; boundary={'b' * 71}"])
def test_a_boundary_that_is_missing_or_too_long_is_refused(app, kind):
    assert client(app).post("/v1/form", content=b"x", headers={"Content-Type": kind}).status_code == 422


def test_two_kinds_of_content_are_refused(app):
    headers = [("Content-Type", "multipart/form-data; boundary=a"), ("Content-Type", "application/json")]
    assert client(app).post("/v1/form", content=parts(100, b"a"), headers=headers).status_code == 422


def test_fields_without_files_have_a_limit_of_their_own(app):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client(app).post("/v1/form", content=b"a=b&" * 100, headers=headers).json() == {"parts": 100}
    assert client(app).post("/v1/form", content=b"a=&" * 30_000, headers=headers).status_code == 413


def test_deeply_nested_json_is_refused(app):
    headers = {"Content-Type": "application/json"}
    answer = client(app).post("/v1/json", content=b"[" * 500_000, headers=headers)
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"code", "message", "details"}


def test_a_long_query_is_refused(app):
    assert client(app).get("/v1/health?" + "a" * 20_000).status_code == 413


def test_galleries_and_archives_may_be_as_large_as_a_video(app):
    """Refused by the route, which is not here, and not for the length."""
    for path in ("/v1/galleries/staff/import", "/v1/galleries/a%2Fb/import", "/v1/jobs/video", "/v1/jobs/enroll"):
        assert client(app).post(path, content=b"x" * (2 * MEGABYTE), headers=BINARY).status_code == 404


def scope(**changes):
    headers = [(b"content-type", b"application/octet-stream")]
    return {"type": "http", "method": "POST", "path": "/v1/read", "query_string": b"", "headers": headers} | changes


async def read_all(scope, receive, send):
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def run(limits, receive):
    """The status of the answer."""
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(limits(scope(), receive, send))
    return sent[0]["status"]


def test_a_body_that_does_not_end_in_time_is_cut():
    left = iter(range(50, -1, -1))

    async def drip():
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": next(left) > 0}

    assert run(Limits(read_all, ServiceSettings(body_seconds=0.2)), drip) == 408


def test_the_time_that_the_application_takes_is_not_the_clients():
    async def working(scope, receive, send):
        await receive()
        await asyncio.sleep(0.3)
        await read_all(scope, receive, send)

    left = iter([True, False])

    async def receive():
        return {"type": "http.request", "body": b"x", "more_body": next(left)}

    assert run(Limits(working, ServiceSettings(body_seconds=0.2)), receive) == 200


def test_bodies_together_have_a_limit_and_give_their_room_back():
    piece = b"x" * 65536
    limits = Limits(read_all, ServiceSettings(max_body_mb=1, max_video_mb=1))
    limits._room.most = 100_000

    async def answers():
        gate = asyncio.Event()

        async def first():
            if first.sent:
                await gate.wait()
            first.sent += 1
            return {"type": "http.request", "body": piece, "more_body": first.sent == 1}

        async def second():
            return {"type": "http.request", "body": piece, "more_body": False}

        first.sent = 0
        statuses = []

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        holding = asyncio.create_task(limits(scope(), first, send))
        await asyncio.sleep(0.01)
        await limits(scope(), second, send)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        await limits(scope(), second, send)
        return statuses

    assert asyncio.run(answers()) == [503, 200]
    assert limits._room.taken == 0
