"""Several processes at work in one gallery: no lost update, no deadlock that surfaces, exact templates."""

import json
from collections import Counter

import pytest
from gallery_process import check_exact, gallery_of

import db

TIMES = 25
COMMON = ("contested 1", "contested 2")


@pytest.mark.parametrize("count", [2, 8])
def test_processes_that_start_together_on_an_empty_database_lose_nothing(url, start, count):
    # Two galleries in one database, because their writes lock different rows first.
    galleries = ["default", "other"][: count // 2]
    processes = [start("mix", url, number, TIMES, galleries[number % len(galleries)]) for number in range(count)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    calls = [list(map(json.loads, process.communicate(timeout=120)[0].splitlines())) for process in processes]
    assert [process.returncode for process in processes] == [0] * count
    assert [len(some) for some in calls] == [TIMES] * count
    with db.open(url) as database:
        for place, name in enumerate(galleries):
            check(gallery_of(database, name), dict(list(enumerate(calls))[place :: len(galleries)]))


def check(gallery, calls):
    """The gallery is what the calls of processes (by number) can have left, in an order that their times allow."""
    done = [call for some in calls.values() for call in some if call[2] != "unknown"]
    assert {what for _, _, what, _, _ in done} == {"add", "replace", "delete"}
    assert gallery.revision() == len(done)
    stored = {person.name: [int(face.source) for face in gallery.faces(person.name)] for person in gallery.people()}
    assert {person.name: person.count for person in gallery.people()} == {k: len(v) for k, v in stored.items()}
    assert all(set(Counter(seeds).values()) == {1} for seeds in stored.values())
    assert sorted(stored.pop("shared")) == sorted(seed for _, _, what, _, seed in done if what == "add")
    for number, some in calls.items():
        assert stored.pop(f"own {number}", []) == left_by_one(some, f"own {number}")
    for name in COMMON:
        check_common([call for call in done if name in call[3]], stored.pop(name, []))
    assert not stored
    check_exact(gallery)


def left_by_one(calls, name):
    """The seeds of a person whom only one process touches."""
    seeds = []
    for _, _, what, names, seed in calls:
        if name in names and what != "unknown":
            seeds = {"add": [*seeds, seed], "replace": [seed], "delete": []}[what]
    return seeds


def check_common(calls, stored):
    """A face is there unless a later call removed it, where calls at the same time may have either order."""
    for call in calls:
        began, ended, what, _, seed = call
        removing = [other for other in calls if other[2] != "add" and other is not call]
        if what != "delete" and seed in stored:
            assert not any(other[0] > ended for other in removing), call
        elif what != "delete":
            assert any(other[1] > began for other in removing), call
