"""From photos to faces ready to be stored, and a report of those that are not."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from os import PathLike
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from common.errors import BadPicture, NothingEnrolled
from db import Face, Person
from db.names import clean
from mtcnn import Detector
from mtcnn.align import align
from mtcnn.detector import most_prominent
from mtcnn.pictures import Picture, read_picture
from networks import Network
from recognizer.duplicates import Duplicates
from recognizer.forms import NamedPicture, picture_and_source
from recognizer.gates import Gates
from recognizer.results import Enrolment, Progress, Refusal

SMALLEST_EYE_DISTANCE = 10.0  # pixels; below, a 112-pixel face is mostly invented

Result = TypeVar("Result")
Write = Callable[[dict[str, list[Face]]], Result]  # stores faces by person: all of them or none


@dataclass(frozen=True)
class Sighting:
    """What one picture shows of a person.

    Attributes:
        name, source: the person, and what the picture is called.
        crop: the aligned face, uint8 ``[112, 112, 3]`` BGR; None where there is none to use.
        reason: why there is none.
        score: the detector's confidence, 0..1.
        picture: SHA-256 of the picture's bytes, in hexadecimal.
        notes: what was decided, such as which of several faces was taken, and what is wrong with it.
    """

    name: str
    source: str
    crop: np.ndarray | None = field(default=None, repr=False)
    reason: str | None = None
    score: float = 0.0
    picture: str | None = None
    notes: tuple[str, ...] = ()


def digest(img: Picture) -> str:
    """SHA-256 in hexadecimal of a picture's bytes: of the file, the encoded bytes, or the pixels and their shape.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(img, (str, PathLike)):
        with Path(img).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    if isinstance(img, np.ndarray):
        return sha256(repr(img.shape).encode() + np.ascontiguousarray(img).tobytes()).hexdigest()
    return sha256(img).hexdigest()


@dataclass
class Gathered:
    """The sightings of some people.

    Attributes:
        usable: with a crop.
        refused, notes: see ``Enrolment``.
    """

    usable: list[Sighting] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[Refusal] = field(default_factory=list)

    def take(self, sighting: Sighting) -> None:
        """Add a sighting to the usable ones, or to the refused."""
        if sighting.crop is not None:
            self.usable.append(sighting)
        if sighting.reason is not None:
            self.refused.append(Refusal(sighting.name, sighting.source, sighting.reason))
        self.notes += [Refusal(sighting.name, sighting.source, note) for note in sighting.notes]

    def counts(self) -> dict[str, int]:
        """The usable photos, by person."""
        return dict(Counter(sighting.name for sighting in self.usable))

    def faces(self, embeddings: Iterable[np.ndarray], store_crops: bool) -> dict[str, list[Face]]:
        """The usable sightings as faces to be stored, by person; ``embeddings`` are in their order."""
        faces: dict[str, list[Face]] = {}
        for sighting, row in zip(self.usable, embeddings, strict=True):
            crop = encode_crop(sighting.crop) if store_crops else None
            face = Face(row, sighting.source, sighting.score, crop, sighting.picture)
            faces.setdefault(sighting.name, []).append(face)
        return faces

    def compared(self, embeddings: np.ndarray, duplicates: Duplicates) -> list[Refusal]:
        """A note for each usable sighting that is as near to somebody else as photos of one person are."""
        people = [sighting.name for sighting in self.usable]
        return duplicates.notes(people, [sighting.source for sighting in self.usable], embeddings)

    def require_some(self) -> None:
        """Raise NothingEnrolled, saying why, where no picture was usable."""
        if not self.usable:
            raise nothing_enrolled(self.refused)


