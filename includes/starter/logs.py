"""Logs: one JSON object per line on standard output, libraries' lines and tracebacks too."""

import logging
import sys

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter


def configure(level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter(
            ["timestamp", "levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
{% if framework == 'django' %}
            # Django hands whole requests to its loggers, whose queries do not belong in logs.
            reserved_attrs=[*RESERVED_ATTRS, "request"],
{% else %}
            reserved_attrs=RESERVED_ATTRS,
{% endif %}
            timestamp=True,
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = lambda *error: logging.critical("Uncaught exception", exc_info=error)
