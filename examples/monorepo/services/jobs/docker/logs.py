"""Configure logging: one JSON object per line on standard output."""

import json
import logging.config
import os
import sys
import threading
from pathlib import Path

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
