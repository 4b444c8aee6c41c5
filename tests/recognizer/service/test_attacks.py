"""Hostile clients against a real server: it lives, it answers others meanwhile, and its memory and connections stay."""

import http.client
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

import db
from tests.recognizer.service.attacked_process import ANSWER_SECONDS, HEADER_SECONDS, SETTINGS

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory and files are read from /proc")

MEGABYTE = 2**20
ROOM = 250 * MEGABYTE  # for what is decoded and computed; the bombs here would take gigabytes


@pytest.fixture(scope="module")
def service(mobilefacenet_files, mtcnn_files, tmp_path_factory):
    """The running service: its port, a key, and its process."""
    url = f"sqlite:///{tmp_path_factory.mktemp('attacked')}/people.db"
    with db.open(url) as database:
        secret = database.keys.create("any", "admin").secret
    log = (tmp_path_factory.mktemp("log") / "log").open("w+")
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.recognizer.service.attacked_process", url],
        cwd=root, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    try:
        running = SimpleNamespace(port=int(process.stdout.readline()), secret=secret, process=process)
        for _ in range(600):
            try:
                ready = ask(running, "GET", "/v1/ready").status == 200
            except OSError:
                ready = False
            if ready:
                break
            assert process.poll() is None, log.seek(0) or log.read()
            time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        assert process.wait(30) is not None
        process.stdout.close()
        log.close()


@pytest.fixture
def attacked(service, portraits):
    """The service; afterwards it still finds a face, holds nothing open, and has not grown."""
    photo = cv2.imencode(".jpg", portraits.obama)[1].tobytes()

    def is_well():
        answer = ask(service, "POST", "/v1/detect", *photos(photo))
        return answer.status == 200 and b'"score"' in answer.body

    assert is_well()
    sockets, memory = open_sockets(service), measure(service, "VmRSS")
    reset_peak(service)
    yield SimpleNamespace(**vars(service), is_well=is_well)
    assert service.process.poll() is None
    assert is_well()
    grown = measure(service, "VmHWM") - memory
    assert grown < ROOM, f"{grown / MEGABYTE:.0f} MB more at the worst"
    for _ in range(100):
        if open_sockets(service) <= sockets:
            break
        time.sleep(0.1)
    assert open_sockets(service) <= sockets


def measure(service, what):
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(what))


def reset_peak(service):
    Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")


