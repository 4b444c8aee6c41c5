"""Video files in: upright pictures with their times, and the packets of the sound."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from common.errors import BadArgument, BadVideo
from recognizer.video import libav

if TYPE_CHECKING:
    import av

MICROSECONDS = 1_000_000  # FFmpeg's unit for times of a file as a whole
CUT_SHORT = 1.0  # seconds that may be missing at the end, of what the header says


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video.

    Attributes:
        number: 0, 1, ... in the order they are shown, of those that are read.
        time: seconds since the beginning of the file.
        ticks: when it is shown, counted from the first moment that is read, in the stream's own unit of time.
    """

    number: int
    time: float
    ticks: int
    _decode: partial = field(repr=False)

    def picture(self) -> np.ndarray:
        """Its pixels, uint8 ``[H, W, 3]`` BGR: upright, with square pixels, of the size of the first frame."""
        return self._decode()


class VideoReader:
    """Reads one video file from beginning to end, as far as it can be read.

    Only regular files of known containers are opened, which hold their pictures themselves: no playlists, scripts
    or addresses. Frames come one at a time; nothing else is kept in memory.

    Args:
        path: the file.
        start, end: seconds since its beginning; what is shown before or from then on is left out.

    Raises:
        BadVideo: no such file, no video in it, or frames larger than a picture may be.
        BadArgument: ``start`` and ``end`` do not make sense.

    Attributes:
        duration: seconds, as the file's header says; None where it does not.
        tick: the stream's unit of time in seconds.
        rate: frames per second on average, as the header says; None where it does not.
        audio: the stream of the sound; None where there is none.
        damage: what was wrong with the file, in words; complete once everything was read.
    """

    def __init__(self, path: str | os.PathLike, start: float = 0.0, end: float | None = None):
        if start < 0 or (end is not None and end <= start):
            raise BadArgument(f"A part of a video goes from start to a later end, in seconds; got {start} and {end}.")
        self._path, self._start, self._end = Path(path), start, end
        self._av = libav.load()
        self._file = _opened(self._av, self._path)
        try:
            self._video = self._choose()
            libav.limit(self._video, str(self._path))
        except BaseException:
            self.close()
            raise
        self.audio = next(iter(self._file.streams.audio), None)
        self.tick: Fraction = self._video.time_base
        self.duration = self._file.duration / MICROSECONDS if self._file.duration else None
        self.rate = float(self._video.average_rate) if self._video.average_rate else None
        self._origin = Fraction(self._file.start_time or 0, MICROSECONDS)
        self._size: tuple[int, int] | None = None
        self._unreadable = self._concealed = 0
        self._cut, self._last = False, None

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def damage(self) -> list[str]:
        """What was wrong with the file, in words."""
        found = []
        if self._unreadable:
            found.append(f"{self._unreadable} of its parts could not be decoded")
        if self._concealed:
            found.append(f"{self._concealed} of its frames are spoilt in part")
        if self._cut and self._last is not None:
            found.append(f"it could be read up to {self._last:.2f} s only")
        return found

    def fraction(self, time: float) -> float | None:
        """How much of what is to be read lies before a time, 0..1; None where the file does not say how long it is."""
        end = min(self._end or float("inf"), self.duration or float("inf"))
        if end == float("inf") or end <= self._start:
            return None
        return min(1.0, max(0.0, (time - self._start) / (end - self._start)))

    def frames(self) -> Iterator[Frame]:
        """The frames in the order they are shown.

        Raises:
            BadVideo: not one could be decoded.
        """
        return self._read([self._video])

    def frames_and_sound(self) -> Iterator["Frame | av.Packet"]:
        """The same, with the packets of the sound between them, timed like ``Frame.ticks`` in their own unit."""
        return self._read([self._video, self.audio] if self.audio else [self._video])

    def _choose(self) -> "av.VideoStream":
        """The stream of pictures, other than a cover."""
        streams = [each for each in self._file.streams.video if not _is_cover(self._av, each)]
        if not streams or not streams[0].codec_context:
            raise BadVideo(f"{self._path} has no video stream that could be decoded.")
        return streams[0]

    def _read(self, streams: list) -> Iterator[Any]:
        number, clock = 0, _Clock(self._video, self._origin)
        for item in self._decoded(streams):
            if isinstance(item, self._av.Packet):
                if self._place_sound(item):
                    yield item
                continue
            ticks = clock.of(item)
            time = float(ticks * self.tick)
            if self._end is not None and time >= self._end:
                return
            if time < self._start:
                continue
            self._last = time
            self._concealed += item.is_corrupt
            yield Frame(number, time, ticks - clock.ticks(self._start), partial(self._picture, item))
            number += 1
        self._judge_the_end(number)

    def _decoded(self, streams: list) -> Iterator["av.VideoFrame | av.Packet"]:
        """Pictures, and packets of the sound, up to the end or the first place that cannot be passed."""
        for packet in self._packets(streams):
            if packet.stream is self._video:
                yield from self._decode(packet)
            else:
                yield packet
        yield from self._decode(None)  # what the decoder still holds

    def _packets(self, streams: list) -> Iterator["av.Packet"]:
        if self._start > 0 and self.duration:
            self._seek()
        packets = self._file.demux(*streams)
        while True:
            try:
                packet = next(packets, None)
            except self._av.FFmpegError:
                self._cut = True
                return
            if packet is None:
                return
            if packet.size:  # an empty one would make the decoder believe that this is the end
                yield packet

    def _seek(self) -> None:
        """Go to the last key frame before the start; a file without an index is read from its beginning."""
        try:
            self._file.seek(int((self._start + self._origin) * MICROSECONDS))
        except self._av.FFmpegError:
            self._file.seek(0)

    def _decode(self, packet: "av.Packet | None") -> list["av.VideoFrame"]:
        try:
            return self._video.decode(packet)
        except self._av.FFmpegError:
            self._unreadable += 1
            return []

    def _place_sound(self, packet: "av.Packet") -> bool:
        """Count a packet's time from the first moment that is read; whether it belongs to that part at all."""
        if packet.dts is None or packet.pts is None:
            return False
        time = packet.pts * packet.time_base - self._origin
        if time < (self._start or -1) or (self._end is not None and time >= self._end):
            return False
        shift = round((self._origin + Fraction(self._start)) / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        return True

    def _picture(self, image: "av.VideoFrame") -> np.ndarray:
        pixels = libav.picture(image, self._video.sample_aspect_ratio, str(self._path))
        size = (pixels.shape[1], pixels.shape[0])
        self._size = self._size or size
        return pixels if size == self._size else cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)

    def _judge_the_end(self, number: int) -> None:
        if not number and self._start and not self._unreadable:
            raise BadVideo(f"{self._path} shows nothing from {self._start:g} s on.")
        if not number:
            raise BadVideo(f"{self._path}: not one frame could be decoded. It is damaged, or no video.")
        header = float(self._video.duration * self.tick) if self._video.duration else self.duration
        expected = min(header or 0.0, self._end or float("inf"))
        self._cut = self._cut or self._last < expected - CUT_SHORT


