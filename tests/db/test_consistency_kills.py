"""kill -9 of clients and of the server: what was reported is there, whatever else happened is whole."""

import os
import random
import signal
import time

import pytest
from gallery_process import check_exact, faces, gallery_of

import db

DRAW = random.Random(0)


class Victim:
    """A process that enrols people until it is killed, again and again."""

    def __init__(self, start):
        self._parent = start("enrol_in_forks", "")

    def begin(self, url, number):
        """Enrol people from ``number`` on."""
        self._parent.stdin.write(f"{url} {number}\n")
        self._parent.stdin.flush()
        self._process = int(self._parent.stdout.readline().removeprefix("began "))

    def kill(self):
        """kill -9; the numbers of the calls that it reported as stored."""
        os.kill(self._process, signal.SIGKILL)
        lines = iter(self._parent.stdout.readline, "ended\n")
        return [int(line.removeprefix("stored ")) for line in lines if line != "opened\n"]

    def wait_for(self, line):
        """Until it prints a line that begins so."""
        while not self._parent.stdout.readline().startswith(line):
            assert self._parent.poll() is None

    def usual_seconds(self, url):
        """How long opening ``url`` takes, and then the first call."""
        self.wait_for("ready")
        self.begin(url, 0)
        moments = [time.monotonic()]
        for line in ("opened", "stored"):
            self.wait_for(line)
            moments.append(time.monotonic())
        self.kill()
        return moments[1] - moments[0], moments[2] - moments[1]


@pytest.fixture
def victim(start):
    return Victim(start)


def test_fifty_killed_writers_leave_each_call_wholly_stored_or_not_at_all(url, victim):
    db.open(url).close()
    _, seconds = victim.usual_seconds(url)
    reported = []
    with db.open(url) as database:
        gallery = gallery_of(database)
        for number in range(1, 51):
            victim.begin(url, 10_000 * number)
            victim.wait_for("opened")
            time.sleep(DRAW.uniform(0, 3 * seconds))
            reported += victim.kill()
            check(gallery, reported)
    assert len(reported) > 10


def check(gallery, reported):
    """Each call is four persons of three faces, and one face of all calls' shared person."""
    check_exact(gallery)
    counts = {person.name: person.count for person in gallery.people()}
    seeds = [int(face.source) for face in gallery.faces("shared")] if counts else []
    assert set(reported) <= set(seeds) and len(set(seeds)) == len(seeds) == counts.pop("shared", 0)
    assert counts == {f"p{i}": 3 for seed in seeds for i in range(seed, seed + 4)}
    assert gallery.revision() == len(seeds)


@pytest.mark.parametrize("engine", ["sqlite", "server"])
def test_a_process_killed_while_it_sets_up_a_database_leaves_one_that_can_be_used(new_url, victim, engine):
    with new_url(engine) as url:
        seconds = sum(victim.usual_seconds(url))
    for _ in range(10):
        with new_url(engine) as url:
            victim.begin(url, 0)
            time.sleep(DRAW.uniform(0, seconds))
            reported = victim.kill()
            with db.open(url) as database:
                gallery = gallery_of(database)
                check(gallery, reported)
                assert gallery.add("Ann", faces(1)).count == 1
