"""Searches that wait together are answered together."""

import threading

import numpy as np
import pytest

from recognizer.search.turns import Task, Turns


def task(value, queries=1):
    return Task(np.full((queries, 2), value, np.float32), 1, -1)


class Passes:
    """Answers each task with its own value, once it is let go; notes how many queries came in each pass."""

    def __init__(self):
        self.sizes, self.go, self.begun = [], threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, tasks):
        self.sizes.append(sum(len(each.queries) for each in tasks))
        self.begun.release()
        assert self.go.acquire(timeout=10)
        for each in tasks:
            if each.queries[0, 0] == 13:
                raise ValueError("unlucky")
            each.answer = float(each.queries[0, 0])


def start(turns, values, queries=1):
    answers = {}

    def run(value):
        try:
            answers[value] = turns.run(task(value, queries))
        except Exception as error:
            answers[value] = error

    threads = [threading.Thread(target=run, args=(value,), daemon=True) for value in values]
    for thread in threads:
        thread.start()
    return threads, answers


def wait_for(turns, waiting):
    for _ in range(1000):
        if len(turns._waiting) == waiting:
            return
        threading.Event().wait(0.005)
    raise AssertionError(f"{len(turns._waiting)} are waiting, not {waiting}")


def run_all(values, most=64, queries=1):
    passes = Passes()
    turns = Turns(passes, most)
    first, answers = start(turns, [0])
    assert passes.begun.acquire(timeout=10)
    others, more = start(turns, values, queries)
    wait_for(turns, len(values))
    for _ in range(len(values) + 1):
        passes.go.release()
    for thread in [*first, *others]:
        thread.join(5)
    return passes.sizes, answers | more


def test_those_who_wait_share_a_pass_and_get_their_own_answers():
    sizes, answers = run_all(range(1, 9))
    assert sizes == [1, 8]
    assert answers == {value: float(value) for value in range(9)}


def test_a_pass_takes_no_more_queries_than_it_should():
    sizes, answers = run_all(range(1, 6), most=10, queries=4)
    assert sizes == [1, 8, 8, 4] and len(answers) == 6


def test_a_pass_that_fails_fails_for_all_in_it_and_the_next_one_works():
    passes = Passes()
    turns = Turns(passes, 64)
    passes.go.release()
    with pytest.raises(ValueError, match="unlucky"):
        turns.run(task(13))
    passes.go.release()
    assert turns.run(task(5)) == 5


def test_a_caller_interrupted_while_waiting_does_not_stop_the_others():
    passes = Passes()
    turns = Turns(passes, 64)
    first, answers = start(turns, [0])
    assert passes.begun.acquire(timeout=10)
    interrupted = task(1)

    def interrupt():
        raise KeyboardInterrupt

    interrupted.woken.wait = interrupt
    with pytest.raises(KeyboardInterrupt):
        turns.run(interrupted)
    others, more = start(turns, [2])
    wait_for(turns, 1)
    passes.go.release()
    passes.go.release()
    for thread in [*first, *others]:
        thread.join(5)
    assert answers | more == {0: 0.0, 2: 2.0} and passes.sizes == [1, 1]


def test_a_caller_interrupted_during_the_pass_leaves_the_others_to_another_pass():
    calls = []

    def answer(tasks):
        calls.append(len(tasks))
        if len(calls) == 2:
            raise KeyboardInterrupt
        if len(calls) == 1:
            wait_for(turns, 2)
        for each in tasks:
            each.answer = "done"

    turns = Turns(answer, 64)
    results = []

    def run():
        try:
            results.append(turns.run(task(1)))
        except KeyboardInterrupt:
            results.append("interrupted")

    threads = [threading.Thread(target=run, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert sorted(results) == ["done", "done", "interrupted"] and calls == [1, 2, 1]
