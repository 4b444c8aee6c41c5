"""A clip in which two known people and a stranger move about, and a recognizer that knows them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mtcnn import create
from recognizer import Recognizer
from recognizer.video import recognize_video
from tests.recognizer.video import clips

SIZE = (320, 240)
FRAMES = 60
ENTERS, LEAVES = 0.6, 1.8  # seconds, Biden


@dataclass
class Clip:
    """A video and what is to be seen in it: ``boxes(time)`` has the box of each person in sight, by name."""

    path: Path
    people: dict

    def boxes(self, time):
        """Boxes ``[4]`` of the people in sight, by name, from where their portraits were put."""
        found = {}
        for name, (picture, box, where) in self.people.items():
            at = where(time)
            if at is not None:
                matrix = clips.placed(picture, *at)
                found[name] = np.concatenate([matrix @ [*box[:2], 1], matrix @ [*box[2:], 1]])
        return found

    def times(self):
        return [number / clips.RATE for number in range(FRAMES)]


def obama(time):
    """Pans to the right, up and down, and zooms."""
    return (70 + 60 * time, 90 + 15 * np.sin(4 * time)), 130 + 20 * np.sin(3 * time)


def biden(time):
    return ((250 - 30 * time, 165), 120) if ENTERS <= time < LEAVES else None


@pytest.fixture(scope="session")
def named(portraits):
    """A recognizer that knows Obama, from other photos than those in the clip, and Biden. Not to be changed."""
    with Recognizer(database="sqlite://") as recognizer:
        recognizer.add_customs({"Obama": [portraits.obama2, portraits.obama3], "Biden": [portraits.biden]})
        yield recognizer


@pytest.fixture(scope="session")
def clip(portraits, tmp_path_factory):
    """2.4 s with sound: Obama all the time, Biden from 0.6 to 1.8 s."""
    detector = create("mtcnn")
    people = {}
    for name, picture, where in (("Biden", portraits.biden, biden), ("Obama", portraits.obama, obama)):
        people[name] = picture, detector.detect_single(picture).boxes[0], where
    made = Clip(tmp_path_factory.mktemp("clip") / "clip.mp4", people)

    def pictures():
        for time in made.times():
            seen = [(picture, *where(time)) for picture, _, where in people.values() if where(time) is not None]
            yield clips.scene(SIZE, *seen)

    clips.write(made.path, pictures(), sound=2.3)
    return made


@pytest.fixture(scope="session")
def result(named, clip, tmp_path_factory):
    """The clip recognised, with its annotated copy."""
    return recognize_video(named, clip.path, tmp_path_factory.mktemp("annotated") / "out.mp4")
