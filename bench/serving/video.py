"""``recognizer video``: frames a second on a 480p clip, and how often somebody who is known is named right.

The clip is made of photos that move, grow and turn before a background, so it is known who is where in each frame.
Those who are enrolled are so from other photos than those in the clip.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from bench.report import Table, progress
from bench.serving.outcome import Outcome, Place
from bench.serving.workers import ROOT
from common.errors import FaceError, MissingDependency
from mtcnn.nms import intersection_over_union
from networks import zoo
from recognizer import Recognizer
from recognizer.video import VideoProgress, VideoResult, recognize_video

SIZE, RATE, SECONDS = (854, 480), 25, 16
DATA = ROOT.parent / "shared" / "data" / "bbt"  # crops of eight people, five each
CROPS = ("sheldon", "penny", "raj")
SAME = 0.4  # intersection over union, from which a box is somebody's


class Actor(NamedTuple):
    """Somebody in the clip.

    Attributes:
        name: None for somebody who is not enrolled.
        shown: the photo in the clip, uint8 BGR.
        enrolled: the other ones, paths.
    """

    name: str | None
    shown: np.ndarray
    enrolled: list[Path]


class Pose(NamedTuple):
    """Where a photo lies: its centre and height in pixels, and how it is turned, in degrees."""

    x: float
    y: float
    height: float
    angle: float


@dataclass(frozen=True)
class Clip:
    """What is to be seen: ``boxes[frame][actor]`` is where an actor's face is, float ``[4]``."""

    path: Path
    actors: list[Actor]
    boxes: list[dict[int, np.ndarray]]


def actors(data: Path) -> list[Actor]:
    """Those in the clip: one of whom there are several sample photos, two strangers, three of ``data`` if it is there.

    Raises:
        FetchFailed, BadPicture.
    """
    found = [
        Actor("Barack Obama", _head(zoo.sample("obama")), [zoo.sample("obama2"), zoo.sample("obama3")]),
        Actor(None, _head(zoo.sample("biden")), []),
        Actor(None, cv2.resize(cv2.imread(str(zoo.sample("tom_hanks"))), None, fx=2, fy=2), []),
    ]
    for name in CROPS:
        photos = sorted((data / name).glob("*.png"))
        if len(photos) > 1:
            found.append(Actor(name.title(), cv2.imread(str(photos[-1])), photos[:-1]))
    return found


def pose(number: int, count: int, seconds: float) -> Pose | None:
    """Where an actor is at a time: each has a lane, sways, comes nearer, turns, and is out of sight for a while."""
    phase = 2 * np.pi * number / count
    if 4 + number < seconds % 12 < 5 + number and number % 2:
        return None
    lane = SIZE[0] / count
    x = lane * (number + 0.5) + 0.18 * lane * np.sin(0.9 * seconds + phase)
    y = SIZE[1] * (0.5 + 0.22 * np.sin(0.6 * seconds + 2 * phase))
    return Pose(x, y, 1.25 * lane + 0.25 * lane * np.sin(0.7 * seconds + phase), 9 * np.sin(1.1 * seconds + phase))


