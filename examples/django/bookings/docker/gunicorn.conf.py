"""gunicorn's configuration. start.py has checked the variables that are read here."""

import gc
import logging
import os
import re
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from django.urls import get_resolver
from gunicorn import glogging
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker
from pythonjsonlogger.core import RESERVED_ATTRS

HOST = os.environ.get("HOST") or "0.0.0.0"  # noqa: S104 - the container's own interfaces
LOG_LEVEL = os.environ["LOG_LEVEL"].upper()
HEARTBEAT_FILE = os.environ.get("HEARTBEAT_FILE")
PROBES = {"/healthz", "/readyz"}


class HeartbeatWorker(ThreadWorker):
    """Touch the heartbeat file about once a second, even while every thread is busy."""

    def notify(self) -> None:
        super().notify()
        if HEARTBEAT_FILE:
            Path(HEARTBEAT_FILE).touch()


class Logger(glogging.Logger):
    """Log requests as fields, without queries and without successful probes."""

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        # The status is missing if the app fails before it starts its response.
        status = int(resp.status[:3]) if resp.status else 500
        method, path = environ["REQUEST_METHOD"], without_query(environ["RAW_URI"])
        if status >= 400 or path not in PROBES:
            client = environ["REMOTE_ADDR"]
            fields = {"client": client, "method": method, "path": path, "status": status}
            self.access_log.info("%s %s %s", method, path, status, extra=fields)

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if msg.startswith("Invalid request from ip="):
            # What follows in quotes is a part of the request, which may hold secrets.
            msg = re.split("['\"]", msg)[0]
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        super().exception(msg, *map(without_query, args), **kwargs)


def without_query(target: object) -> str:
    """Return the target of a request without its query, which may hold secrets."""
    return str(target).partition("?")[0]


def log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Log the error that ends the process; name a setting by its environment variable."""
    message = f"{kind.__name__}: {error}"
    logging.critical(message, exc_info=(kind, error, traceback))


def on_starting(server: Arbiter) -> None:
    """Prepare what the workers share. The app is imported by now, and no worker runs yet."""
    # Import the pages now: Django itself would not find a broken one before the first request.
    get_resolver().check()
    # With DEBUG=true Django adds a handler that writes plain text. The root logger writes JSON.
    logging.getLogger("django").handlers.clear()
    # Exclude what was imported from garbage collection: it is never freed, and the workers
    # share its memory as long as nothing writes to it.
    gc.freeze()
    gc.enable()


bind = f"[{HOST}]:{os.environ['PORT']}" if ":" in HOST else f"{HOST}:{os.environ['PORT']}"
threads = int(os.environ["THREADS"])
worker_class = HeartbeatWorker
# Import the app before the workers start, so that an error in it ends the start.
preload_app = True
# Below compose's stop_grace_period, at the end of which the engine kills the process.
graceful_timeout = 20
# Memory, so that a slow disk does not make a worker look dead.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn creates an unnamed file there
# The control socket would need a home directory.
control_socket_disable = True

loglevel = LOG_LEVEL
logger_class = Logger
logconfig_dict = {
    "root": {"level": LOG_LEVEL, "handlers": ["stdout"]},
    "loggers": {
        "gunicorn.error": {"propagate": True},
        "gunicorn.access": {"level": LOG_LEVEL, "propagate": True},
    },
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "json",
        }
    },
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": ["timestamp", "levelname", "name", "message"],
            "rename_fields": {"levelname": "level", "name": "logger", "exc_info": "exception"},
            # Django attaches the whole request to some records, and so its query.
            "reserved_attrs": [*RESERVED_ATTRS, "request"],
            "timestamp": True,
        }
    },
}
logging.captureWarnings(True)
sys.excepthook = log_uncaught
