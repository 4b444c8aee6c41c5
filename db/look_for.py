"""Which of some pieces of bytes are in files: ``python look_for.py PATH...``, run by :mod:`db.scrub`.

Reads a JSON list of pieces in hexadecimal from standard input; prints the numbers of those that were found. Paths
without a file are passed over.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path

CHUNK = 2**24


def found(paths: list[str], pieces: list[bytes]) -> list[int]:
    """The numbers of the pieces that are in one of the files."""
    there: set[int] = set()
    longest = max(map(len, pieces), default=0)
    for path in paths:
        with suppress(FileNotFoundError), Path(path).open("rb") as file:
            before = b""
            while chunk := file.read(CHUNK):
                window = before + chunk
                there.update(number for number, piece in enumerate(pieces) if number not in there and piece in window)
                before = window[-longest:]
    return sorted(there)


if __name__ == "__main__":
    print(json.dumps(found(sys.argv[1:], [bytes.fromhex(each) for each in json.load(sys.stdin)])))
