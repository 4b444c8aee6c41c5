"""The service in a process of its own, to be attacked: it prints its port. Arguments: the URL of a database."""

import socket
import sys

import uvicorn

from recognizer.service import listening, protocol
from recognizer.service.app import create_app
from recognizer.service.settings import ServiceSettings

HEADER_SECONDS = 1.5
ANSWER_SECONDS = 1
SETTINGS = ServiceSettings(
    keys="required", max_body_mb=32, max_photos=8, body_seconds=1.5, max_connections=100, failures_per_minute=1000
)


def main():
    protocol.HEADER_SECONDS, protocol.ANSWER_SECONDS = HEADER_SECONDS, ANSWER_SECONDS
    app = create_app(SETTINGS, database=sys.argv[1])
    listener = socket.create_server((SETTINGS.host, 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_level="warning", lifespan="on", **listening.options(SETTINGS))
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
