"""Lost answers, deadlocks and lock timeouts, each caused on purpose: tried again, and never stored twice."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from gallery_process import check_exact, embedding, faces, gallery_of
from sqlalchemy import make_url

import db
from common.errors import DatabaseError
from tests.servers.proxy import AFTER_ANSWER, AFTER_COMMIT, BEFORE_COMMIT, Proxy

LOSSES = [
    [BEFORE_COMMIT],
    [AFTER_COMMIT],
    [AFTER_ANSWER],
    [AFTER_ANSWER, BEFORE_COMMIT],
    [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_COMMIT, AFTER_ANSWER],
]


@pytest.fixture
def proxy(database_server):
    address = database_server.address
    with Proxy(address.host, address.port or 3306) as proxy:
        yield proxy


@pytest.fixture
def proxied(server_url, proxy):
    """A gallery that is reached through the proxy, by a user whose password the server has seen by TLS."""
    with db.open(server_url) as database:
        gallery_of(database)
    with db.open(proxied_url(server_url, proxy)) as database:
        yield gallery_of(database)


def proxied_url(url, proxy):
    return make_url(url).set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)


@pytest.mark.parametrize("losses", LOSSES, ids=" ".join)
def test_a_write_whose_commit_or_answer_is_lost_is_stored_once_and_reported_as_done(proxy, proxied, server_url, losses):
    with db.open(server_url) as database:
        seen = gallery_of(database)
        proxied.add("Bob", faces(0))
        writes = [
            lambda: proxied.add("Ann", faces(1)),
            lambda: proxied.add("Ann", faces(2)),
            lambda: proxied.replace({"Bob": faces(3, 4)})[0],
            lambda: proxied.set_metadata("Bob", {"a": 1}),
        ]
        for number, write in enumerate(writes, 2):
            proxy.cut(*losses)
            reported = write()
            assert reported == seen.person(reported.name)
            assert seen.revision() == number
        assert [face.source for face in seen.faces("Ann")] == ["1", "2"]
        assert [face.source for face in seen.faces("Bob")] == ["3", "4"]
        proxy.cut(*losses)
        assert proxied.delete(["Ann"]) == ["Ann"]
        assert [person.name for person in seen.people()] == ["Bob"] and seen.revision() == 6
        assert proxy.cuts == 5 * len(losses)
        check_exact(seen)


@pytest.mark.parametrize("losses", LOSSES, ids=" ".join)
def test_a_gallery_whose_creation_is_cut_off_is_there_once(proxy, proxied, server_url, losses):
    proxy.cut(*losses)
    with db.open(proxied_url(server_url, proxy)) as database:
        gallery_of(database, "new").add("Ann", faces(1))
    with db.open(server_url) as database:
        assert gallery_of(database, "new").person("Ann").count == 1


def test_commits_that_always_get_lost_are_one_clear_error_in_time(server_url, proxy, proxied):
    with db.open(proxied_url(server_url, proxy), timeout=1) as database:
        gallery = gallery_of(database)
        proxy.cut(*[BEFORE_COMMIT] * 1000)
        began = time.monotonic()
        with pytest.raises(DatabaseError, match="went away"):
            gallery.add("Ann", faces(1))
        assert time.monotonic() - began < 6
        proxy.heal()
        assert gallery.people() == [] and gallery.revision() == 0


@contextmanager
def intruder(server, database):
    """Another client's transaction, by the bare driver."""
    with closing(server.connect(database)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 20")
        cursor.execute("START TRANSACTION")
        yield cursor
        connection.rollback()


def wait_for_a_lock_wait(server):
    """Until some transaction of the server waits for a lock."""
    deadline = time.monotonic() + 10
    while not server.ask("SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_deadlock_is_tried_again_and_stored_once(database_server, server_database, server_url):
    with db.open(server_url) as database, ThreadPoolExecutor(1) as pool:
        gallery = gallery_of(database)
        gallery.add_many({f"p{i}": faces(i) for i in range(200)})
        with intruder(database_server, server_database) as other:
            other.execute("UPDATE faces SET score = 0.5")  # the server gives up the transaction that changed less
            other.execute("SELECT id FROM persons WHERE name = 'p7' FOR UPDATE")
            other.fetchall()
            adding = pool.submit(gallery.add_many, {"p7": faces(300), "new": faces(301)})
            wait_for_a_lock_wait(database_server)
            before = deadlocks(database_server)
            other.execute("UPDATE galleries SET threshold = 0.5")  # held by the writer: a circle
            assert deadlocks(database_server) == before + 1
        assert [(person.name, person.count) for person in adding.result()] == [("p7", 2), ("new", 1)]
        assert gallery.person("p7").count == 2 and gallery.revision() == 2


def deadlocks(server):
    rows = server.ask("SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'")
    return rows[0][0]


def test_a_lock_held_for_a_while_is_waited_for(database_server, server_database, server_url):
    with db.open(server_url, timeout=10) as database, ThreadPoolExecutor(1) as pool:
        gallery = gallery_of(database)
        with intruder(database_server, server_database) as other:
            other.execute("UPDATE galleries SET threshold = 0.5")
            adding = pool.submit(gallery.add, "Ann", faces(1))
            wait_for_a_lock_wait(database_server)
            time.sleep(4)
            assert not adding.done()
            assert gallery.people() == [] and gallery.revision() == 0  # readers are not kept waiting
        assert adding.result().count == 1 and gallery.revision() == 1


def test_a_lock_held_too_long_is_one_clear_error_in_time(database_server, server_database, server_url):
    with db.open(server_url, timeout=2) as database:
        gallery = gallery_of(database)
        with intruder(database_server, server_database) as other:
            other.execute("UPDATE galleries SET threshold = 0.5")
            began = time.monotonic()
            with pytest.raises(DatabaseError, match="holds a lock for too long"):
                gallery.add("Ann", faces(1))
            assert 1 < time.monotonic() - began < 10
        assert gallery.people() == []
        assert gallery.add("Ann", faces(1)).count == 1


def test_a_connection_that_the_server_ended_is_replaced(database_server, server_database, server_url):
    with db.open(server_url) as database:
        gallery = gallery_of(database)
        for number in range(1, 4):
            ids = database_server.ask(f"SELECT id FROM information_schema.processlist WHERE db = '{server_database}'")
            assert ids
            database_server.ask(*[f"KILL {each[0]}" for each in ids])
            assert gallery.add("Ann", [db.Face(embedding(number))]).count == number == gallery.revision()
