"""The command line ``recognizer``; docs/command-line.md describes it.

Modules that take long to import (networks, rich) are imported where a command needs them: help stays fast.
"""

import os
import sys


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with its code."""
    from recognizer.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # file names need not be valid text
    try:
        app(prog_name="recognizer")
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)  # all is closed and flushed; taking Python and OpenVINO apart would last 0.25 s more