class _Clock:
    """Times of frames that always go forward: what has none, or goes back, comes one frame after the one before."""

    def __init__(self, stream: "av.VideoStream", origin: Fraction):
        self._tick = stream.time_base
        self._step = max(1, round(1 / (stream.average_rate or 25) / self._tick))
        self._shift = round(origin / self._tick)
        self._last: int | None = None

    def ticks(self, seconds: float) -> int:
        return round(Fraction(seconds) / self._tick)

    def of(self, image: "av.VideoFrame") -> int:
        given = image.pts if image.pts is not None else image.dts
        following = 0 if self._last is None else self._last + self._step
        ticks = following if given is None else given - self._shift
        if self._last is not None and ticks <= self._last:
            self._shift -= following - ticks
            ticks = following
        self._last = ticks
        return ticks


def _opened(av: Any, path: Path) -> "av.container.InputContainer":
    try:
        if not path.is_file():  # a pipe or device could block or never end
            raise BadVideo(f"{path} is not a regular file." if path.exists() else f"No such video: {path}")
        options = {"protocol_whitelist": "file", "format_whitelist": ",".join(libav.FILE_FORMATS)}
        return av.open(f"file:{path.absolute()}", options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        reason = error.strerror if isinstance(error, OSError) else "damaged, or no video"
        raise BadVideo(f"{path} cannot be read as a video: {reason}.") from None
    except OSError as error:
        raise BadVideo(f"{path} cannot be read: {error.strerror or error}.") from None


def _is_cover(av: Any, stream: "av.VideoStream") -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)
