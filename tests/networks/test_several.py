"""Who computes at the same time is known, and of what serves one at a time there are as many as may be."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from networks.engines import several
from networks.engines.several import Callers, Copies


def test_callers_are_many_while_enough_are_inside_and_a_moment_longer(monkeypatch):
    now = 50.0
    monkeypatch.setattr(several.time, "monotonic", lambda: now)
    callers = Callers(2)
    with callers:
        assert not callers.are_many
    with callers:
        assert not callers.are_many, "one after the other"
        with callers:
            assert callers.are_many
    now += 0.9 * several.SECONDS
    assert callers.are_many
    now += 0.2 * several.SECONDS
    assert not callers.are_many


def test_a_caller_that_fails_is_no_longer_there():
    callers = Callers(2)
    for _ in range(3):
        with pytest.raises(ValueError), callers:
            raise ValueError
    with callers:
        assert not callers.are_many


def test_there_are_no_more_copies_than_may_be_and_each_serves_one_at_a_time():
    made, using, together = [], set(), threading.Barrier(3)
    copies = Copies(lambda: made.append(object()) or made[-1], 3)
    with copies.one() as first, copies.one() as second:
        assert first is not second
    with copies.one(), copies.one():
        assert len(made) == 2, "those that are idle are taken first"

    def use(_):
        with copies.one() as copy:
            assert copy not in using
            using.add(copy)
            together.wait(10)
            using.remove(copy)

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(use, range(30)))
    assert len(made) == 3


def test_as_many_are_prepared_as_there_are_threads_and_no_more_than_may_be():
    made = []
    copies = Copies(lambda: made.append(object()) or made[-1], 3)
    for threads, there in ((1, 0), (2, 2), (1, 2), (2, 2), (9, 3), (9, 3)):
        several.prepare(threads)
        assert len(made) == there
    with copies.one(), copies.one(), copies.one():
        assert len(made) == 3


def test_what_copies_are_made_from_is_let_go_when_all_are_made():
    class Material:
        pass

    material = Material()
    gone = weakref.ref(material)
    copies = Copies(lambda material=material: [material is not None], 2)
    del material
    with copies.one():
        assert gone() is not None
    several.prepare(2)
    gc.collect()
    assert gone() is None
    with copies.one() as first, copies.one() as second:
        assert first is not second


def test_a_copy_that_could_not_be_made_is_tried_again():
    fails = iter([True, False, False])

    def make():
        if next(fails):
            raise OSError("no memory")
        return object()

    copies = Copies(make, 2)
    with pytest.raises(OSError), copies.one():
        pass
    with copies.one() as first, copies.one() as second:
        assert first is not second
