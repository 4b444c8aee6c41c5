"""Work of forked processes, which use a database that is open in this one."""

import json
import os
import signal
import traceback
from contextlib import contextmanager, suppress


def _child(work, reader, writer):
    """What a forked process does: wait for the start, do the work, write its result as JSON, and end."""
    try:
        os.read(reader, 1)
        os.write(writer, json.dumps(work()).encode())
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def in_processes(*works):
    """The results of functions, each in a process of its own; all begin at the same moment."""
    start, go = os.pipe()
    children = []
    for work in works:
        reader, writer = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(go)
            _child(work, start, writer)
        os.close(writer)
        children.append((process, reader))
    os.close(start)
    os.close(go)
    results = []
    for process, reader in children:
        with os.fdopen(reader) as file:
            text = file.read()
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
        results.append(json.loads(text))
    return results


def and_killed(work):
    """The result of a function in a process that is killed (kill -9) right after it."""

    def then_wait():
        os.write(writer, json.dumps(work()).encode() + b"\n")
        signal.pause()

    reader, writer = os.pipe()
    with running(then_wait) as process:
        os.close(writer)
        with os.fdopen(reader) as file:
            text = file.readline()
            os.kill(process, signal.SIGKILL)
    return json.loads(text)


@contextmanager
def running(work):
    """A process that does some work until it ends, or the block does."""
    process = os.fork()
    if process == 0:
        try:
            work()
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
