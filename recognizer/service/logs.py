"""The service's log: a line of JSON for each entry, requests on standard output, everything else on standard error."""

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import Any

ACCESS = "recognizer.service.access"

log = logging.getLogger("recognizer.service")


class Json(logging.Formatter):
    """Time (UTC), level, logger and message; of requests, what their line says in place of a message."""

    def format(self, record: logging.LogRecord) -> str:
        """As logging asks for it."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, Any] = {"time": moment, "level": record.levelname.lower(), "logger": record.name}
        if record.name == ACCESS:  # JSON already
            return f"{json.dumps(entry)[:-1]}, {record.getMessage()[1:]}"
        entry["message"] = record.getMessage()
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)  # ASCII: what no terminal or encoding takes must not cost the entry


def take_over() -> None:
    """Let Python's own words on standard error be entries, too: warnings, and exceptions that nobody catches."""
    logging.captureWarnings(True)
    sys.excepthook = lambda *raised: log.critical("Uncaught exception", exc_info=raised)
    sys.unraisablehook = _unraisable
    threading.excepthook = _in_thread


def _in_thread(raised: threading.ExceptHookArgs) -> None:
    if raised.exc_type is not SystemExit:  # which ends a thread without a word
        exception = (raised.exc_type, raised.exc_value, raised.exc_traceback)
        log.error("Uncaught exception in the thread %s", getattr(raised.thread, "name", "-"), exc_info=exception)


def _unraisable(raised: "sys.UnraisableHookArgs") -> None:
    exception = (raised.exc_type, raised.exc_value, raised.exc_traceback)
    log.error("%s", raised.err_msg or "Exception ignored", exc_info=exception)


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
