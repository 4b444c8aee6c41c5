"""The service's log: a line of JSON for each entry, requests on standard output, everything else on standard error."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

ACCESS = "recognizer.service.access"


class Json(logging.Formatter):
    """Time (UTC), level, logger and message; of requests, what their line says in place of a message."""

    def format(self, record: logging.LogRecord) -> str:
        """As logging asks for it."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, Any] = {"time": moment, "level": record.levelname.lower(), "logger": record.name}
        if record.name == ACCESS:
            entry |= json.loads(record.getMessage())
        else:
            entry["message"] = record.getMessage()
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def config() -> dict[str, Any]:
    """For ``logging.config.dictConfig``, and uvicorn's ``log_config``."""
    handlers = {
        name: {"class": "logging.StreamHandler", "formatter": "json", "stream": f"ext://sys.{name}"}
        for name in ("stdout", "stderr")
    }
    loggers = {
        "recognizer": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        ACCESS: {"handlers": ["stdout"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
    }
    formatters = {"json": {"()": f"{__name__}.Json"}}
    return {
        "version": 1, "disable_existing_loggers": False, "formatters": formatters, "handlers": handlers,
        "loggers": loggers, "root": {"handlers": ["stderr"], "level": "WARNING"},
    }  # fmt: skip
