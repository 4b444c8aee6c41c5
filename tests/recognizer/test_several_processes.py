"""What one process does to the people is true for the next ``recognize`` of every other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from common.errors import DatabaseError, ModelMismatch
from db import open as open_database
from recognizer import Recognizer

SCRIPT, ROOT = Path(__file__).with_name("recognizing_process.py"), Path(__file__).parents[2]


@pytest.fixture
def photos(portraits, tmp_path):
    """Paths of the portraits, by name."""
    paths = {name: tmp_path / f"{name}.png" for name in ("obama", "obama2", "obama3", "biden")}
    for name, path in paths.items():
        cv2.imwrite(str(path), getattr(portraits, name))
    return {name: str(path) for name, path in paths.items()}


@pytest.fixture
def other(shared_url):
    """Tells a recognizer in another process what to do; returns its answer."""
    process = subprocess.Popen(
        [sys.executable, SCRIPT, shared_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert json.loads(process.stdout.readline()) == "ready"

    def tell(*what):
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield tell
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def test_a_person_enrolled_changed_or_deleted_here_is_so_there_at_the_next_call(shared_url, other, photos):
    with Recognizer(database=shared_url) as recognizer:
        assert other("recognize", photos["obama"]) == [None]
        recognizer.add_customs("Obama", photos["obama2"])
        assert other("recognize", photos["obama"]) == ["Obama"]
        recognizer.rename_custom("Obama", "Barack Obama")
        assert other("recognize", photos["obama"]) == ["Barack Obama"]
        recognizer.update_customs("Barack Obama", photos["biden"])
        assert other("recognize", photos["obama"]) == [None]
        assert other("recognize", photos["biden"]) == ["Barack Obama"]
        recognizer.del_customs("Barack Obama")
        assert other("recognize", photos["biden"]) == [None]
        other("add_customs", "Joe Biden", photos["biden"])
        assert [face.name for face in recognizer.recognize(photos["biden"])] == ["Joe Biden"]
        other("del_customs", "Joe Biden")
        assert [face.name for face in recognizer.recognize(photos["biden"])] == [None]


def test_photos_averaged_by_two_processes_give_the_exact_mean(shared_url, other, photos):
    with Recognizer(database=shared_url) as recognizer:
        recognizer.add_customs("Obama", photos["obama"])
        other("add_embds", "Obama", photos["obama2"])
        recognizer.add_embds("Obama", photos["obama3"])
        other("add_embds", "Obama", photos["obama3"])
        with recognizer.gallery.scan() as (_, pieces):
            [template] = next(iter(pieces)).vectors
        each = [recognizer.get_embd(photos[name])[0] for name in ("obama", "obama2", "obama3", "obama3")]
        assert abs(template - sum(row.astype(float) for row in each) / 4).max() < 1e-6


def test_after_a_switch_the_other_process_answers_nothing_wrong(shared_url, other, photos):
    with Recognizer(database=shared_url) as recognizer:
        recognizer.add_customs("Obama", photos["obama2"])
        with open_database(shared_url) as database:
            database.create_gallery("default-next", "next model", "f" * 64, 512)
            database.switch_galleries("default", "default-next")
            assert other("recognize", photos["obama"]) == {"error": "ModelMismatch"}
            assert other("add_customs", "Biden", photos["biden"]) == {"error": "ModelMismatch"}
            with pytest.raises(ModelMismatch, match="next model"):
                Recognizer(database=shared_url)
            database.switch_galleries("default", "default-next")  # taken back
            assert other("recognize", photos["obama"]) == ["Obama"]
            assert database.find("default-next").people() == []


def test_while_the_server_is_down_there_is_one_clear_error_and_then_all_is_well(
    private_server, server_url, photos, tmp_path
):
    settings = (ROOT / "configs" / "recognizer.yaml").read_text().replace("timeout: 10 ", "timeout: 2 ")
    (tmp_path / "hasty.yaml").write_text(settings)
    with Recognizer(database=server_url, config=tmp_path / "hasty.yaml") as recognizer:
        recognizer.add_customs("Obama", photos["obama2"])
        assert [face.name for face in recognizer.recognize(photos["obama"])] == ["Obama"]
        private_server.stop()
        for call in (lambda: recognizer.recognize(photos["obama"]), lambda: recognizer.del_customs("Obama")):
            with pytest.raises(DatabaseError, match="server"):
                call()
        private_server.start()
        assert [face.name for face in recognizer.recognize(photos["obama"])] == ["Obama"]
        recognizer.add_customs("Biden", photos["biden"])
        assert [person.name for person in recognizer.customs()] == ["Biden", "Obama"]
