"""What this service does with a job."""

import json
import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)


def run(name: str, content: bytes, beat: Callable[[], None]) -> None:
    """Do the job, or raise. One that takes long calls `beat` now and then, to be seen alive.

    A job that was cut off is begun again: what it did the first time must do no harm twice.
    """
    job = json.loads(content)
    logger.info("An example of a job: %s", job)