def made(folder: Path, cast: list[Actor], detect: Callable[[np.ndarray], np.ndarray]) -> Clip:
    """The clip as H.264 in a file of the folder.

    Args:
        detect: the box ``[4]`` of the face in a photo.

    Raises:
        MissingDependency: PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise MissingDependency("Making a clip needs PyAV: pip install 'insightface-tensorflow[video]'.") from None
    faces, boxes, path = [detect(actor.shown) for actor in cast], [], folder / "clip.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE, options={"preset": "fast", "crf": "21"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for picture, where in _frames(cast):
            boxes.append({number: _moved(faces[number], matrix) for number, matrix in where.items()})
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        file.mux(stream.encode(None))
    return Clip(path, cast, boxes)


def measure(place: Place) -> Outcome:
    """The command with and without a copy, and what it says of each frame."""
    with Recognizer(database=place.url) as recognizer:
        cast = actors(DATA)
        recognizer.add_customs({actor.name: actor.enrolled for actor in cast if actor.name})
        progress("  making the clip")
        clip = made(place.folder, cast, lambda photo: recognizer.detector.detect_single(photo).boxes[0])
        runs = {
            f"{command}, round {number + 1}": _command(place, clip, *options)
            for number in range(place.rounds)
            for command, options in (("found", ()), ("with copy", ("--out", str(place.folder / "out.mp4"), "--force")))
        }
        progress("  judging")
        rates: dict[str, float] = {}
        copy = place.folder / "judged.mp4"
        result = recognize_video(recognizer, clip.path, copy, progress=lambda told: _note(rates, told))
    judged = judge(clip, result)
    frames = len(clip.boxes)
    data = {"seconds": runs, "frames": frames, "judged": judged, "rates": rates}
    return Outcome([speed(runs, frames, rates), named(judged, cast)], data, _facts(clip, result))


def judge(clip: Clip, result: VideoResult) -> dict[str, dict[str, int]]:
    """Of each actor: frames in sight, in which the face was found, named right and named wrong; of all, false names."""
    counts = {_called(i, actor): dict.fromkeys(("frames", "found", "right", "wrong"), 0)
              for i, actor in enumerate(clip.actors)}  # fmt: skip
    spare = 0
    for number, boxes in enumerate(clip.boxes):
        seen = [face for track in result.tracks if (face := track.at(number / RATE)) is not None]
        there = np.array([face.box for face in seen], np.float32).reshape(-1, 4)
        taken: set[int] = set()
        for i, box in boxes.items():
            count = counts[_called(i, clip.actors[i])]
            count["frames"] += 1
            overlap = intersection_over_union(box[None].astype(np.float32), there)[0] if len(seen) else np.zeros(0)
            if overlap.size and overlap.max() >= SAME:
                best = int(overlap.argmax())
                taken.add(best)
                count["found"] += 1
                count["right"] += seen[best].name == clip.actors[i].name
                count["wrong"] += seen[best].name not in (None, clip.actors[i].name)
        spare += sum(face.name is not None for i, face in enumerate(seen) if i not in taken)
    return counts | {"nobody": {"frames": 0, "found": 0, "right": 0, "wrong": spare}}


def speed(runs: Mapping[str, float], frames: int, rates: Mapping[str, float]) -> Table:
    """Frames a second of the whole command, the fastest and slowest round, and of its work alone."""
    rows = []
    for command, label in (("found", "recognizer video IN"), ("with copy", "recognizer video IN --out OUT")):
        values = sorted(frames / seconds for name, seconds in runs.items() if name.startswith(command))
        rows.append([label, f"{values[len(values) // 2]:.1f}", f"{values[0]:.1f}", f"{values[-1]:.1f}"])
    rows += [[f"{stage}, alone", f"{rate:.1f}", "-", "-"] for stage, rate in rates.items()]
    title = f"Video: {frames} frames of {SIZE[0]}x{SIZE[1]}, whole process"
    return Table(title, ["", "frames/s, median", "slowest", "fastest"], rows)


def named(judged: Mapping[str, Mapping[str, int]], cast: list[Actor]) -> Table:
    """Shares of the frames in which somebody is in sight."""
    rows = []
    known = [_called(i, actor) for i, actor in enumerate(cast) if actor.name]
    for name, count in judged.items():
        if count["frames"]:
            rows.append(_row(name, count))
    total = {key: sum(judged[name][key] for name in known) for key in ("frames", "found", "right", "wrong")}
    rows.append(_row("all who are known", total))
    rows.append(["where nobody is", "-", "-", "-", str(judged["nobody"]["wrong"])])
    columns = ["who", "frames in sight", "found", "named right", "frames named wrong"]
    return Table("Video: who is named right", columns, rows)


def _row(name: str, count: Mapping[str, int]) -> list[str]:
    return [name, str(count["frames"]), _share(count, "found"), _share(count, "right"), str(count["wrong"])]


def _facts(clip: Clip, result: VideoResult) -> dict[str, str]:
    known = [actor.name for actor in clip.actors if actor.name]
    return {
        "clip": f"{len(clip.actors)} people at a time, of whom {len(known)} are known by other photos "
        f"({', '.join(known)}); faces looked for in {result.examined} of {result.frames} frames"
    }


def _command(place: Place, clip: Clip, *options: str) -> float:
    """Seconds that the command takes."""
    command = [sys.executable, "-m", "recognizer.cli", "video", str(clip.path), "--json", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RECOGNIZER_DATABASE": place.url}
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=place.folder, capture_output=True, text=True)
    if done.returncode:
        raise FaceError(f"recognizer video ended with status {done.returncode}: {done.stderr.strip()[-200:]}")
    return time.perf_counter() - began


def _frames(cast: list[Actor]) -> Iterator[tuple[np.ndarray, dict[int, np.ndarray]]]:
    """Each frame, and the matrix ``[2, 3]`` that puts each actor's photo into it who is in sight."""
    background = _background()
    for number in range(RATE * SECONDS):
        drawn, where = background.copy(), {}
        for i, actor in enumerate(cast):
            at = pose(i, len(cast), number / RATE)
            if at is not None:
                where[i] = _matrix(actor.shown, at)
                _draw(drawn, actor.shown, where[i])
        yield drawn, where


def _draw(scene: np.ndarray, photo: np.ndarray, matrix: np.ndarray) -> None:
    """An oval of the photo, with a soft edge."""
    height, width = photo.shape[:2]
    oval = np.zeros((height, width), np.uint8)
    cv2.ellipse(oval, (width // 2, height // 2), (int(width * 0.49), int(height * 0.49)), 0, 0, 360, 255, -1)
    moved = cv2.warpAffine(photo, matrix, SIZE, flags=cv2.INTER_AREA)
    share = cv2.GaussianBlur(cv2.warpAffine(oval, matrix, SIZE), (0, 0), 2)[:, :, None] / np.float32(255)
    scene[:] = (moved * share + scene * (1 - share)).astype(np.uint8)


def _matrix(photo: np.ndarray, at: Pose) -> np.ndarray:
    centre = (photo.shape[1] / 2, photo.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(centre, at.angle, at.height / photo.shape[0])
    matrix[:, 2] += np.array([at.x, at.y]) - centre
    return matrix


def _moved(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A box of a photo as it lies in the scene; of one that is turned, as large as before."""
    centre = matrix @ [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 1]
    half = (box[2:] - box[:2]) / 2 * np.hypot(*matrix[0, :2])
    return np.concatenate([centre - half, centre + half])


def _background() -> np.ndarray:
    """Stripes and waves in which nobody sees a face."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    waves = [90 + 40 * np.sin(x / 37), 100 + 30 * np.cos(y / 23), 110 + 20 * np.sin((x + y) / 50)]
    return np.stack(waves, axis=2).astype(np.uint8)


def _head(path: Path) -> np.ndarray:
    """The upper part of a portrait that stands."""
    photo = cv2.imread(str(path))
    return photo[: round(photo.shape[1] * 1.1)]


def _note(rates: dict[str, float], told: VideoProgress) -> None:
    rates[told.stage] = told.rate


def _share(count: Mapping[str, int], what: str) -> str:
    return f"{100 * count[what] / max(1, count['frames']):.1f} %"


def _called(number: int, actor: Actor) -> str:
    return actor.name or f"stranger {number}"
