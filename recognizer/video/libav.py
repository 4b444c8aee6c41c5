"""PyAV, the binding of FFmpeg's libraries, and what it is allowed to do."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from common.errors import BadVideo, MissingDependency
from mtcnn.pictures import MAX_SIDE, REMEDY, max_pixels

if TYPE_CHECKING:
    import av

# Containers that hold their pictures themselves. FFmpeg's full list has playlists and scripts (hls, dash, concat,
# image2, lavfi) that would open other files or addresses: a "video" of three lines could read any file of this user.
FILE_FORMATS = (
    "mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "asf", "ogg", "mxf", "ivf", "dv", "gif",
    "h264", "hevc", "mjpeg", "mjpeg_2000", "yuv4mpegpipe",
)  # fmt: skip
LARGE = 10_000_000  # pixels; from here on frames are not decoded side by side: each thread holds some of them
QUARTER_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


def load() -> Any:
    """The module ``av``.

    Raises:
        MissingDependency: it is not installed.
    """
    try:
        import av
    except ImportError:
        raise MissingDependency(
            "Videos and network cameras need PyAV: pip install 'insightface-tensorflow[video]'."
        ) from None
    return av


def limit(stream: "av.VideoStream", name: str) -> None:
    """Let a stream decode nothing larger than a picture may be, whatever its frames claim later on.

    Raises:
        BadVideo: it says already that it is.
    """
    context = stream.codec_context
    check_size(context.width, context.height, name)
    context.options = {"max_pixels": str(max_pixels())}
    stream.thread_type = "AUTO" if context.width * context.height < LARGE else "SLICE"


def check_size(width: int, height: int, name: str) -> None:
    """Raise BadVideo for frames larger than a picture may be; ``RECOGNIZER_MAX_PIXELS`` moves the limit."""
    if width * height > max_pixels() or max(width, height) > MAX_SIDE:
        raise BadVideo(
            f"{name} has frames of {width}x{height} pixels; at most {max_pixels()} in all and {MAX_SIDE} a side are "
            f"read. {REMEDY}"
        )


def picture(image: "av.VideoFrame", shape: Fraction | None, name: str) -> np.ndarray:
    """A decoded frame as uint8 ``[H, W, 3]`` BGR: upright as its metadata say, with square pixels.

    Args:
        image: the frame as it is stored.
        shape: width of a stored pixel divided by its height; None: square.
        name: of the video, for errors.

    Raises:
        BadVideo: it is too large.
    """
    width = max(1, round(image.width * shape)) if shape else image.width
    check_size(width, image.height, name)
    pixels = image.reformat(width=width, height=image.height, format="bgr24").to_ndarray()
    turn = QUARTER_TURNS.get(round(image.rotation / 90) * 90 % 360)  # counted counterclockwise
    return pixels if turn is None else cv2.rotate(pixels, turn)