def open_sockets(service):
    found = 0
    for each in Path(f"/proc/{service.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found += str(each.readlink()).startswith("socket")
    return found


def photos(*files, boundary="b0undary"):
    """The body of a form with photos, and its kind."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\n'.encode()
    body = b"".join(head + file + b"\r\n" for file in files) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def ask(service, method, path, body=None, kind=None, key=True, chunked=False, timeout=30):
    """The status and body of an answer."""
    headers = {"Authorization": f"Bearer {service.secret}"} if key is True else {}
    headers |= {"Content-Type": kind} if kind else {}
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=timeout)
    try:
        connection.request(method, path, body, headers, encode_chunked=chunked)
        answer = connection.getresponse()
        return SimpleNamespace(status=answer.status, body=answer.read())
    finally:
        connection.close()


def cut(body, size=65536):
    return (body[at : at + size] for at in range(0, len(body), size))


@contextmanager
def connections(service, number):
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 5)) for _ in range(number)]


def is_cut(connection, seconds):
    """Whether the service ends a connection in time, whatever it says before."""
    connection.settimeout(0.05)
    ending = time.monotonic() + seconds
    while time.monotonic() < ending:
        try:
            if connection.recv(65536) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def head(path="/v1/detect", *lines):
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: localhost", *lines)).encode() + b"\r\n"


# Pictures


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, data, *before):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(length):
    """So many zeros, packed a thousandfold: one packed megabyte again and again, with the checksum of all."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x78\xda" + block * (length // MEGABYTE) + packer.flush() + struct.pack(">HH", length % 65521, 1)


BOMBS = {
    "large": lambda: png(30_000, 30_000, zeros(900 * MEGABYTE)),
    "largest there can be": lambda: png(2**31 - 1, 2**31 - 1, zeros(MEGABYTE)),
    "more than it says": lambda: png(100, 100, zeros(900 * MEGABYTE)),
    "profile": lambda: png(
        8, 8, zeros(MEGABYTE), *(chunk(kind, b"p\0\0" + zeros(900 * MEGABYTE)) for kind in (b"iCCP", b"zTXt"))
    ),
    "jpeg": lambda: b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\0\x02\x11\x01\x03\x11\x01\xff\xd9",
    "gif": lambda: b"GIF89a\xff\xff\xff\xff\xf0\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;",
    "webp": lambda: b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xff\xff\xff\x0f\0\0\0\0\0\0\0\0\0",
    "bmp": lambda: b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_picture_that_unpacks_to_gigabytes_is_refused(attacked, name):
    answer = ask(attacked, "POST", "/v1/detect", *photos(BOMBS[name]()))
    assert answer.status in (200, 413, 422), answer.body[:200]
    assert b'"score"' not in answer.body


def test_noise_is_refused(attacked):
    noise = os.urandom(50 * MEGABYTE)
    assert ask(attacked, "POST", "/v1/detect", *photos(noise)).status == 413
    body, kind = photos(noise)
    assert ask(attacked, "POST", "/v1/detect", cut(body), kind, chunked=True).status == 413
    assert ask(attacked, "POST", "/v1/detect", body, kind, key=None).status == 401
    inside = ask(attacked, "POST", "/v1/detect", *photos(noise[: 30 * MEGABYTE]))
    assert b'"score"' not in inside.body and inside.status in (200, 422)


def test_ten_thousand_tiny_parts_are_refused_unparsed(attacked):
    body, kind = photos(*[b"x"] * 10_000)
    began = time.monotonic()
    assert ask(attacked, "POST", "/v1/detect", body, kind).status == 413
    assert ask(attacked, "POST", "/v1/detect", cut(body), kind, chunked=True).status == 413
    assert time.monotonic() - began < 5


def test_a_part_that_is_all_header_is_refused(attacked):
    body = b'--b\r\nContent-Disposition: form-data; name="photos"; filename="' + b"a" * (20 * MEGABYTE)
    answer = ask(attacked, "POST", "/v1/detect", body + b'"\r\n\r\nx\r\n--b--\r\n', "multipart/form-data; boundary=b")
    assert answer.status == 422


@pytest.mark.parametrize("piece", [b"[", b"[],", b'{"a":', b"1", b'"\\u0000'])
def test_json_that_is_larger_unpacked_is_refused(attacked, piece):
    body = b'{"embeddings":[' + piece * (7 * MEGABYTE // len(piece))
    assert ask(attacked, "POST", "/v1/search", body, "application/json").status in (400, 422)


# Connections


def test_headers_without_end_are_cut(attacked):
    flood = head("/v1/detect", *(f"X-{at}: {'a' * 90}" for at in range(10_000)))
    line = head("/v1/detect", "X-Long: " + "a" * MEGABYTE)
    for bytes_sent in (flood, line, b"\0" * 100_000, b"\x16\x03\x01\x02\x00\x01" + os.urandom(500)):
        with connections(attacked, 1) as (connection,):
            try:
                connection.sendall(bytes_sent)
                said = connection.recv(100)
            except OSError:  # cut while it came
                said = b""
            assert said == b"" or said.startswith(b"HTTP/1.1 4")
            assert is_cut(connection, HEADER_SECONDS + 3)


def drip(many, piece, is_over):
    while not is_over.wait(0.1):
        for connection in many:
            with suppress(OSError):
                connection.sendall(piece)


def test_clients_that_take_their_time_are_cut_and_others_are_answered_meanwhile(attacked):
    key = f"Authorization: Bearer {attacked.secret}"
    length = ("Content-Type: multipart/form-data; boundary=b", "Content-Length: 100000")
    stages = {
        "silent": (b"", b""),
        "headers": (head(), b"X-a: b\r\n"),
        "second request": (b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n" + head(), b"X-a: b\r\n"),
        "photo": (head("/v1/detect", key, *length) + b"\r\n" + photos(b"x", boundary="b")[0][:-8], b"x"),
        "json": (head("/v1/search", key, "Content-Type: application/json", length[1]) + b"\r\n", b" "),
        "body without key": (head("/v1/detect", *length) + b"\r\n", b"x"),
    }
    is_over = threading.Event()
    with ExitStack() as stack:
        stack.callback(is_over.set)
        open_ones = {stage: stack.enter_context(connections(attacked, 15)) for stage in stages}
        for stage, (begun, piece) in stages.items():
            for connection in open_ones[stage]:
                connection.sendall(begun)
            dripping = threading.Thread(target=drip, args=(open_ones[stage], piece, is_over))
            dripping.start()
            stack.callback(dripping.join)
            stack.callback(is_over.set)
        assert attacked.is_well()
        ending = time.monotonic() + SETTINGS.body_seconds + HEADER_SECONDS + 5
        for stage, many in open_ones.items():
            assert all(is_cut(connection, ending - time.monotonic()) for connection in many), stage


def test_a_body_without_end_that_was_refused_is_cut(attacked):
    with connections(attacked, 1) as (connection,):
        connection.sendall(head("/v1/detect", "Transfer-Encoding: chunked") + b"\r\n")
        assert connection.recv(12) == b"HTTP/1.1 401"
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() < began + HEADER_SECONDS + 5:
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def test_a_client_that_reads_no_answers_is_cut(attacked):
    with connections(attacked, 5) as many:
        for connection in many:
            connection.settimeout(0.2)
            asked = (
                b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %b\r\n\r\n" % attacked.secret.encode()
            )
            with pytest.raises(OSError):  # the service reads on only as its answers are read
                for _ in range(100_000):
                    connection.sendall(asked)
        time.sleep(ANSWER_SECONDS + 1)
        for connection in many:
            with pytest.raises(OSError):
                for _ in range(3):
                    connection.sendall(asked)
                    time.sleep(0.05)


def test_more_connections_than_are_served_are_told_or_cut_and_the_next_are_served(attacked):
    with connections(attacked, 2 * SETTINGS.max_connections + 20) as many:
        *others, last = many
        began = time.monotonic()
        assert first(last) == b"" and time.monotonic() - began < HEADER_SECONDS, "cut before it asked for anything"
        for connection in others:
            with suppress(OSError):  # it was cut, too
                connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = {first(connection)[:12] for connection in others}
        assert b"HTTP/1.1 503" in said and said <= {b"HTTP/1.1 200", b"HTTP/1.1 503", b""}


def first(connection):
    try:
        return connection.recv(100)
    except OSError:
        return b""
