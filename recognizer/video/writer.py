"""Video files out: H.264 with the timestamps of the source and its sound, whole or not at all."""

import os
import tempfile
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from common.errors import BadArgument, BadVideo, MissingDependency
from common.folders import sync_folder
from recognizer.video import libav

if TYPE_CHECKING:
    import av

CONTAINERS = (".mp4", ".m4v", ".mov", ".mkv")
ENCODERS = ("libx264", "libopenh264")  # the first that this build of FFmpeg has
OPTIONS = {"libx264": {"preset": "veryfast", "crf": "21"}}
BT709 = 1  # the number of that colour space, of its primaries and of its transfer curve
LIMITED = 1  # the range 16..235 of video


class VideoWriter:
    """Writes one video; as a context manager, it takes its name when the block ends well, and else leaves nothing.

    Args:
        path: ends in one of ``CONTAINERS``.
        tick: unit of the times of frames, in seconds.
        rate: frames per second on average; None: not known.
        audio: a stream of the source whose packets are to be copied; None: no sound.
        overwrite: whether a file of that name may be replaced.

    Raises:
        BadArgument: another suffix, a file that is there, or a folder that cannot be written to.
        MissingDependency: PyAV, or an H.264 encoder, is not there.

    Attributes:
        notes: what could not be written, in words.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        tick: Fraction,
        rate: float | None = None,
        audio: "av.AudioStream | None" = None,
        overwrite: bool = False,
    ):
        self._av = libav.load()
        self._path, self._tick, self._rate, self._overwrite = Path(path), tick, rate, overwrite
        require_writable(self._path, overwrite)
        self._encoder = _encoder(self._av)
        self.notes: list[str] = []
        self._part = _part(self._path)
        try:
            self._file = self._av.open(f"file:{self._part}", "w", options={"movflags": "+faststart"})
            self._audio_source, self._audio = audio, self._copy_of(audio) if audio else None
        except self._av.FFmpegError as error:
            self._part.unlink(missing_ok=True)
            raise _not_written(self._path, error) from None
        except BaseException:
            self._part.unlink(missing_ok=True)
            raise
        self._video: av.VideoStream | None = None
        self._waiting: list[av.Packet] = []

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind: type | None, *_) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            with suppress(self._av.FFmpegError):
                self._file.close()
            self._part.unlink(missing_ok=True)

    def frame(self, picture: np.ndarray, ticks: int) -> None:
        """Write a picture uint8 ``[H, W, 3]`` BGR; ``ticks`` is greater than that of the frame before.

        H.264 in four to two colour samples needs even sides: where one is odd, its last row or column is doubled.

        Raises:
            BadVideo: the file cannot be written.
        """
        height, width = picture.shape[:2]
        picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        image = self._av.VideoFrame.from_ndarray(picture, format="bgr24")
        image = image.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED)
        image.pts, image.time_base = ticks, self._tick
        try:
            if self._video is None:
                self._video = self._video_stream(image.width, image.height)
            self._file.mux(self._video.encode(image))
            self._write_waiting()
        except self._av.FFmpegError as error:
            raise _not_written(self._path, error) from None

    def sound(self, packet: "av.Packet") -> None:
        """Write a packet of the source's sound as it is; one that does not fit in is left out."""
        if self._audio is None:
            return
        packet.stream = self._audio
        self._waiting.append(packet)
        if self._video is not None:
            self._write_waiting()

    def _write_waiting(self) -> None:
        """All streams must be known before the first packet is written: sound may come before the first picture."""
        for packet in self._waiting:
            try:
                self._file.mux(packet)
            except self._av.FFmpegError:
                self._note("some of the sound was left out: its times are damaged")
        self._waiting.clear()

    def _video_stream(self, width: int, height: int) -> "av.VideoStream":
        rate = Fraction(self._rate or 25).limit_denominator(1001)
        stream = self._file.add_stream(self._encoder, rate=rate, options=OPTIONS.get(self._encoder, {}))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = self._tick
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED
        return stream

    def _copy_of(self, audio: "av.AudioStream") -> "av.AudioStream | None":
        if audio.codec_context and audio.codec_context.name in self._file.supported_codecs:
            return self._file.add_stream_from_template(audio)
        kind = audio.codec_context.name if audio.codec_context else "unknown"
        self._note(f"the sound ({kind}) was left out: {self._path.suffix} cannot hold it; try .mov or .mkv")
        return None

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _finish(self) -> None:
        if self._video is None:
            raise BadVideo(f"{self._path} was not written: there was not one picture to write.")
        try:
            self._file.mux(self._video.encode(None))
            self._file.close()
            _sync(self._part)
        except self._av.FFmpegError as error:
            raise _not_written(self._path, error) from None
        try:
            if not self._overwrite:
                _require_new(self._path)
            self._part.replace(self._path)
        except OSError as error:
            raise BadVideo(f"{self._path} cannot be written: {error.strerror}.") from None
        sync_folder(self._path.parent)


def require_writable(path: Path, overwrite: bool) -> None:
    """Raise BadArgument where a video can certainly not be written: said before hours of work, not after."""
    if path.suffix.lower() not in CONTAINERS:
        raise BadArgument(f"{path}: the video that is written must end in {', '.join(CONTAINERS)}.")
    if path.is_dir():
        raise BadArgument(f"{path} is a folder: give the name of a file.")
    if not path.absolute().parent.is_dir():
        raise BadArgument(f"{path} cannot be written: there is no folder {path.parent}.")
    if not overwrite:
        _require_new(path)


def _require_new(path: Path) -> None:
    if os.path.lexists(path):
        raise BadArgument(f"{path} is there already: choose another name, or say that it may be overwritten (--force).")


def _part(path: Path) -> Path:
    """An empty hidden file beside the one to be written, which only this user may read, as faces are in it."""
    suffix = path.suffix.lower()
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem[:100]}.", suffix=f".part{suffix}", dir=path.absolute().parent
        )
    except OSError as error:
        raise BadArgument(f"{path} cannot be written: {error.strerror}.") from None
    os.close(handle)
    return Path(name)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _encoder(av: Any) -> str:
    for name in ENCODERS:
        with suppress(av.codec.codec.UnknownCodecError):
            return av.Codec(name, "w").name
    raise MissingDependency(f"This build of FFmpeg has none of the H.264 encoders {', '.join(ENCODERS)}.")


def _not_written(path: Path, error: Exception) -> BadVideo:
    return BadVideo(f"{path} cannot be written: {getattr(error, 'strerror', None) or 'its encoder failed'}.")
