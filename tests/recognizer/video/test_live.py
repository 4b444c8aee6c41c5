"""A camera's faces, named as they come."""

import numpy as np
import pytest

from common.errors import BadArgument, FetchFailed
from db import Face
from networks import zoo
from recognizer import Recognizer
from recognizer.results import Recognition
from recognizer.video import recognize_video
from recognizer.video.live import AWAY, Arrivals, LiveRecognizer
from tests.recognizer.video import clips


@pytest.fixture(scope="module")
def antispoof_files():
    try:
        return zoo.pull("antispoof")
    except FetchFailed as error:
        pytest.skip(f"antispoof cannot be fetched: {str(error).splitlines()[0]}")


def test_faces_are_named_in_each_picture_where_they_are(named, clip):
    live = LiveRecognizer(named)
    for time, picture in clips.shown(clip.path)[:40:8]:
        found = {face.name: face.box for face in live.look(float(time), picture)}
        for name, box in clip.boxes(float(time)).items():
            assert np.abs(found[name] - box).max() < 12


def test_a_spoilt_picture_keeps_the_name_that_good_ones_gave(named, portraits):
    """Its own embedding would give it none: the name comes from all of the track."""
    rng = np.random.default_rng(0)
    good = clips.scene((320, 240), (portraits.obama, (160, 120), 160))
    bad = np.clip(good.astype(float) + rng.normal(0, 60, good.shape), 0, 255).astype(np.uint8)
    alone = named.recognize(bad)
    if not alone or alone[0].name is not None:
        pytest.fail("the picture is not spoilt enough to test this, or too much")
    live = LiveRecognizer(named)
    for i in range(3):
        live.look(i / 10, good)
    assert [face.name for face in live.look(0.3, bad)] == ["Obama"]


def test_what_is_kept_does_not_grow_with_time(named, portraits):
    live, picture = LiveRecognizer(named), clips.scene((320, 240), (portraits.obama, (160, 120), 160))
    for i in range(12):
        live.look(10.0 * (i // 4) + i / 10, picture)
    assert live._tracker.ended == [] and [len(trail.times) for trail in live._tracker.active] == [2]


def test_somebody_who_is_enrolled_meanwhile_is_named_at_once(mobilefacenet_files, mtcnn_files, portraits):
    picture = clips.scene((320, 240), (portraits.obama, (160, 120), 160))
    with Recognizer(database="sqlite://") as recognizer:
        live = LiveRecognizer(recognizer)
        assert [face.name for face in live.look(0.0, picture)] == [None]
        recognizer.add_customs("Obama", portraits.obama2)
        assert [face.name for face in live.look(0.1, picture)] == ["Obama"]


def test_a_picture_without_faces_names_nobody(named, portraits):
    assert LiveRecognizer(named).look(0.0, portraits.wall) == []
    with pytest.raises(BadArgument):
        LiveRecognizer(named, max_side=10)


def test_who_comes_is_told_once_for_each_time():
    arrivals = Arrivals()
    ann, stranger = (Recognition(name, 0.9, None, np.zeros(4), np.zeros((5, 2)), 1.0) for name in ("Ann", None))
    assert arrivals.of(0.0, [ann, stranger]) == [ann]
    assert arrivals.of(AWAY - 0.1, [ann]) == []
    assert arrivals.of(2 * AWAY - 0.2, [ann]) == []
    assert arrivals.of(3 * AWAY, [stranger]) == []
    assert arrivals.of(3 * AWAY + 1, [ann]) == [ann]


def test_liveness_that_the_settings_ask_for_is_asked_of_cameras_and_videos_too(
    antispoof_files, mobilefacenet_files, mtcnn_files, portraits, tmp_path
):
    picture = clips.scene((320, 240), (portraits.obama, (160, 120), 200))
    with Recognizer(database="sqlite://", liveness="report") as recognizer:
        [alone] = recognizer.recognize(picture)
        [live] = LiveRecognizer(recognizer).look(0.0, picture)
        assert live.liveness == alone.liveness is not None
        result = recognize_video(recognizer, clips.write(tmp_path / "in.mp4", [picture] * 2), every=1)
        assert "live" in result.to_mapping()["tracks"][0]["best"]["liveness"]
    with Recognizer(database="sqlite://", liveness="require") as strict:
        strict.gallery.add_many({"Obama": [Face(strict.get_embd(portraits.obama)[0])]})
        assert LiveRecognizer(strict).look(0.0, picture)[0].name == ("Obama" if alone.liveness.live else None)
