"""The live connection against a real server: pictures one by one, hostile messages, keys that end, the end itself."""

import asyncio
import base64
import gc
import http.client
import json
import logging
import os
import socket
import struct
import threading
import time
import zlib
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import uvicorn
from fastapi import WebSocket
from starlette.testclient import WebSocketDenialResponse

import db
from db import keys as database_keys
from mtcnn.detector import most_prominent
from recognizer import Recognizer
from recognizer.quality import PORTRAIT, Shortfall, assess
from recognizer.quality.rules import RULES
from recognizer.service import listening, protocol
from recognizer.service.app import create_app
from recognizer.service.live import advice, connection
from recognizer.service.live import protocol as live_protocol
from recognizer.service.settings import ServiceSettings
from tests.recognizer.service.guarding import bearer, client, guarded

websockets = pytest.importorskip("websockets")
from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

MEGABYTE = 2**20
QUEUE = 6
SETTINGS = ServiceSettings(keys="required", queue=QUEUE, inference_threads=1, max_pixels=10_000_000, pages=False)
PAGE = Path(__file__).parents[3] / "docs" / "live.md"


@contextmanager
def served(app, **options):
    """The port of a server, which has ended afterwards."""
    config = uvicorn.Config(
        app, port=0, log_config=None, timeout_graceful_shutdown=20, **listening.options(SETTINGS), **options
    )
    server = uvicorn.Server(config)
    running = threading.Thread(target=server.run)
    running.start()
    try:
        while not server.started:
            assert running.is_alive()
            time.sleep(0.01)
        yield SimpleNamespace(port=server.servers[0].sockets[0].getsockname()[1], server=server, running=running)
    finally:
        server.should_exit = True
        running.join(30)
        assert not running.is_alive()


@pytest.fixture(scope="module")
def service(mobilefacenet_files, mtcnn_files, portraits, tmp_path_factory):
    """A running service with Obama and Biden in the gallery "staff", and nobody in "guests"."""
    url = f"sqlite:///{tmp_path_factory.mktemp('live')}/people.db"
    app = create_app(SETTINGS, database=url, gallery="staff")
    with served(app) as running:
        services = app.state.services
        staff = services.recognizers.of("staff")
        staff.add_customs({"Obama": [portraits.obama], "Biden": [portraits.biden]})
        services.database.gallery("guests", staff.model.name, staff.model.digest, staff.model.dim)
        found = SimpleNamespace(app=app, services=services, url=url, **vars(running))
        found.read = services.database.keys.create("camera", "read").secret
        found.enrol = services.database.keys.create("desk", "enrol").secret
        yield found


def opened(service, query="", key=None, **options):
    """A connection of a client that never unpacks."""
    headers = bearer(key or service.read) if key != "" else {}
    return connect(
        f"ws://127.0.0.1:{service.port}/v1/live{query}", compression=None, proxy=None, max_queue=None,
        additional_headers=headers | options.pop("headers", {}), **options,
    )  # fmt: skip


def ask(live, picture):
    """The answer to a picture."""
    live.send(picture)
    return json.loads(live.recv(20))


def closing(live, seconds=5.0):
    """The code and reason that the service closes a connection with."""
    with pytest.raises(ConnectionClosed) as caught:
        live.recv(seconds)
    return caught.value.rcvd.code, caught.value.rcvd.reason


def search(service, photo):
    """The answer of ``POST /v1/search``."""
    body = b"--b\r\nContent-Disposition: form-data; name=photos; filename=a\r\n\r\n" + photo + b"\r\n--b--\r\n"
    headers = bearer(service.read) | {"Content-Type": "multipart/form-data; boundary=b"}
    asking = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    asking.request("POST", "/v1/search", body, headers)
    answer = json.loads(asking.getresponse().read())
    asking.close()
    return answer


def encoded(picture, suffix=".jpg"):
    return cv2.imencode(suffix, picture)[1].tobytes()


