"""A question that somebody must answer with yes, and who it was that gave the command."""

import getpass
import os
import sys

import typer

from common.errors import BadArgument


def agreed(question: str, what: str) -> bool:
    """Whether the answer was yes; ``what`` opens the sentence of the error ("Erasing").

    Raises:
        BadArgument: there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise BadArgument(f"{what} asks first, and there is no terminal to ask on: add --yes.")
    return typer.confirm(question)


def actor() -> str:
    """Who gives this command, as the audit log names him: the user of this machine."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        name = str(os.getuid())
    return "command line: " + "".join(each if each.isprintable() else "?" for each in name)[:200]
