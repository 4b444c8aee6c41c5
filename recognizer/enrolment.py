"""From what a caller hands over - one person, a mapping, a facebank folder - to faces ready to be stored."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.errors import BadArgument, BadPicture, NothingEnrolled
from mtcnn import Detector
from mtcnn.align import align
from mtcnn.detector import most_prominent
from mtcnn.pictures import Picture, picture_files, read_picture
from recognizer.results import Refusal

SMALLEST_EYE_DISTANCE = 10.0  # pixels; below, a 112-pixel face is mostly invented


@dataclass
class Gathered:
    """Aligned faces of some people, and what happened to each picture.

    Attributes:
        names, sources, scores, crops: one entry per usable picture; crops are uint8 ``[112, 112, 3]`` BGR.
        refused, notes: see ``Enrolment``.
    """

    names: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    crops: list[np.ndarray] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[Refusal] = field(default_factory=list)

    def take(self, name: str, source: str, img: Picture, detector: Detector, size: tuple[int, int]) -> None:
        """Use the face that a picture is about, or note why there is none to use."""
        try:
            picture = read_picture(img)
        except BadPicture as error:
            self.refused.append(Refusal(name, source, f"unreadable: {error}"))
            return
        detections = detector.detect(picture)
        if not len(detections):
            self.refused.append(Refusal(name, source, "no face found"))
            return
        chosen = most_prominent(detections, picture.shape)
        face = detections[chosen]
        eyes = face.landmarks[0, :2]
        if np.linalg.norm(eyes[1] - eyes[0]) < SMALLEST_EYE_DISTANCE:
            reason = f"face too small: the eyes must be at least {SMALLEST_EYE_DISTANCE:.0f} pixels apart"
            self.refused.append(Refusal(name, source, reason))
            return
        if len(detections) > 1:
            left, top, right, bottom = (round(float(value)) for value in face.boxes[0])
            reason = f"{len(detections)} faces; took the most prominent, at {left},{top}-{right},{bottom}"
            self.notes.append(Refusal(name, source, reason))
        self.names.append(name)
        self.sources.append(source)
        self.scores.append(float(face.scores[0]))
        self.crops.append(align(picture, face.landmarks, size)[0])

    def require_some(self) -> None:
        """Raise NothingEnrolled, saying why, where no picture was usable."""
        if self.crops:
            return
        reasons = "; ".join(f"{refusal.source or refusal.name}: {refusal.reason}" for refusal in self.refused[:3])
        more = f"; and {len(self.refused) - 3} more" if len(self.refused) > 3 else ""
        raise NothingEnrolled(f"No usable picture, nothing was stored. {reasons or 'No picture was given'}{more}")


def people_and_pictures(name, imgs) -> list[tuple[str, list[Picture]]]:
    """The forms in which people are handed over, as a list of (name, pictures).

    Args:
        name: a person's name, with ``imgs`` one picture or several; or, with ``imgs`` None, a mapping
            ``{name: pictures}`` or the path of a facebank folder with one folder of pictures per person.

    Raises:
        BadArgument: none of these.
        NothingEnrolled: a facebank without people.
    """
    if isinstance(name, Mapping):
        if imgs is not None:
            raise BadArgument("Give either a name and its pictures, or one mapping {name: pictures}.")
        return [(each, as_list(pictures)) for each, pictures in name.items()]
    if imgs is not None:
        return [(name, as_list(imgs))]
    if isinstance(name, (str, os.PathLike)) and os.path.isdir(name):  # noqa: PTH112 (no error on any text)
        return facebank(Path(name))
    raise BadArgument(f"{str(name)[:80]!r} is no facebank folder. Give a name and its pictures, or such a folder.")


def facebank(folder: Path) -> list[tuple[str, list[Picture]]]:
    """``FOLDER/NAME/*.jpg`` as (name, pictures), in the order of the names; hidden folders are passed over."""
    if not folder.is_dir():
        raise BadArgument(f"No such folder: {folder}")
    try:
        people = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        found = [(path.name, list(picture_files(path))) for path in people]
    except OSError as error:
        raise BadArgument(f"{error.filename} cannot be read: {error.strerror}.") from None
    if not found:
        raise NothingEnrolled(f"{folder} has no folders. Expected one per person: {folder}/NAME/photo.jpg")
    return found


def as_list(imgs: Picture | Iterable[Picture]) -> list[Picture]:
    """One picture or several, as a list; a 4-dimensional array is several."""
    if isinstance(imgs, (str, os.PathLike, bytes, bytearray, memoryview)):
        return [imgs]
    if isinstance(imgs, np.ndarray):
        return list(imgs) if imgs.ndim == 4 else [imgs]
    if isinstance(imgs, (Iterable, Iterator)):
        return list(imgs)
    return [imgs]


def source_of(img: Picture, number: int) -> str:
    """How a picture is called in reports and in the database: its path, or its place in the call."""
    return str(img) if isinstance(img, (str, os.PathLike)) else f"picture {number}"
