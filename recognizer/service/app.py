"""The application: routes, what stands before them, and what they work with, from the start to the end."""

import gc
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import Message, Receive, Scope, Send

import db
from common import __version__
from common.errors import BadConfig, FaceError
from networks.engines import several
from recognizer import settings as settings_file
from recognizer.service import errors, listening, middleware, openapi, pages
from recognizer.service.context import PREFIX, Services
from recognizer.service.housekeeping import Housekeeping
from recognizer.service.inference import Inference
from recognizer.service.jobs.runner import Runner
from recognizer.service.metrics import Measured, Metrics
from recognizer.service.overload import Door
from recognizer.service.pages import htmx
from recognizer.service.recognizers import Recognizers
from recognizer.service.routers import ROUTERS
from recognizer.service.settings import ServiceSettings

THREADS = 16  # for what waits for the database; what computes has threads of its own

log = logging.getLogger("recognizer.service")


class Service(FastAPI):
    """An application that tells an error of its start in one sentence, without a traceback."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As servers call it."""
        if scope["type"] == "lifespan":
            send = partial(self._tell, send)
        await super().__call__(scope, receive, send)

    async def _tell(self, send: Send, message: Message) -> None:
        failure = getattr(self.state, "failure", None)
        if message["type"] == "lifespan.startup.failed" and failure is not None:
            message = {**message, "message": str(failure)}
        await send(message)


def create_app(
    settings: ServiceSettings | None = None, *, config: str | Path | None = None, **options: Any
) -> Service:
    """The service as an ASGI application. Networks, database and index are opened when it is started.

    Args:
        settings: of the service; None: those of the settings file and the environment.
        config: a settings file, see :func:`recognizer.settings.read`.
        options: arguments of ``Recognizer`` that win over it, such as ``database`` and ``gallery``.

    Raises:
        BadConfig: the settings cannot be used.
    """
    chosen = settings_file.read(config, **{key: each for key, each in options.items() if key != "accept_license"})
    settings = settings or chosen.service_settings()
    app = Service(
        title="recognizer", version=__version__,
        lifespan=partial(_lifespan, settings=settings, chosen=chosen, arguments={"config": config, **options}),
        openapi_url=f"{PREFIX}/openapi.json", docs_url=None, redoc_url=None,
    )  # fmt: skip
    errors.handler(app)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    openapi.install(app)
    if settings.pages:
        pages.install(app)
    middleware.install(app, settings)
    app.add_middleware(Measured)  # outermost, so that refusals are counted
    return app


@asynccontextmanager
async def _lifespan(
    app: Service, settings: ServiceSettings, chosen: settings_file.Settings, arguments: dict[str, Any]
) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    opened = ExitStack()
    try:
        app.state.services = await run_in_threadpool(_open, opened, settings, chosen, arguments)
    except FaceError as error:
        app.state.failure = error
        await run_in_threadpool(opened.close)
        raise
    _spare_collector()
    log.info("Ready: gallery %r", app.state.services.recognizers.default)
    try:
        yield
    finally:
        await run_in_threadpool(opened.close)  # what was accepted is finished; routes see the services until then
        app.state.services.door.tell()
        app.state.services = None
        gc.unfreeze()


def _spare_collector() -> None:
    """Keep what was loaded, and stays, out of its rounds: each stopped all requests for 60 to 90 ms, every 7 s."""
    gc.collect()
    gc.freeze()


def _open(
    opened: ExitStack, settings: ServiceSettings, chosen: settings_file.Settings, arguments: dict[str, Any]
) -> Services:
    """Everything that routes work with; ``opened`` closes it, the last first. Raises FaceError."""
    if chosen.database == "sqlite://":
        raise BadConfig("A database in memory is of one connection alone: give the service a file, or a server.")
    database = db.open(chosen.database, chosen.database_timeout, chosen.database_password_file)
    opened.callback(database.close)
    listening.check(settings, database)
    if settings.pages:
        htmx.fetch()
    recognizers = Recognizers(database, chosen.gallery, settings.open_galleries, arguments)
    opened.callback(recognizers.close)
    recognizers.warm()
    housekeeping = Housekeeping(database, settings.audit_days)
    housekeeping.start()
    opened.callback(housekeeping.stop)
    metrics = Metrics()
    inference = Inference(settings, metrics)
    several.prepare(inference.threads)
    opened.callback(inference.close, settings.shutdown_seconds)
    services = Services(settings, database, recognizers, inference, metrics, Door(settings, inference, metrics))
    runner = Runner(services)
    runner.start()
    opened.callback(runner.stop)
    return services
