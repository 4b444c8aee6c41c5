"""What a user sees when something goes wrong: one message on standard error, and an exit code."""

import os
import sys
import traceback
import unicodedata
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from common.errors import FaceError, LicenseNotAccepted

NO, ERROR, BROKEN_PIPE = 1, 2, 141  # Typer itself exits with 130 when interrupted
_tracebacks = False


def show_tracebacks(wanted: bool) -> None:
    """Whether an unexpected error comes with its traceback."""
    global _tracebacks
    _tracebacks = wanted


def say(kind: str, message: object) -> None:
    """Print ``kind: message`` on standard error."""
    print(f"{kind}: {printable(message)}", file=sys.stderr, flush=True)


def printable(text: object) -> str:
    """Text without control characters other than line breaks: a file's name must not steer the terminal."""
    return "".join(f"\\x{ord(each):02x}" if _steers(each) else each for each in str(text))


def _steers(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character != "\n"


def reported(function: Callable) -> Callable:
    """A command whose exceptions become a message and an exit code."""

    @wraps(function)
    def command(**given: Any) -> None:
        try:
            function(**given)
            sys.stdout.flush()  # here, where a reader that is gone is still noticed
        except FaceError as error:
            say("error", in_words(error))
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            _discard_output()
            raise typer.Exit(BROKEN_PIPE) from None
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:
            _unexpected(error)
            raise typer.Exit(ERROR) from None

    return command


def in_words(error: FaceError) -> str:
    """An error's message, with what to do about it on the command line."""
    if isinstance(error, LicenseNotAccepted):
        return f"{error}\nOn the command line: add --accept-license."
    return str(error)


def _discard_output() -> None:
    """Send what is still buffered nowhere: flushing it when Python exits would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unexpected(error: Exception) -> None:
    if _tracebacks:
        traceback.print_exception(error)
    hint = "" if _tracebacks else " With --debug before the command, it is shown where."
    say("error", f"unexpected {type(error).__name__}.{hint}")
