"""``recognizer health``: for the health checks of containers."""

from pathlib import Path
from typing import Annotated

import typer

from common.cli.failures import NO, printable


def health(
    url: Annotated[
        str | None, typer.Option(help="The service's address, without /v1; else that of the settings.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file in place of recognizer.yaml.")] = None,
) -> None:
    """Ask the service whether it is ready: networks, database and index are there. Exits 1 when it is not.

    It needs no key. The service of the settings is asked on this machine, whatever name its certificate is for; with
    --url the certificate is checked.
    """
    from recognizer.service import readiness, settings

    address = readiness.own_address(settings.read(config)) if url is None else url
    problem = readiness.problem(address, check_certificate=url is not None)
    print(printable(f"{address} is ready." if problem is None else f"{address} is not ready: {problem}"))
    if problem is not None:
        raise typer.Exit(NO)