@dataclass(frozen=True)
class Enroller:
    """What a recognizer enrols with. May be used from several threads.

    Attributes:
        detector, model: find and embed faces.
        gates: what is asked of photos.
        duplicates: compares them with who is there.
        store_crops: whether aligned faces are stored, too.
    """

    detector: Detector
    model: Network
    gates: Gates
    duplicates: Duplicates
    store_crops: bool

    def enrol(
        self,
        people: Sequence[tuple[str, Sequence[Picture | NamedPicture]]],
        write: Write[list[Person]],
        progress: Progress | None = None,
    ) -> Enrolment:
        """Photos of some people, in one step.

        Raises:
            NothingEnrolled: no photo was usable. BadName: what cannot be a person's name. What ``write`` raises.
        """
        work = [(clean(name), img, number) for name, imgs in people for number, img in enumerate(imgs, 1)]
        gathered = Gathered()
        for name, img, number in progress(work, len(work)) if progress else work:
            picture, source = picture_and_source(img, number)
            gathered.take(self.look(name, source, picture))
        gathered.refused += [Refusal(clean(name), "", "no pictures given") for name, imgs in people if not imgs]
        gathered.require_some()
        stored = self.store(gathered, self.embed(gathered), write)
        return Enrolment(gathered.counts(), gathered.refused, gathered.notes, people=tuple(stored))

    def look(self, name: str, source: str, img: Picture, picture: str | None = None) -> Sighting:
        """Find the face that a picture is about; ``picture`` is its digest where that is known already."""
        try:
            pixels = read_picture(img)
            picture = picture or digest(img)
        except BadPicture as error:
            return Sighting(name, source, reason=f"unreadable: {error}")
        except OSError as error:
            return Sighting(name, source, reason=f"unreadable: {error.strerror}")
        detections = self.detector.detect(pixels)
        if not len(detections):
            return Sighting(name, source, reason="no face found")
        chosen = most_prominent(detections, pixels.shape)
        face = detections[chosen]
        eyes = face.landmarks[0, :2]
        if np.linalg.norm(eyes[1] - eyes[0]) < SMALLEST_EYE_DISTANCE:
            reason = f"face too small: the eyes must be at least {SMALLEST_EYE_DISTANCE:.0f} pixels apart"
            return Sighting(name, source, reason=reason)
        verdict = self.gates.judge(pixels, detections, chosen)
        if verdict.refusal is not None:
            return Sighting(name, source, reason=verdict.refusal)
        notes = verdict.notes
        if len(detections) > 1:
            left, top, right, bottom = (round(float(value)) for value in face.boxes[0])
            notes = (f"{len(detections)} faces; took the most prominent, at {left},{top}-{right},{bottom}", *notes)
        crop = align(pixels, face.landmarks, self.model.card.input_size)[0]
        return Sighting(name, source, crop, score=float(face.scores[0]), picture=picture, notes=notes)

    def embed(self, gathered: Gathered) -> np.ndarray:
        """The embeddings float32 ``[n, d]`` of what is usable, at least one."""
        return self.model.embed(np.stack([sighting.crop for sighting in gathered.usable]))

    def store(self, gathered: Gathered, embeddings: np.ndarray, write: Write[Result]) -> Result:
        """Note what is too near to somebody else, and store all in one step; what ``write`` returned."""
        faces = gathered.faces(embeddings, self.store_crops)
        gathered.notes += gathered.compared(embeddings, self.duplicates)
        return write(faces)


def nothing_enrolled(refused: list[Refusal]) -> NothingEnrolled:
    """The error that tells why no picture was usable."""
    reasons = "; ".join(f"{refusal.source or refusal.name}: {refusal.reason}" for refusal in refused[:3])
    more = f"; and {len(refused) - 3} more" if len(refused) > 3 else ""
    told = f"No usable picture, nothing was stored. {reasons or 'No picture was given'}{more}"
    return NothingEnrolled(told, refused)


def encode_crop(crop: np.ndarray) -> bytes:
    """An aligned face uint8 ``[112, 112, 3]`` BGR as PNG: another model's embedding of it is then exact."""
    return cv2.imencode(".png", crop)[1].tobytes()
