"""Searches of several threads that wait at the same time are answered in one pass over the rows.

A pass reads every row, which is limited by memory, not by arithmetic: for 16 queries it takes little longer than for
one. While a pass runs, those who come wait together, and then one of them makes the next pass for all of them.
"""

import threading
from collections import deque
from collections.abc import Callable

import numpy as np


class Task:
    """The queries float32 ``[q, d]`` of one caller, what is wanted of them, and later the answer."""

    def __init__(self, queries: np.ndarray, count: int, threshold: float):
        self.queries, self.count, self.threshold = queries, count, threshold
        self.answer: object = None
        self.error: BaseException | None = None
        self.done = False
        self.woken = threading.Event()  # the answer is there, or it is this caller's turn to make a pass


class Turns:
    """Gathers tasks for passes.

    Args:
        answer: makes a pass: sets ``answer`` of every task of a list.
        most: queries in a pass, unless a single task has more.
    """

    def __init__(self, answer: Callable[[list[Task]], None], most: int):
        self._answer, self._most = answer, most
        self._lock = threading.Lock()  # held for some microseconds, never during a pass
        self._waiting: deque[Task] = deque()
        self._running = False

    def run(self, task: Task) -> object:
        """The answer to a task; an error of its pass is raised."""
        with self._lock:
            self._waiting.append(task)
            first = not self._running
            self._running = True
        if not first:
            try:
                task.woken.wait()
            except BaseException:
                self._leave(task)
                raise
        if not task.done:
            self._pass()
        if task.error is not None:
            raise task.error
        return task.answer

    def _pass(self) -> None:
        with self._lock:
            tasks = [self._waiting.popleft()]  # this caller's own: it was the first in line
            queries = len(tasks[0].queries)
            while self._waiting and queries + len(self._waiting[0].queries) <= self._most:
                tasks.append(self._waiting.popleft())
                queries += len(tasks[-1].queries)
        try:
            self._answer(tasks)
        except Exception as error:
            for task in tasks:
                task.error = error
        except BaseException:  # this caller was interrupted; the others are not concerned
            with self._lock:
                self._waiting.extendleft(reversed(tasks[1:]))
            tasks = tasks[:1]
            raise
        finally:
            self._hand_over()
            for task in tasks:
                task.done = True
                task.woken.set()

    def _hand_over(self) -> None:
        with self._lock:
            self._running = bool(self._waiting)
            if self._waiting:
                self._waiting[0].woken.set()

    def _leave(self, task: Task) -> None:
        """Take back a task whose caller was interrupted while waiting."""
        with self._lock:
            if task not in self._waiting:
                return
            self._waiting.remove(task)
        if task.woken.is_set() and not task.done:
            self._hand_over()