def sample(service, name, **labels):
    """A metric's value."""
    return service.services.metrics.registry.get_sample_value(name, labels or None) or 0.0


def until(is_so, seconds=5.0):
    """Wait for something, and say whether it came."""
    ending = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < ending:
        time.sleep(0.01)
    return found


@pytest.fixture
def busy(service):
    """The one thread that computes has its hands full until ``busy.end()``; ``busy.fill()`` fills the queue."""
    held, over = threading.Event(), threading.Event()
    inference, waiting = service.services.inference, []

    def submit(function):
        one = threading.Thread(target=lambda: asyncio.run(inference.run(function)))
        one.start()
        waiting.append(one)

    def hold():
        held.set()
        over.wait(20)

    def fill():
        for number in range(QUEUE):
            submit(int)
            assert until(lambda number=number: inference.waiting == number + 1)

    submit(hold)
    assert held.wait(5)
    yield SimpleNamespace(end=over.set, fill=fill)
    over.set()
    for one in waiting:
        one.join()


# Recognizing


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_picture_is_answered_with_what_search_says_of_it(service, portraits, suffix):
    both = encoded(np.hstack([portraits.obama2, portraits.biden]), suffix)
    said = search(service, both)
    with opened(service) as live:
        answer = ask(live, both)
    assert answer["frame"] == 1 and answer["size"] == [520, 260] and 0 < answer["seconds"] < 20
    assert answer["faces"] == said["photos"][0]["faces"]
    assert {face["name"] for face in answer["faces"]} == {"Obama", "Biden"}
    for same in ("gallery", "model", "threshold", "threshold_far"):
        assert answer[same] == said[same]


def test_answers_come_in_order_also_to_a_client_that_does_not_wait(service, portraits):
    people = ("obama2", "biden", "wall") * 3
    with opened(service) as live:
        for name in people:
            live.send(encoded(getattr(portraits, name)))
        answers = [json.loads(live.recv(20)) for _ in people]
    assert [answer["frame"] for answer in answers] == list(range(1, 10))
    assert [[face["name"] for face in answer["faces"]] for answer in answers] == [["Obama"], ["Biden"], []] * 3


def test_of_a_client_that_does_not_wait_one_picture_is_in_work(service, portraits, busy):
    with opened(service) as live:
        for _ in range(5):
            live.send(encoded(portraits.obama2))
        assert until(lambda: service.services.inference.waiting == 1)
        time.sleep(0.1)
        assert service.services.inference.waiting == 1
        busy.end()
        assert [json.loads(live.recv(20))["frame"] for _ in range(5)] == [1, 2, 3, 4, 5]


