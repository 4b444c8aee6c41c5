"""A recognizer in a process of its own that does what it is told, a JSON list per line: [word, argument, ...].

``python recognizing_process.py DATABASE``; each answer is a line of JSON: for "recognize" the names.
"""

import json
import sys

from recognizer import FaceError, Recognizer


def main(database: str) -> None:
    with Recognizer(database=database) as recognizer:
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            word, *arguments = json.loads(line)
            try:
                answer = getattr(recognizer, word)(*arguments)
            except FaceError as error:
                answer = {"error": type(error).__name__}
            if word == "recognize" and isinstance(answer, list):
                answer = [face.name for face in answer]
            print(json.dumps(answer, default=str), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
