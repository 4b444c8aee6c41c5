"""Videos made in the tests: portraits that move before a quiet background, with known places at known times."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs PyAV: pip install .[video]")
RATE = 25


def background(width, height):
    y, x = np.mgrid[0:height, 0:width]
    waves = [90 + 40 * np.sin(x / 37), 100 + 30 * np.cos(y / 23), 110 + 20 * np.sin((x + y) / 50)]
    return np.stack(waves, axis=2).astype(np.uint8)


def placed(picture, centre, height):
    """The matrix that puts a picture into a scene."""
    scale = height / picture.shape[0]
    return np.float32(
        [[scale, 0, centre[0] - scale * picture.shape[1] / 2], [0, scale, centre[1] - scale * picture.shape[0] / 2]]
    )


def scene(size, *pictures):
    """A scene uint8 ``[H, W, 3]`` with pictures, each as (picture, centre, height in pixels), in it."""
    drawn = background(*size)
    for picture, centre, height in pictures:
        matrix = placed(picture, centre, height)
        moved = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_AREA)
        inside = cv2.warpAffine(np.full(picture.shape[:2], 255, np.uint8), matrix, size) > 127
        drawn[inside] = moved[inside]
    return drawn


def colours(size=(96, 64)):
    """A picture whose corners can be told apart: blue and green at the top, red and white at the bottom."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (220, 20, 20)
    picture[: height // 2, width // 2 :] = (20, 220, 20)
    picture[height // 2 :, : width // 2] = (20, 20, 220)
    picture[height // 2 :, width // 2 :] = (230, 230, 230)
    return picture


def write(path, pictures, ticks=None, tick=Fraction(1, RATE), sound=0.0, rotation=None, options=None, shape=None):
    """Write a video of pictures, shown at ``ticks``, with ``sound`` seconds of a tone; returns its path."""
    with av.open(str(path), "w", options=options or {}) as file:
        video, audio = None, None
        for i, picture in enumerate(pictures):
            if video is None:
                video = file.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "g": "10"})
                video.height, video.width = picture.shape[:2]
                video.pix_fmt, video.codec_context.time_base = "yuv420p", tick
                if shape is not None:
                    video.codec_context.sample_aspect_ratio = shape
                if rotation is not None:
                    video.set_display_rotation(rotation)
                if sound:
                    audio = file.add_stream("aac", rate=16000, layout="mono")
                    for packet in tone(audio, sound):
                        file.mux(packet)
            image = av.VideoFrame.from_ndarray(picture, format="bgr24")
            image.pts, image.time_base = i if ticks is None else ticks[i], tick
            file.mux(video.encode(image))
        file.mux(video.encode(None))
    return path


def tone(stream, seconds):
    wave = (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(16000 * seconds)) / 16000)).astype(np.float32)
    for at in range(0, len(wave) - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, at : at + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, at, Fraction(1, 16000)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def shown(path):
    """(seconds, picture) of every frame of a video, as PyAV alone reads it."""
    with av.open(str(path)) as file:
        return [(frame.pts * frame.time_base, frame.to_ndarray(format="bgr24")) for frame in file.decode(video=0)]


def packets_of_sound(path):
    with av.open(str(path)) as file:
        if not file.streams.audio:
            return []
        packets = [packet for packet in file.demux(audio=0) if packet.size]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets]
