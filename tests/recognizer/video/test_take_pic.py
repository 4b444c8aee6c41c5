"""Enrolment from a camera: the best of several pictures."""

import numpy as np
import pytest

from common.errors import BadArgument, BadName, NoFace
from recognizer.video import take_pic
from recognizer.video.camera import Shot
from tests.recognizer.video import clips


class Pictures:
    """A camera that gives pictures as fast as they are taken."""

    name = "a test"

    def __init__(self, *pictures):
        self._shots = [Shot(float(i), picture) for i, picture in enumerate(pictures)]
        self.given = 0

    def shot(self, after=-1.0, timeout=None):
        later = [shot for shot in self._shots if shot.time > after]
        self.given += bool(later)
        return later[0] if later else None


def seen(picture, height):
    return clips.scene((320, 240), (picture, (160, 120), height))


def test_the_best_face_of_several_is_enrolled(recognizer, portraits):
    wall, small, large = portraits.wall, seen(portraits.obama, 110), seen(portraits.obama, 220)
    camera = Pictures(wall, small, large, small)
    taken = take_pic(recognizer, camera, "Obama")
    assert taken.time == 2.0 and taken.pictures == 3
    np.testing.assert_array_equal(taken.picture, large)
    assert taken.enrolment.added == {"Obama": 1}
    assert [person.name for person in recognizer.customs()] == ["Obama"]
    assert recognizer.recognize(portraits.obama2)[0].name == "Obama"


def test_it_stops_after_as_many_faces_as_were_asked_for(recognizer, portraits):
    camera = Pictures(*[seen(portraits.obama, 150)] * 5)
    assert take_pic(recognizer, camera, "Obama", pictures=2).pictures == 2
    assert camera.given == 2


def test_who_is_there_gets_another_photo(recognizer, portraits):
    recognizer.add_customs("Obama", portraits.obama2)
    take_pic(recognizer, Pictures(seen(portraits.obama, 150)), "Obama")
    assert [person.count for person in recognizer.customs()] == [2]


def test_without_a_face_nobody_is_enrolled(recognizer, portraits):
    with pytest.raises(NoFace, match="2 pictures of a test"):
        take_pic(recognizer, Pictures(portraits.wall, portraits.wall), "Obama")
    assert recognizer.customs() == []


def test_a_bad_name_or_number_is_said_before_the_camera_is_asked(recognizer, portraits):
    camera = Pictures(portraits.obama)
    with pytest.raises(BadName):
        take_pic(recognizer, camera, " ")
    with pytest.raises(BadArgument):
        take_pic(recognizer, camera, "Obama", pictures=0)
    assert camera.given == 0
