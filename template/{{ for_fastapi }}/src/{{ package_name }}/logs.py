"""Logs: one JSON object per line on standard output, uvicorn's own lines and tracebacks too."""

import logging
import sys
from collections.abc import Container

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from .settings import READY_PATH, Settings


class AccessFilter(logging.Filter):
    """Turn uvicorn's access line into fields, and drop the probes that succeeded."""

    def __init__(self, probes: Container[str]) -> None:
        super().__init__()
        self.probes = probes

    def filter(self, record: logging.LogRecord) -> bool:
        client, method, target, _, status = record.args
        path = target.partition("?")[0]  # a query may hold what does not belong in logs
        record.msg, record.args = "%s %s %s", (method, path, status)
        record.__dict__.update(client=client, method=method, path=path, status=status)
        return status >= 400 or path not in self.probes


def configure(settings: Settings) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter(
            ["timestamp", "levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
            timestamp=True,
        )
    )
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = lambda *error: logging.critical("Uncaught exception", exc_info=error)

    access = AccessFilter({settings.health_path, READY_PATH})
    logging.getLogger("uvicorn.access").addFilter(access)
