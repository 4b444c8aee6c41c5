"""What strangers send to harm: pictures that claim to be huge, noise, thousands of parts, connections that dawdle."""

import http.client
import os
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

from bench.serving import forms

MEGABYTE = 2**20
SENDERS = 4
LORIS = 200  # connections
PARTS = 10_000
TIMEOUT = 60


def zeros(length: int) -> bytes:
    """So many zeros in zlib's format, a thousandth as long: one packed megabyte again and again."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x78\xda" + block * (length // MEGABYTE) + packer.flush() + struct.pack(">HH", length % 65521, 1)


def png(width: int, height: int, packed: bytes, *before: tuple[bytes, bytes]) -> bytes:
    """A grey PNG of that size by its header, whatever is packed in it; ``before``: chunks, each as (kind, data)."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), *before, (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def tiff(width: int, height: int) -> bytes:
    """A grey TIFF of that size by its header, of one strip of packed zeros."""
    packed = zeros(64 * MEGABYTE)
    fields = [
        (256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 1), (273, 4, 122), (277, 3, 1),
        (278, 4, height), (279, 4, len(packed)),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in fields)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(fields)) + entries + bytes(4) + packed


def bombs() -> list[bytes]:
    """Pictures that unpack to gigabytes, or say so. At most two megabytes are sent of each."""
    gigabyte = zeros(900 * MEGABYTE)
    profile = (b"iCCP", b"p\0\0" + gigabyte), (b"zTXt", b"p\0\0" + gigabyte)
    return [
        png(30_000, 30_000, gigabyte),
        png(100, 100, gigabyte),
        png(8, 8, zeros(MEGABYTE), *profile),
        tiff(60_000, 60_000),
        b"GIF89a\xff\xff\xff\xff\xf0\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;",
        b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xff\xff\xff\x0f\0\0\0\0\0\0\0\0\0",
        b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\0\x02\x11\x01\x03\x11\x01\xff\xd9",
    ]


def bombed(port: int, seconds: float) -> Counter[str]:
    """Send pictures that unpack to gigabytes."""
    bodies = [forms.form([bomb]) for bomb in bombs()]
    return _sent(port, seconds, lambda number: bodies[number % len(bodies)])


def large(port: int, seconds: float) -> Counter[str]:
    """Send pictures of nearly as many pixels as are allowed, packed to 50 kB."""
    body = forms.form([png(7_000, 7_000, zeros(49 * MEGABYTE))])
    return _sent(port, seconds, lambda _: body)


def noise(port: int, seconds: float) -> Counter[str]:
    """Send 50 MB of noise, with its length and without, and as much of it as a body may have."""
    large, allowed = forms.form([os.urandom(50 * MEGABYTE)]), forms.form([os.urandom(31 * MEGABYTE)])
    return _sent(port, seconds, lambda number: (large, _cut(large), allowed)[number % 3])


def parts(port: int, seconds: float) -> Counter[str]:
    """Send ten thousand tiny parts, with their length and without."""
    body = forms.form([b"x"] * PARTS)
    return _sent(port, seconds, lambda number: (body, _cut(body))[number % 2])


def loris(port: int, seconds: float) -> Counter[str]:
    """Hold connections, a third of which never end their headers, a third their body, and a third say nothing."""
    head = b"POST /v1/detect HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    body = head + f"Content-Type: {forms.FORM}\r\nContent-Length: 100000\r\n\r\n".encode() + forms.form([b"x"])[:-20]
    kinds = ((head, b"X-a: b\r\n"), (body, b"x"), (b"", b""))
    said: Counter[str] = Counter()
    with ExitStack() as stack:
        held = []
        for number in range(LORIS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT))
            connection.setblocking(False)
            begun, piece = kinds[number % len(kinds)]
            connection.send(begun)
            held.append((connection, piece))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for connection, piece in held:
                with suppress(OSError):
                    connection.send(piece)
            time.sleep(0.5)
        for connection, _ in held:
            said[_is_open(connection)] += 1
    return said


ATTACKS: dict[str, Callable[[int, float], Counter[str]]] = {
    "decompression bombs": bombed,
    "49 megapixels in 50 kB": large,
    "50 MB of noise": noise,
    f"{PARTS:,} tiny parts": parts,
    f"{LORIS} slow-loris connections": loris,
}


def _sent(port: int, seconds: float, body: Callable[[int], bytes | Iterator[bytes]]) -> Counter[str]:
    """What bodies were answered with, that several threads send as fast as they are answered."""
    said: Counter[str] = Counter()
    until = time.monotonic() + seconds

    def send(first: int) -> None:
        number = first
        while time.monotonic() < until:
            said[_answer(port, body(number))] += 1
            number += 1

    threads = [threading.Thread(target=send, args=(first,)) for first in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def _answer(port: int, body: bytes | Iterator[bytes]) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request(
            "POST", "/v1/detect", body, {"Content-Type": forms.FORM}, encode_chunked=not isinstance(body, bytes)
        )
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException):
        return "cut"
    finally:
        connection.close()


def _cut(body: bytes, size: int = 2**16) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def _is_open(connection: socket.socket) -> str:
    try:
        while connection.recv(2**16):
            pass
    except BlockingIOError:
        return "held"
    except OSError:
        pass
    return "cut"
