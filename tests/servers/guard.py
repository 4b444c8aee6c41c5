"""Runs a server as long as somebody holds this process's standard input: ``python guard.py FOLDER COMMAND...``.

Prints the server's process id. When the tests end, even by kill -9, the input is closed: then the server is killed
and FOLDER removed. The server's own parent-death signal serves for the case that this process is killed.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from threading import Event, Thread

PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(folder: str, *command: str) -> None:
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=_die_with_parent)
    print(server.pid, flush=True)
    tests_ended = Event()

    def end_with_the_tests() -> None:
        while os.read(0, 1):
            pass
        tests_ended.set()
        server.kill()

    Thread(target=end_with_the_tests, daemon=True).start()
    server.wait()
    if tests_ended.is_set():
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # the thread may still wait for input


if __name__ == "__main__":
    main(*sys.argv[1:])
