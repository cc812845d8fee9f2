"""Configure logging: one JSON object per line on standard output."""

import json
import logging.config
import os
import sys
import threading
from pathlib import Path
from typing import Any

LEVEL = os.environ.get("LOG_LEVEL", "info").upper()


def configure() -> None:
    """Apply logging.json, and log warnings and uncaught exceptions, too."""
    if LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        sys.exit(f"LOG_LEVEL is {LEVEL!r}: set it to debug, info, warning or error.")
    logging.config.dictConfig(json.loads(Path(__file__).with_name("logging.json").read_text()))
    logging.captureWarnings(True)
    sys.excepthook = lambda _, error, __: log_uncaught(error)
    threading.excepthook = lambda thread: log_uncaught(thread.exc_value)


def log_uncaught(error: BaseException | None) -> None:
    """Log the exception; for invalid settings, log the names of the variables instead."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        problems = [
            f"{'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False)
        ]
        logging.critical("Invalid settings: %s", "; ".join(problems).replace("Value error, ", ""))
    elif not isinstance(error, SystemExit):
        logging.critical("Uncaught exception: %s", error, exc_info=error)


class AccessFilter(logging.Filter):
    """Turn the arguments of uvicorn's access lines into fields, and drop successful probes."""

    def filter(self, record: logging.LogRecord) -> bool:
        arguments: Any = record.args
        client, method, target, _, status = arguments
        path = without_query(target)
        record.msg, record.args = "%s %s %s", (method, path, status)
        record.__dict__.update(client=client, method=method, path=path, status=status)
        return not (status < 400 and path in (os.environ.get("HEALTH_PATH"), "/readyz"))


class ServerFilter(logging.Filter):
    """Remove colours from uvicorn's other lines, and queries, which WebSocket lines contain."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.pop("color_message", None)
        if isinstance(record.args, tuple):
            record.args = tuple(map(without_query, record.args))
        return True


def without_query(value: object) -> object:
    """Return a URL without its query, because a query may contain secrets."""
    return value.partition("?")[0] if isinstance(value, str) else value
