"""A question that somebody must answer with yes."""

import sys
from typing import Annotated

import typer

from common.errors import BadArgument

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where nobody can answer.")]


def agreed(question: str, what: str) -> bool:
    """Whether the answer was yes; ``what`` opens the sentence of the error ("Erasing").

    Raises:
        BadArgument: there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise BadArgument(f"{what} asks first, and there is no terminal to ask on: add --yes.")
    return typer.confirm(question)
