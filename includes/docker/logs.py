"""Configure logging: one JSON object per line on standard output."""

import json
import logging.config
import os
import sys
import threading
from pathlib import Path

from pythonjsonlogger.core import RESERVED_ATTRS

LEVEL = os.environ.get("LOG_LEVEL", "info").upper()
# Attributes of log records that are not added to the JSON object.
OMITTED = [*RESERVED_ATTRS, "color_message"]


def configure() -> None:
    """Apply logging.json, and log warnings and uncaught exceptions, too."""
    if LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        sys.exit(f"LOG_LEVEL is {LEVEL!r}: set it to debug, info, warning or error.")
    logging.config.dictConfig(json.loads(Path(__file__).with_name("logging.json").read_text()))
    logging.captureWarnings(True)
    sys.excepthook = lambda _, error, __: log_uncaught(error)
    threading.excepthook = lambda arguments: log_uncaught(arguments.exc_value)


def log_uncaught(error: BaseException | None) -> None:
    """Log the exception; if settings are invalid, log the names of their variables instead."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        problems = [
            f"{'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False)
        ]
        logging.critical("Invalid settings: %s", "; ".join(problems))
    else:
        logging.critical("Uncaught exception: %s", error, exc_info=error)
