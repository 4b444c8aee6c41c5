"""``recognizer serve``."""

import os
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.cli.failures import ERROR
from common.errors import FaceError, MissingDependency
from recognizer.cli.options import RecognizerOptions
from recognizer.service import memory

if TYPE_CHECKING:
    from recognizer.service.app import Service
    from recognizer.service.settings import ServiceSettings

SERVICE = "Service"
NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "websockets")
START_FAILED = 3  # what a worker process of uvicorn exits with
# OpenCV's threads ask over and over whether there is work, for as long as this says, which took 5 % of two busy cores.
SLEEPING = ("OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER", "OPENCV_THREAD_POOL_ACTIVE_WAIT_MAIN")
WORKER_SECONDS = 15  # without a sign of life, before a worker process is replaced


def serve(
    options: RecognizerOptions,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", rich_help_panel=SERVICE, show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Its port.", min=0, max=65535, rich_help_panel=SERVICE, show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes.", min=1, max=256, rich_help_panel=SERVICE, show_default=False)
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option(
            help="required, or off: only on an address of this machine.", rich_help_panel=SERVICE, show_default=False
        ),
    ] = None,
) -> None:
    """Serve REST and metrics. Ctrl-C, or SIGTERM, ends it when what was accepted is finished.

    What is not given is as `service` of the settings says. Its log is a line of JSON for each entry: requests on
    standard output, everything else on standard error.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingDependency(f"The service needs {', '.join(missing)}: pip install 'insightface-tensorflow[serve]'.")
    memory.spare()
    for variable in SLEEPING:
        os.environ.setdefault(variable, "0")
    given = {key: value for key, value in asdict(options).items() if key != "accept_license"}
    given |= {"service_host": host, "service_port": port, "service_workers": workers, "service_keys": keys}
    _hand_on(given, options.accept_license)
    _run()


def _hand_on(given: dict[str, Any], accept_license: bool) -> None:
    """Put options into the environment, where worker processes find them."""
    for key, value in given.items():
        if value is not None:
            os.environ[f"RECOGNIZER_{key.upper()}"] = str(value)
    if accept_license:
        os.environ["RECOGNIZER_ACCEPT_LICENSE"] = "all"


def _run() -> None:
    import db
    from recognizer import settings as settings_file
    from recognizer.service import listening

    chosen = settings_file.read()
    settings = chosen.service_settings()
    with db.open(chosen.database, chosen.database_timeout, chosen.database_password_file) as database:
        listening.check(settings, database)  # here, where it is an error of the command, before processes are started
    with ExitStack() as stack:
        if settings.workers > 1:  # before prometheus_client is imported
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="recognizer-metrics-"))
            os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
        _serve(settings)


def application() -> "Service":
    """What uvicorn serves, made in each of its processes. Raises SystemExit where it cannot be; the log says why."""
    from recognizer.service import logs
    from recognizer.service.app import create_app

    logs.take_over()
    try:
        return create_app()
    except FaceError as error:
        logs.log.error("%s", error)
    except Exception:
        logs.log.exception("The service cannot be made.")
    raise SystemExit(START_FAILED)


def _serve(settings: "ServiceSettings") -> None:
    """Serve until a signal comes. Raises typer.Exit where it could not start; its log says why."""
    from uvicorn import Config, Server
    from uvicorn.supervisors import Multiprocess

    from recognizer.service import listening, logs

    config = Config(
        f"{__name__}:application", factory=True, host=settings.host, port=settings.port,
        workers=settings.workers, timeout_graceful_shutdown=round(settings.shutdown_seconds),
        timeout_worker_healthcheck=WORKER_SECONDS, log_config=logs.config(), **listening.options(settings),
    )  # fmt: skip
    try:
        if settings.workers == 1:
            Server(config).run()
            return
        supervisor = Multiprocess(config, [config.bind_socket()])
        supervisor.run()
    except SystemExit as error:
        raise typer.Exit(ERROR if error.code else 0) from None
    if any(process.exitcode == START_FAILED for process in supervisor.processes):
        raise typer.Exit(ERROR)
