"""The worker: receive a job, handle it, and repeat until a stop signal."""

import logging
import signal
import time

from .settings import Settings

logger = logging.getLogger(__name__)
stopping = False


def receive(timeout: float) -> str | None:
    """Return the next job, or None if there is none within the timeout.

    Call your broker here. Raise an exception if it does not answer: the worker ends with an error,
    and the container is restarted.
    """
    time.sleep(timeout)
    return None


def handle(job: str) -> None:
    """Do the job; it may run twice, so acknowledge it to the broker at the end."""
    logger.info("The job is done.")


def stop(*_: object) -> None:
    """End the loop after the job in hand."""
    global stopping
    stopping = True


def main() -> None:
    settings = Settings()
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    settings.heartbeat_file.unlink(missing_ok=True)
    logger.info("Version %s waits for jobs.", settings.service_version)
    while not stopping:
        job = receive(settings.poll_seconds)
        # Touch the heartbeat only after the broker answered, so a worker that hangs is unhealthy.
        settings.heartbeat_file.touch()
        if job is not None:
            try:
                handle(job)
            except Exception:
                logger.exception("The job failed.")
    logger.info("The worker has stopped.")
