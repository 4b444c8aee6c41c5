"""Runs a Typer application as a program."""

import sys

import typer


def run(app: typer.Typer, name: str) -> None:
    """Run it on ``sys.argv`` and exit with its code; ``name`` is what help calls it."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # file names need not be valid text
    app(prog_name=name)