def test_pictures_of_several_connections_are_computed_together(service, portraits, busy):
    batches = sample(service, "recognizer_batch_requests_count", work="search")
    requests = sample(service, "recognizer_batch_requests_sum", work="search")
    with ExitStack() as stack:
        many = [stack.enter_context(opened(service)) for _ in range(QUEUE // 2)]
        for live, name in zip(many, ("obama2", "biden", "wall"), strict=True):
            live.send(encoded(getattr(portraits, name)))
        assert until(lambda: service.services.inference.waiting == len(many))
        busy.end()
        answers = [json.loads(live.recv(20)) for live in many]
    assert [[face["name"] for face in answer["faces"]] for answer in answers] == [["Obama"], ["Biden"], []]
    assert until(lambda: sample(service, "recognizer_batch_requests_sum", work="search") == requests + 3)
    assert sample(service, "recognizer_batch_requests_count", work="search") == batches + 1


def test_a_full_queue_is_told_of_the_picture_and_the_next_try_is_answered(service, portraits, busy):
    with opened(service) as live:
        busy.fill()
        refused = ask(live, encoded(portraits.obama2))
        assert (refused["frame"], refused["code"]) == (1, "overloaded") and refused["message"]
        assert refused["details"]["waiting"] == QUEUE and refused["details"]["retry_after"] > 0
        busy.end()
        assert until(lambda: service.services.inference.waiting == 0)
        answer = ask(live, encoded(portraits.obama2))
    assert (answer["frame"], answer["faces"][0]["name"]) == (2, "Obama")


def test_another_person_in_the_gallery_is_known_in_the_next_picture(service, portraits):
    with opened(service, "?gallery=guests") as live:
        assert ask(live, encoded(portraits.obama2))["faces"][0]["name"] is None
        service.services.recognizers.of("guests").add_customs("Barack", [portraits.obama])
        assert ask(live, encoded(portraits.obama2))["faces"][0]["name"] == "Barack"
        service.services.recognizers.of("guests").del_customs(["Barack"])
        assert ask(live, encoded(portraits.obama2))["faces"][0]["name"] is None


# Before a shot is taken


@pytest.fixture(scope="module")
def close_up(portraits):
    """A portrait at which nothing is wrong."""
    return cv2.resize(portraits.obama3, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def recognizer(service):
    with Recognizer(database=service.url, gallery="staff") as own:
        yield own


def advised(recognizer, picture):
    """The sentences of the recognizer's own advice on the most prominent face."""
    found = recognizer.detect(picture)
    return assess(picture, found, most_prominent(found, picture.shape), PORTRAIT).advice


@pytest.mark.parametrize("spoil, code", [
    (lambda picture: picture, None),
    (lambda picture: np.uint8(picture * 0.25), "too_dark"),
    (lambda picture: np.uint8(np.clip(picture * 1.3 + 90, 0, 255)), "too_bright"),
    (lambda picture: cv2.GaussianBlur(picture, (0, 0), 9), "not_sharp"),
    (lambda picture: cv2.resize(picture, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA), "too_small"),
    (lambda picture: cv2.warpAffine(picture, cv2.getRotationMatrix2D((260, 260), 30, 1), (520, 520)), "leaning"),
])  # fmt: skip
def test_a_face_gets_the_advice_of_its_quality(service, recognizer, close_up, spoil, code):
    picture = spoil(close_up)
    with opened(service, "?task=enrol", service.enrol) as live:
        answer = ask(live, encoded(picture, ".png"))
    expected = advised(recognizer, picture)
    assert [each["message"] for each in answer["advice"]] == expected
    assert answer["ready"] == (expected == []) == (code is None)
    assert code is None or code in [each["code"] for each in answer["advice"]]
    assert len(answer["faces"]) == 1 and answer["chosen"] == 0 and answer["frame"] == 1
    assert set(answer["faces"][0]) == {"box", "landmarks", "score"}
    assert answer["size"] == [picture.shape[1], picture.shape[0]]


def test_no_face_and_several_faces_are_told_and_the_most_prominent_is_the_one(service, recognizer, portraits, close_up):
    small = cv2.resize(portraits.biden, (130, 130))
    two = np.full((560, 760, 3), 90, np.uint8)
    two[20:540, 120:640], two[:130, :130] = close_up, small
    with opened(service, "?task=enrol", service.enrol) as live:
        nobody, several = ask(live, encoded(portraits.wall)), ask(live, encoded(two, ".png"))
    assert (nobody["faces"], nobody["chosen"], nobody["ready"]) == ([], None, False)
    assert [each["code"] for each in nobody["advice"]] == ["no_face"]
    assert len(several["faces"]) == 2 and several["size"] == [760, 560] and not several["ready"]
    assert [each["code"] for each in several["advice"]][0] == "several_faces"
    found = recognizer.detect(two)
    assert several["chosen"] == most_prominent(found, two.shape)
    assert several["faces"][several["chosen"]]["box"][0] > 120


def test_a_shot_that_is_advised_on_is_not_stored(service, close_up):
    before = service.services.database.find("staff").revision()
    with opened(service, "?task=enrol", service.enrol) as live:
        ask(live, encoded(close_up))
    assert service.services.database.find("staff").revision() == before


def test_each_rule_of_quality_has_a_code_of_its_own_that_is_documented():
    codes = [advice.code_of(Shortfall(rule.measure, f"{rule.wrong} (1; at least 2)", rule.advice)) for rule in RULES]
    assert len(set(codes)) == len(RULES) and set(codes) == set(advice.CODES.values())
    page = PAGE.read_text("utf-8")
    for code in (*codes, "no_face", "several_faces"):
        assert f"`{code}`" in page


# What is wrong with a picture, and what is abuse


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, data):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("task", ["recognize", "enrol"])
def test_a_picture_that_cannot_be_read_is_told_and_the_next_one_is_answered(service, portraits, task):
    bomb = png(100, 100, zlib.compress(bytes(64 * MEGABYTE), 9))  # says 100x100
    bad = (b"", b"no picture", os.urandom(50_000), encoded(portraits.obama)[:3000], bomb)
    with opened(service, f"?task={task}", service.enrol) as live:
        for number, each in enumerate(bad, 1):
            answer = ask(live, each)
            assert answer["frame"] == number
            assert answer.get("code") == "bad_picture" or (each is bomb and answer["faces"] == []), answer
            assert answer.get("code") is None or (answer["message"] and isinstance(answer["details"], dict))
        assert len(ask(live, encoded(portraits.obama))["faces"]) == 1


ABUSE = {
    "text": ("a picture", 1003),
    "too many bytes": (bytes(3 * MEGABYTE), 1009),
    "too many bytes in pieces": ([bytes(MEGABYTE)] * 3, 1009),
    "too many pixels": (png(10_000, 10_000, zlib.compress(b"")), 1008),
    "a side too long": (png(40_000, 10, zlib.compress(b"")), 1008),
    "more than there can be": (png(2**31 - 1, 2**31 - 1, zlib.compress(b"")), 1008),
}  # fmt: skip


@pytest.mark.parametrize("kind", ABUSE)
def test_abuse_closes_the_connection_with_its_code(service, portraits, kind):
    message, code = ABUSE[kind]
    with opened(service) as live:
        assert ask(live, encoded(portraits.obama2))["faces"]
        live.send(message)
        assert closing(live)[0] == code
        assert f"`{code}`" in PAGE.read_text("utf-8")


FLOODS = {
    "pings": (b"\x89\x80" + bytes(4), 1008),
    "pongs": (b"\x8a\x80" + bytes(4), 1008),
    "pieces": (b"\x02\x80" + bytes(4) + (b"\x00\x80" + bytes(4)) * 20_000, 1008),
    "messages": (b"\x82\x80" + bytes(4), 1008),
    "noise": (b"\xff", 1002),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_tiny_frames_and_noise_are_closed(service, kind, caplog):
    piece, code = FLOODS[kind]
    with raw(service) as plain:
        plain.sendall(piece * max(1, 120_000 // len(piece)))
        assert code in closings(plain)
    assert until(lambda: not of_service(service), 3)
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def closings(plain):
    """The codes of the close frames among all that is said until the end of a connection."""
    said = b"".join(iter(lambda: plain.recv(65536), b""))
    codes = []
    while said:
        length = said[1] if said[1] < 126 else struct.unpack(">H", said[2:4])[0]
        head = 2 if said[1] < 126 else 4
        if said[0] == 0x88:
            codes.append(struct.unpack(">H", said[head : head + 2])[0])
        said = said[head + length :]
    return codes


def test_what_is_sent_while_a_picture_is_in_work_does_no_harm(service, portraits, busy, caplog):
    picture = encoded(portraits.obama2)
    with raw(service) as plain, opened(service) as gone, opened(service) as quick:
        plain.sendall(b"\x82\xff" + struct.pack(">Q", len(picture)) + bytes(4) + picture)
        gone.send(picture)
        quick.send(picture)
        assert until(lambda: service.services.inference.waiting == 3)
        plain.sendall(TOO_LARGE)
        assert frame_of(plain.recv(100)) == (8, 1009)
        gone.socket.shutdown(socket.SHUT_RDWR)
        quick.close()
        busy.end()
        assert until(lambda: sample(service, "recognizer_live_connections") == 0)
    assert until(lambda: not of_service(service))
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_more_connections_than_half_of_the_queue_are_told_to_try_later(service, portraits):
    with ExitStack() as stack:
        many = [stack.enter_context(opened(service)) for _ in range(QUEUE // 2)]
        with opened(service) as late:
            code, reason = closing(late)
        assert code == 1013 and "try again later" in reason
        many[0].close()
        with opened(service) as live:
            assert ask(live, encoded(portraits.wall))["faces"] == []


# Who may


def refused(service, query="", key=None, path=None, **options):
    """The status and code of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as caught, opened(service, query, key, **options):
        pass
    answer = caught.value.response
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
    told = json.loads(answer.body)
    assert set(told) == {"code", "message", "details"}
    return answer.status_code, told["code"]


def test_who_may_not_is_told_so_before_the_connection_is_there(service):
    keys = service.services.database.keys
    guests, staff = (keys.create(f"{name} only", "admin", name).secret for name in ("guests", "staff"))
    assert refused(service, key="") == (401, "unauthorized")
    assert refused(service, key=f"rk_{'0' * 12}_{'0' * 64}") == (401, "unauthorized")
    assert refused(service, "?task=enrol") == (403, "forbidden")
    assert refused(service, "?gallery=staff", guests) == (403, "forbidden")
    assert refused(service, headers={"Origin": "https://evil.example"}) == (403, "forbidden")
    assert refused(service, "?gallery=nobodys") == (404, "unknown_gallery")
    assert refused(service, "?task=spy") == (422, "unknown_choice")
    assert refused(service, "/nowhere") == (404, "not_found")
    with opened(service, "?task=enrol", staff), opened(service, headers={"Origin": f"http://127.0.0.1:{service.port}"}):
        pass


def test_a_key_of_one_gallery_has_that_one_without_naming_it(service, portraits):
    key = service.services.database.keys.create("guests' camera", "read", "guests").secret
    with opened(service, key=key) as live:
        answer = ask(live, encoded(portraits.obama2))
    assert answer["gallery"] == "guests" and answer["faces"][0]["name"] is None


def test_an_address_that_has_shown_too_many_wrong_keys_waits_also_with_a_websocket():
    with db.open("sqlite://") as database:
        asking = client(guarded(database, keys="required", failures_per_minute=1), "203.0.113.7")
        statuses = []
        for number in range(3):
            wrong = bearer(f"rk_{number:012d}_{'0' * 64}")
            with (
                pytest.raises(WebSocketDenialResponse) as caught,
                asking.websocket_connect("ws://localhost/v1/live", headers=wrong),
            ):
                pass
            statuses.append((caught.value.status_code, "retry-after" in caught.value.headers))
    assert statuses == [(401, False), (429, True), (429, True)]


@pytest.fixture
def short_memory(monkeypatch):
    monkeypatch.setattr(connection, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(database_keys, "KEPT_SECONDS", 0.2)


def test_a_connection_ends_soon_after_its_key_was_revoked_elsewhere(service, portraits, short_memory):
    key, secret = service.services.database.keys.create("stolen", "read")
    with opened(service, key=secret) as live, db.open(service.url) as elsewhere:
        assert ask(live, encoded(portraits.obama2))["faces"]
        elsewhere.keys.revoke(key.id)
        assert closing(live) == (4401, "unauthorized")


def test_no_picture_is_answered_for_a_key_that_was_revoked_here(service, portraits, monkeypatch):
    monkeypatch.setattr(connection, "LOOK_SECONDS", 60)
    key, secret = service.services.database.keys.create("stolen", "read")
    with opened(service, key=secret) as live:
        assert ask(live, encoded(portraits.obama2))["faces"]
        service.services.database.keys.revoke(key.id)
        live.send(encoded(portraits.obama2))
        assert closing(live) == (4401, "unauthorized")


def test_a_connection_ends_when_its_session_ends(service, portraits, short_memory):
    keys, sessions = service.services.database.keys, service.services.database.sessions
    token = sessions.create(keys.create("browser", "read").key.id, 3600)
    from recognizer.service.middleware import cookie

    shown = {"Cookie": f"{cookie.NAME}={token}", "Origin": f"http://127.0.0.1:{service.port}"}
    with opened(service, key="", headers=shown) as live:
        assert ask(live, encoded(portraits.obama2))["faces"]
        sessions.end(token)
        assert closing(live) == (4401, "unauthorized")


def test_a_connection_ends_when_its_gallery_is_no_longer_the_keys(service, portraits, short_memory):
    database = service.services.database
    model = service.services.recognizers.of("staff").model
    database.gallery("visitors", model.name, model.digest, model.dim)
    secret = database.keys.create("visitors' camera", "read", "visitors").secret
    with opened(service, key=secret) as live:
        assert ask(live, encoded(portraits.wall))["gallery"] == "visitors"
        database.rename_gallery("visitors", "callers")
        assert closing(live) == (4403, "forbidden")


def test_a_gallery_that_is_deleted_is_told_of_the_next_picture_and_a_new_one_is_taken(service, portraits):
    database = service.services.database
    model = service.services.recognizers.of("staff").model
    database.gallery("short", model.name, model.digest, model.dim)
    with opened(service, "?gallery=short") as live:
        assert ask(live, encoded(portraits.wall))["faces"] == []
        database.delete_gallery("short")
        assert ask(live, encoded(portraits.wall))["code"] == "unknown_gallery"
        database.gallery("short", model.name, model.digest, model.dim)
        assert ask(live, encoded(portraits.wall))["faces"] == []


# Time


def test_a_connection_without_pictures_is_closed_and_one_with_pictures_is_not(service, portraits, monkeypatch):
    monkeypatch.setattr(connection, "IDLE_SECONDS", 1.0)
    with opened(service) as silent, opened(service) as live:
        for _ in range(4):
            time.sleep(0.3)
            assert ask(live, encoded(portraits.wall))["faces"] == []
        assert closing(silent) == (1000, "idle: no picture came")


@contextmanager
def raw(service, receive_buffer=None):
    """A connection whose frames are written by hand."""
    with socket.socket() as plain:
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(10)
        plain.connect(("127.0.0.1", service.port))
        plain.sendall(
            f"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
            f"X-API-Key: {service.read}\r\n\r\n".encode()
        )
        said = b""
        while b"\r\n\r\n" not in said:
            said += plain.recv(1)
        assert said.startswith(b"HTTP/1.1 101"), said
        yield plain


def frame_of(data):
    """The kind of a short frame of a server, and the code of a close frame."""
    return data[0] & 15, struct.unpack(">H", data[2:4])[0]


def is_cut(plain, seconds):
    """Whether a connection is ended by the other side in time."""
    plain.settimeout(seconds)
    try:
        while plain.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


# What is answered with half a megabyte, at little cost.
ANSWERED = (b"\x89\xfd" + bytes(129)) * 4000 + b"\x82\x81" + bytes(5)


TOO_LARGE = b"\x82\xff" + struct.pack(">Q", 3 * MEGABYTE) + bytes(4)  # the beginning of a message


def pushed(plain, sent):
    """Send on where it is taken; how many bytes are sent by then."""
    plain.settimeout(0.1)
    try:
        return sent + plain.send(ANSWERED[sent % len(ANSWERED) :])
    except TimeoutError:
        return sent


def of_service(service):
    return [each for each in service.server.server_state.connections if hasattr(each, "close_sent")]


def test_a_client_that_sends_and_never_reads_is_cut_and_takes_no_memory(service, monkeypatch):
    monkeypatch.setattr(protocol, "ANSWER_SECONDS", 0.5)
    with raw(service, 4096) as plain:
        sent, most, ending = 0, 0, time.monotonic() + 3
        with pytest.raises(ConnectionError):
            while time.monotonic() < ending:
                sent = pushed(plain, sent)
                most = max([most, *(each.transport.get_write_buffer_size() for each in of_service(service))])
    assert sent > MEGABYTE and most < MEGABYTE // 2


def test_a_client_that_reads_late_is_not_cut(service, monkeypatch):
    monkeypatch.setattr(protocol, "ANSWER_SECONDS", 1.0)
    with raw(service, 4096) as plain:
        sent = 0
        while all(each.writable.is_set() for each in of_service(service)):
            sent = pushed(plain, sent)
        plain.settimeout(10)
        rest = threading.Thread(target=plain.sendall, args=(ANSWERED[sent % len(ANSWERED) :],))
        rest.start()
        reading = threading.Thread(target=is_cut, args=(plain, 10))
        reading.start()
        rest.join()
        time.sleep(1.2)
        assert len(of_service(service)) == 1
        plain.shutdown(socket.SHUT_RDWR)
        reading.join()


def test_a_client_that_never_answers_a_closing_is_cut(service, monkeypatch):
    monkeypatch.setattr(live_protocol, "CLOSE_SECONDS", 0.3)
    with raw(service) as plain:
        plain.sendall(b"\x81\x80" + bytes(4))  # an empty text
        assert frame_of(plain.recv(100)) == (8, 1003)
        assert is_cut(plain, 3)
    with raw(service) as plain:
        plain.sendall(TOO_LARGE)
        assert frame_of(plain.recv(100)) == (8, 1009)
        assert until(lambda: not of_service(service), 3)


def test_the_rest_of_a_message_that_is_too_large_is_taken_for_a_while(service, monkeypatch):
    monkeypatch.setattr(live_protocol, "CLOSE_SECONDS", 1.5)
    with raw(service) as plain:
        plain.sendall(TOO_LARGE)
        assert frame_of(plain.recv(100)) == (8, 1009)
        for _ in range(5):
            plain.sendall(bytes(65536))
            time.sleep(0.05)
        with pytest.raises(OSError):
            for _ in range(100):
                plain.sendall(bytes(65536))
                time.sleep(0.05)


# The end of the service


def test_at_the_end_the_picture_in_work_is_answered_and_the_connection_closed(service, portraits, busy):
    with served(service.app, lifespan="off") as running:
        other = SimpleNamespace(**{**vars(service), **vars(running)})
        with opened(other) as live, opened(other) as silent:
            for _ in range(3):
                live.send(encoded(portraits.obama2))
            assert until(lambda: service.services.inference.waiting == 1)
            running.server.should_exit = True
            assert closing(silent)[0] == 1012
            busy.end()
            assert json.loads(live.recv(20))["faces"][0]["name"] == "Obama"
            assert closing(live)[0] == 1012  # without the pictures that had come meanwhile
        running.running.join(5)
        assert not running.running.is_alive()


def test_clients_that_do_nothing_do_not_keep_the_service_from_ending(service, monkeypatch):
    monkeypatch.setattr(live_protocol, "CLOSE_SECONDS", 0.5)
    with served(service.app, lifespan="off") as running:
        other = SimpleNamespace(**{**vars(service), **vars(running)})
        with raw(other), raw(other, 4096) as deaf:
            sent = 0
            while all(each.writable.is_set() for each in of_service(other)):  # its answers fill all buffers there are
                sent = pushed(deaf, sent)
            began = time.monotonic()
            running.server.should_exit = True
            running.running.join(10)
            assert not running.running.is_alive() and time.monotonic() - began < 5


# What goes wrong inside, what is logged and counted


@pytest.fixture
def failing():
    with db.open("sqlite://") as database:
        app = guarded(database)

        @app.websocket("/v1/before")
        async def before(socket: WebSocket):
            raise RuntimeError("secret particulars")

        @app.websocket("/v1/after")
        async def after(socket: WebSocket):
            await socket.accept()
            raise RuntimeError("secret particulars")

        yield app


def test_a_connection_that_fails_is_closed_without_particulars_and_logged_with_them(failing, caplog):
    with served(failing, lifespan="off") as running:
        url = f"ws://127.0.0.1:{running.port}/v1"
        with connect(f"{url}/after", proxy=None) as live:
            assert closing(live) == (1011, "internal")
        with pytest.raises(InvalidStatus) as caught, connect(f"{url}/before", proxy=None):
            pass
    told = caught.value.response
    assert told.status_code == 500 and json.loads(told.body)["code"] == "internal"
    assert b"secret" not in told.body and caplog.text.count("secret particulars") >= 2


def lines(caplog):
    return [json.loads(each.getMessage()) for each in caplog.records if each.name == "recognizer.service.access"]


def test_a_connection_is_one_line_of_the_log_at_its_end_without_names(service, portraits, caplog):
    caplog.set_level(logging.INFO)
    picture = encoded(portraits.obama2)
    with opened(service, "?gallery=staff&task=recognize") as live:
        said = [len(json.dumps(ask(live, each))) for each in (picture, b"x", picture)]
        assert lines(caplog) == []
    assert until(lambda: lines(caplog))
    [line] = lines(caplog)
    assert (line["method"], line["route"], line["status"]) == ("WEBSOCKET", "/v1/live", 101)
    assert (line["frames"], line["closed"], line["bytes_in"]) == (3, 1000, 2 * len(picture) + 1)
    assert abs(line["bytes_out"] - sum(said)) < 0.2 * sum(said) and line["seconds"] > 0
    assert line["key"] == service.read[3:15] and len(line["request_id"]) == 32
    assert "staff" not in caplog.text and "Obama" not in caplog.text


def test_what_was_refused_is_a_line_too(service, caplog):
    caplog.set_level(logging.INFO, "recognizer.service.access")
    refused(service, "?gallery=nobodys")
    assert until(lambda: lines(caplog))
    assert (lines(caplog)[0]["status"], lines(caplog)[0]["frames"]) == (404, 0)


def test_pictures_and_connections_are_counted(service, portraits):
    frames = "recognizer_live_frames_total"
    before = [sample(service, frames, task="recognize", code=code) for code in ("answered", "bad_picture")]
    assert until(lambda: sample(service, "recognizer_live_connections") == 0)
    with opened(service) as live:
        for each in (encoded(portraits.wall), b"x", encoded(portraits.wall)):
            ask(live, each)
        assert sample(service, "recognizer_live_connections") == 1
    after = [sample(service, frames, task="recognize", code=code) for code in ("answered", "bad_picture")]
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1]
    assert until(lambda: sample(service, "recognizer_live_connections") == 0)


def test_two_hundred_connections_leave_nothing_behind(service, portraits):
    pictures = (encoded(portraits.wall), *[b"x"] * 9)

    def one(number):
        with opened(service) as live:
            ask(live, pictures[number % len(pictures)])

    for number in range(20):
        one(number)
    gc.collect()
    before = resident()
    for number in range(200):
        one(number)
    assert until(lambda: not of_service(service))
    gc.collect()
    assert resident() - before < 8 * MEGABYTE
    assert sample(service, "recognizer_live_connections") == 0


def resident():
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("memory is read from /proc")
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmRSS"))
