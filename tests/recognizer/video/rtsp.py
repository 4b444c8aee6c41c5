"""A network camera: RTSP (RFC 2326) with H.264 over the same TCP connection, for who knows user and password."""

import hashlib
import re
import socket
import threading
from contextlib import closing, contextmanager, suppress
from fractions import Fraction

from tests.recognizer.video.clips import RATE, av

REALM, NONCE = "camera", "0a1b2c3d"
SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=camera
c=IN IP4 127.0.0.1
t=0 0
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1
a=control:track
""".replace("\n", "\r\n")


class RtspCamera:
    """Shows a picture (uint8 ``[H, W, 3]`` BGR) to all who ask, at ``port``; ``cut`` ends what is connected."""

    def __init__(self, picture, user, password):
        self.picture, self._user, self._password = picture, user, password
        self.asked = []  # methods
        self._stop, self._connected = threading.Event(), []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._stop.set()
        self._listening.close()
        self.cut()

    def cut(self):
        for connection in self._connected:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        with suppress(OSError):
            while not self._stop.is_set():
                connection, _ = self._listening.accept()
                self._connected.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with suppress(OSError), connection, connection.makefile("rb") as coming:
            while request := _request(coming):
                method, address, headers = request
                self.asked.append(method)
                allowed = method == "OPTIONS" or self._knows(method, headers.get("authorization", ""))
                connection.sendall(_answer(method, address, headers, allowed).encode())
                if method == "PLAY" and allowed:
                    self._play(connection)

    def _knows(self, method, shown):
        given = dict(re.findall(r'(\w+)="([^"]*)"', shown))
        secret, asked = _md5(self._user, REALM, self._password), _md5(method, given.get("uri", ""))
        return given.get("response") == _md5(secret, NONCE, asked)

    def _play(self, connection):
        """Packets of FFmpeg's RTP muxer, in the frames of RFC 2326, 10.12."""
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as packets:
            packets.bind(("127.0.0.1", 0))
            with av.open(f"rtp://127.0.0.1:{packets.getsockname()[1]}?pkt_size=1200", "w", format="rtp") as muxer:
                video = muxer.add_stream(
                    "libx264", rate=RATE, options={"preset": "ultrafast", "tune": "zerolatency", "g": "5"}
                )
                video.height, video.width, video.pix_fmt = *self.picture.shape[:2], "yuv420p"
                packets.setblocking(False)
                number = 0
                while not self._stop.wait(1 / RATE):
                    image = av.VideoFrame.from_ndarray(self.picture, format="bgr24")
                    image.pts, image.time_base = number, Fraction(1, RATE)
                    muxer.mux(video.encode(image))
                    number += 1
                    for packet in _received(packets):
                        connection.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)


@contextmanager
def rtsp_camera(picture, user, password):
    """A camera, closed at the end."""
    with closing(RtspCamera(picture, user, password)) as camera:
        yield camera


def _request(coming):
    """Method, address and headers; None at the end."""
    if not (line := coming.readline().decode()):
        return None
    method, address, _ = line.split()
    headers = {}
    while line := coming.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return method, address, headers


def _answer(method, address, headers, allowed):
    said = {"CSeq": headers["cseq"]}
    content = ""
    if not allowed:
        said["WWW-Authenticate"] = f'Digest realm="{REALM}", nonce="{NONCE}"'
    elif method == "DESCRIBE":
        content = SDP
        said |= {"Content-Type": "application/sdp", "Content-Base": f"{address}/", "Content-Length": len(content)}
    elif method == "SETUP":
        said |= {"Transport": headers["transport"], "Session": "1"}
    elif method == "OPTIONS":
        said["Public"] = "DESCRIBE, SETUP, PLAY, TEARDOWN"
    status = "200 OK" if allowed else "401 Unauthorized"
    return "\r\n".join([f"RTSP/1.0 {status}", *(f"{name}: {each}" for name, each in said.items()), "", content])


def _received(packets):
    with suppress(BlockingIOError):
        while True:
            yield packets.recv(65536)


def _md5(*parts):
    return hashlib.md5(":".join(parts).encode()).hexdigest()
