import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from gallery_process import check_exact, embedding, faces, gallery_of, rows

import db


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
                changes = gallery.changes(0)
                for state, found in (rows(gallery), rows(gallery, "photo"), (changes.state, changes.rows)):
                    assert len(found.ids) == 20 and (found.vectors == embedding(state.revision - 1)).all()
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
    check_exact(gallery)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="lists open files by /proc, which is not here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_has_connections_of_its_own(url):
    others = connections()  # of what ran in this process before
    with db.open(url) as database:
        gallery = gallery_of(database)
        gallery.add("parent", faces(1))
        before = connections() - others
        child = os.fork()
        if child == 0:
            inherited = connections()
            gallery.add("child", faces(2))
            os._exit(bool(inherited & before))
        gallery.add("parent", faces(3))
        assert os.waitpid(child, 0)[1] == 0
        assert before and {person.name: person.count for person in gallery.people()} == {"parent": 2, "child": 1}


def connections():
    """Files of SQLite and sockets that are open here."""
    links = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    return {link for link in links if "people.db" in link or "socket:" in link}
