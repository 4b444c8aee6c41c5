"""The recognizer without a service, in a process of its own.

Started as ``python bench/serving/bare.py DATABASE PHOTO``. Tasks: callers (threads), seconds. Answers: rate (calls a
second), cpu (of this process, seconds a second), and names (of the photo).
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import json
import threading
import time

from recognizer import Recognizer


def measured(recognizer: Recognizer, photo: bytes, callers: int, seconds: float) -> dict:
    """How many calls a second so many threads make of it."""
    done = [0] * callers
    began, used = time.perf_counter(), time.process_time()

    def call(number: int) -> None:
        while time.perf_counter() < began + seconds:
            recognizer.recognize(photo)
            done[number] += 1

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - began
    names = [face.name for face in recognizer.recognize(photo)]
    return {"rate": sum(done) / taken, "cpu": (time.process_time() - used) / taken, "names": names}


def main() -> None:
    """Do tasks until standard input ends."""
    photo = Path(sys.argv[2]).read_bytes()
    with Recognizer(database=sys.argv[1]) as recognizer:
        recognizer.recognize(photo)
        for line in sys.stdin:
            print(json.dumps(measured(recognizer, photo, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
