"""A small application behind the middleware of the service, for tests of what protects it."""

import asyncio
from types import SimpleNamespace

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.testclient import TestClient

from common.errors import BadPicture
from db import schema
from recognizer.service import errors, middleware
from recognizer.service.routers import audit, keys
from recognizer.service.settings import ServiceSettings

OUTSIDE = "203.0.113.7"


def guarded(database, **settings):
    """The application. ``app.state.read`` counts the bytes of bodies that it has read."""
    chosen = ServiceSettings(**settings)
    app = FastAPI(docs_url=None, redoc_url=None)
    services = {"settings": chosen, "database": database, "recognizers": SimpleNamespace(default="default")}
    app.state.services = SimpleNamespace(**services, door=SimpleNamespace(is_shut=False))
    app.state.read = 0
    errors.handler(app)
    middleware.install(app, chosen)
    app.include_router(keys.router, prefix="/v1")
    app.include_router(audit.router, prefix="/v1")

    @app.get("/v1/health")
    def health():
        return {"status": "ok"}

    @app.get("/v1/people/{name}")
    def who(request: Request, name: str):
        caller = request.scope["state"].get("caller")
        return {"actor": caller.actor, "role": caller.role, "gallery": caller.gallery, "address": caller.address}

    @app.delete("/v1/people/{name}")
    def delete(name: str):
        return {}

    @app.post("/v1/read")
    async def read(request: Request):
        async for piece in request.stream():
            app.state.read += len(piece)
        return {"bytes": app.state.read}

    @app.post("/v1/form")
    async def form(request: Request):
        return {"parts": len((await request.form()).multi_items())}

    @app.post("/v1/json")
    def json(content: list[list[float]]):
        return {"rows": len(content)}

    @app.get("/v1/broken")
    def broken():
        raise RuntimeError("secret particulars")

    @app.get("/v1/refused")
    def refused():
        raise BadPicture("not a picture")

    @app.get("/v1/own")
    def own():
        return JSONResponse({}, headers={"Cache-Control": "max-age=60"})

    @app.get("/v1/slow")
    async def slow():
        await asyncio.sleep(0.3)
        return {}

    return app


def client(app, address="127.0.0.1", host="localhost", **options):
    """A client at an address, which asks for a host by name."""
    return TestClient(app, base_url=f"http://{host}", client=(address, 50000), **options)


def bearer(secret):
    """The header that shows a key."""
    return {"Authorization": f"Bearer {secret}"}


def emptied(database):
    """Remove the keys, the audit log and the idempotency keys: ten times as fast as a new database."""
    tables = (schema.api_keys, schema.audit_entries, schema.idempotency_keys)
    database._connections.write(lambda connection: [connection.execute(table.delete()) for table in tables] and None)
    database.keys._held._entries.clear()
