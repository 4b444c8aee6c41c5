import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from gallery_process import embedding, faces, gallery_of

import db


def means(gallery):
    _, _, names, templates = gallery.templates()
    return dict(zip(names, templates, strict=True))


def check_mean(template, seeds):
    expected = sum(embedding(seed).astype(np.float64) for seed in seeds) / len(seeds)
    assert np.abs(template - expected).max() < 1e-6


@pytest.mark.parametrize("count", [2, 8])
def test_processes_that_start_together_on_an_empty_path_lose_nothing(url, start, count):
    times = 8
    processes = [start("enrol", url, number, times) for number in range(count)]
    assert [process.wait(timeout=50) for process in processes] == [0] * count
    with db.open(url) as database:
        gallery = gallery_of(database)
        assert gallery.revision() == 2 * count * times
        assert {person.name: person.count for person in gallery.people()} == {
            "shared": count * times,
            **{f"own {number}": times for number in range(count)},
        }
        found = means(gallery)
        seeds = [[1000 * number + i for i in range(times)] for number in range(count)]
        check_mean(found["shared"], sum(seeds, []))
        for number in range(count):
            check_mean(found[f"own {number}"], seeds[number])


def test_killed_writers_leave_each_call_wholly_stored_or_not_at_all(url, start):
    draw = random.Random(0)
    reported = 0
    for _ in range(12):
        process = start("enrol_forever", url, reported + 100)
        for _ in range(draw.randint(1, 5)):
            reported = int(process.stdout.readline())
        Event().wait(draw.uniform(0, 0.02))
        process.kill()
        rest = process.stdout.read().split()
        assert process.wait() == -9
        reported = int(rest[-1]) if rest else reported
        with db.open(url) as database:
            gallery = gallery_of(database)
            counts = {person.name: person.count for person in gallery.people()}
            found = means(gallery)
        shared = counts.pop("shared")
        numbers = [int(name[1:]) for name in counts]
        assert reported in numbers
        assert shared == len(counts) and set(counts.values()) == {3}
        check_mean(found["shared"], numbers)
        for number in numbers:
            check_mean(found[f"p{number}"], [number, number + 1, number + 2])


def test_a_reader_in_another_process_follows_the_changes(url, start):
    with db.open(url) as database:
        gallery = gallery_of(database)
        gallery.add("Ann", faces(1))
        reader = start("follow", url, 20)
        assert reader.stdout.readline() == "ready\n"
        assert reader.stdout.readline() == f"changed Ann {embedding(1)[0]:.6f}\n"
        gallery.replace({"Ann": faces(2)})
        assert reader.stdout.readline() == f"changed Ann {embedding(2)[0]:.6f}\n"
        gallery.delete(["Ann"])
        assert reader.stdout.readline() == "deleted Ann\n"
        gallery.add("end", faces(3))
        assert reader.wait(timeout=20) == 0


def test_readers_see_all_of_a_write_or_nothing_of_it(url):
    names = [f"p{i}" for i in range(20)]
    done = Event()
    with db.open(url) as database:
        gallery = gallery_of(database)
        gallery.add_many({name: faces(0) for name in names})

        def write():
            for seed in range(1, 40):
                gallery.replace({name: faces(seed) for name in names})
            done.set()

        def read():
            seen = set()
            while not done.is_set():
                for state in (gallery.templates(), gallery.changes(0)):
                    assert (state.templates == embedding(state.revision - 1)).all()
                    seen.add(state.revision)
            return seen

        with ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(read) for _ in range(2)]
            pool.submit(write).result()
            assert all(len(reader.result()) > 1 for reader in readers)


def test_threads_share_one_database(gallery):
    def enrol(number):
        for i in range(10):
            gallery.add("shared", faces(100 * number + i))
            gallery.add(f"own {number}", faces(i))
            assert gallery.person(f"own {number}").count == i + 1
            assert gallery.revision() > 0

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(enrol, range(6)))
    assert gallery.revision() == 120
    assert gallery.person("shared").count == 60
    check_mean(means(gallery)["shared"], [100 * number + i for number in range(6) for i in range(10)])


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="lists open files by /proc, which is not here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_has_connections_of_its_own(url):
    with db.open(url) as database:
        gallery = gallery_of(database)
        gallery.add("parent", faces(1))
        child = os.fork()
        if child == 0:
            inherited = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
            gallery.add("child", faces(2))
            os._exit(any(path.endswith("people.db") for path in inherited))
        gallery.add("parent", faces(3))
        assert os.waitpid(child, 0)[1] == 0
        assert {person.name: person.count for person in gallery.people()} == {"parent": 2, "child": 1}
