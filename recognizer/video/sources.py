"""Where live pictures come from: a device, an address in the network, or a file played at its own speed."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np

from common.errors import BadArgument, BadVideo
from common.registry import Registry
from recognizer.video import libav
from recognizer.video.reader import VideoReader

TIMEOUT = 10.0  # seconds without an answer or a picture after which a network camera counts as lost
LIVE_FORMATS = {"rtsp": ("rtsp", "sdp"), "http": (*libav.FILE_FORMATS, "mpjpeg")}
# What an address may lead to: the network, never a file of this machine.
PROTOCOLS = {"rtsp": "rtsp,rtsps,rtp,srtp,udp,tcp,tls", "http": "http,https,tcp,tls"}


class Source(ABC):
    """Gives pictures. A new one writes ``pictures`` and is found by ``source``.

    Attributes:
        name: what messages call it; without user, password, path and query of an address, which may hold secrets.
        live: whether it is to be opened again when it ends.
    """

    name: str
    live = True

    @abstractmethod
    def pictures(self) -> Iterator[tuple[float | None, np.ndarray]]:
        """Pictures uint8 ``[H, W, 3]`` BGR, upright, each with the second at which it is to be shown, or None: now.

        Raises:
            BadVideo: it cannot be opened, or is lost.
        """


class Device(Source):
    """A camera of this machine, by its number."""

    def __init__(self, number: str):
        self._number = int(number)
        self.name = f"camera {self._number}"

    def pictures(self) -> Iterator[tuple[float | None, np.ndarray]]:
        before = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            device = cv2.VideoCapture(self._number)
        finally:
            cv2.utils.logging.setLogLevel(before)
        try:
            if not device.isOpened():
                raise BadVideo(
                    f"{self.name} cannot be opened: it is not there, another program has it, or this user may not use "
                    "it. Name another one with --source."
                )
            while True:
                there, picture = device.read()
                if not there:
                    raise BadVideo(f"{self.name} gives no more pictures.")
                libav.check_size(picture.shape[1], picture.shape[0], self.name)
                yield None, picture
        finally:
            device.release()


class Stream(Source):
    """A camera in the network: RTSP, or HTTP with MJPEG (multipart) or a video."""

    def __init__(self, address: str):
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host:
            raise BadArgument("The address of a camera is rtsp://host/path or http://host/path.")  # it is not shown
        self.name = f"{parts.scheme}://{host}{f':{port}' if port else ''}"
        self._address, self._kind = address, "rtsp" if parts.scheme.startswith("rtsp") else "http"

    def pictures(self) -> Iterator[tuple[float | None, np.ndarray]]:
        av = libav.load()
        try:
            with av.open(self._address, options=self._options(), timeout=(TIMEOUT, TIMEOUT)) as stream:
                if not stream.streams.video:
                    raise BadVideo(f"{self.name} shows no video.")
                video = stream.streams.video[0]
                libav.limit(video, self.name)
                for packet in stream.demux(video):
                    yield from self._decoded(av, packet, video)
        except av.FFmpegError as error:  # its text would hold the address
            raise BadVideo(f"{self.name} cannot be read: {error.strerror or 'no video'}.") from None

    def _decoded(self, av, packet, video) -> Iterator[tuple[float | None, np.ndarray]]:
        try:
            images = packet.decode() if packet.size else []
        except av.FFmpegError:  # damaged on its way; the next key frame is whole again
            return
        for image in images:
            yield None, libav.picture(image, video.sample_aspect_ratio, self.name)

    def _options(self) -> dict[str, str]:
        options = {
            "protocol_whitelist": PROTOCOLS[self._kind],
            "format_whitelist": ",".join(LIVE_FORMATS[self._kind]),
            "fflags": "nobuffer",
            "analyzeduration": "1000000",  # a second instead of five, in which nothing would be shown
        }
        return options | ({"rtsp_transport": "tcp"} if self._kind == "rtsp" else {})


class File(Source):
    """A video file, played once at its own speed."""

    live = False

    def __init__(self, path: str):
        self._path = Path(path)
        self.name = str(path)

    def pictures(self) -> Iterator[tuple[float | None, np.ndarray]]:
        with VideoReader(self._path) as reader:
            for frame in reader.frames():
                yield frame.time, frame.picture()


SCHEMES = Registry(
    "kind of camera address",
    dict.fromkeys(("rtsp", "rtsps", "http", "https"), "recognizer.video.sources:Stream"),
)


def source(text: str | int | Path) -> Source:
    """What a camera is named by: a device's number, an address, or a file.

    Raises:
        UnknownChoice: an address of another kind.
    """
    text = str(text)
    if text.isdecimal():
        return Device(text)
    if "://" in text:
        return SCHEMES[text.split("://")[0].lower()](text)
    return File(text)


def holds_password(text: str) -> bool:
    """Whether an address holds a password."""
    try:
        return "://" in text and urlsplit(text).password is not None
    except ValueError:
        return False
