"""What concurrent requests share, what a full queue says, and what the end leaves undone: nothing."""

import asyncio
import threading
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from recognizer.service import inference as under_test
from recognizer.service.errors import Overloaded
from recognizer.service.inference import Inference
from recognizer.service.metrics import Metrics
from recognizer.service.settings import ServiceSettings


@pytest.fixture
def made():
    """A function that makes an Inference with one thread; all are closed at the end."""
    opened = []

    def make(**settings):
        given = {"inference_threads": 1, "queue": 4, "batch": 3} | settings
        opened.append(Inference(ServiceSettings(**given), Metrics()))
        return opened[-1]

    yield make
    for each in opened:
        each.close(5)


@pytest.fixture
def faces(monkeypatch):
    """Photos are numbers with as many faces; ``calls`` says what was embedded together, and ``gate`` holds it back."""
    found = SimpleNamespace(calls=[], gate=threading.Event(), entered=threading.Event())
    found.gate.set()

    def see(recognizer, pictures, most):
        return [int(each.sum()) for each in pictures]

    def embed(recognizer, seen):
        found.entered.set()
        assert found.gate.wait(10)
        found.calls.append(list(seen))
        return [10 * each for each in seen]

    monkeypatch.setattr(under_test.faces, "see", see)
    monkeypatch.setattr(under_test.faces, "embed", embed)
    return found


def photo(number):
    return np.array([number])


def test_what_waits_for_the_same_work_is_done_together_and_each_gets_its_own(made, faces):
    inference, recognizer = made(), object()

    async def ask():
        faces.gate.clear()
        first = asyncio.create_task(inference.embed(recognizer, [photo(1)]))
        await asyncio.to_thread(faces.entered.wait, 5)
        waiting = [
            asyncio.create_task(inference.embed(recognizer, pictures))
            for pictures in ([photo(2), photo(3)], [photo(4)], [photo(5)])
        ]
        while inference.waiting < 3:
            await asyncio.sleep(0.005)
        faces.gate.set()
        return await asyncio.gather(first, *waiting)

    assert asyncio.run(ask()) == [[10], [20, 30], [40], [50]]
    assert faces.calls == [[1], [2, 3, 4, 5]], "three requests, the most of a batch, in one call"


def test_requests_of_other_galleries_are_not_mixed(made, faces):
    inference, here, there = made(), object(), object()

    async def ask():
        faces.gate.clear()
        tasks = [asyncio.create_task(inference.embed(here, [photo(1)]))]
        await asyncio.to_thread(faces.entered.wait, 5)
        tasks += [
            asyncio.create_task(inference.embed(who, [photo(n)])) for who, n in ((here, 2), (there, 3), (here, 4))
        ]
        while inference.waiting < 3:
            await asyncio.sleep(0.005)
        faces.gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(ask())
    assert faces.calls == [[1], [2, 4], [3]]


def test_a_photo_that_cannot_be_read_is_the_affair_of_its_own_request(made, faces, monkeypatch):
    inference, see = made(), under_test.faces.see

    def failing(recognizer, pictures, most):
        if pictures[0].sum() == 2:
            raise ValueError("damaged")
        return see(recognizer, pictures, most)

    monkeypatch.setattr(under_test.faces, "see", failing)

    async def ask():
        asked = (inference.embed(None, [photo(n)]) for n in (1, 2, 3))
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second, third = asyncio.run(ask())
    assert (first, third) == ([10], [30]) and str(second) == "damaged"


def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(made, faces):
    inference = made(queue=2)

    async def ask():
        faces.gate.clear()
        tasks = [asyncio.create_task(inference.embed(None, [photo(1)]))]
        await asyncio.to_thread(faces.entered.wait, 5)
        tasks += [asyncio.create_task(inference.embed(None, [photo(n)])) for n in (2, 3)]
        while inference.waiting < 2:
            await asyncio.sleep(0.005)
        with pytest.raises(Overloaded) as refused:
            await asyncio.wait_for(inference.embed(None, [photo(4)]), 0.2)
        with pytest.raises(Overloaded):
            inference.require_room()
        faces.gate.set()
        return refused.value, await asyncio.gather(*tasks)

    refused, done = asyncio.run(ask())
    assert refused.status == 503 and int(refused.headers["Retry-After"]) >= 1
    assert done == [[10], [20], [30]], "what was accepted is done"


def test_at_the_end_what_was_accepted_is_finished_and_nothing_more_is_taken(made, faces):
    inference = made()

    async def ask():
        faces.gate.clear()
        tasks = [asyncio.create_task(inference.embed(None, [photo(n)])) for n in (1, 2)]
        await asyncio.to_thread(faces.entered.wait, 5)
        closing = asyncio.create_task(asyncio.to_thread(inference.close, 5))
        while inference.is_open:
            await asyncio.sleep(0.005)
        with pytest.raises(Overloaded, match="is ending"):
            await inference.embed(None, [photo(3)])
        faces.gate.set()
        return await closing, await asyncio.gather(*tasks)

    assert asyncio.run(ask()) == (True, [[10], [20]])


def test_an_unexpected_error_does_not_end_the_thread(made):
    inference = made()

    async def ask():
        with pytest.raises(ZeroDivisionError):
            await inference.run(lambda: 1 / 0)
        return await inference.run(partial(pow, 2, 5))

    assert asyncio.run(ask()) == 32
