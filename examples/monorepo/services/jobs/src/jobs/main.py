"""The worker: receive a job, handle it, and repeat until a stop signal."""

import logging
import signal
import time

from .settings import Settings

logger = logging.getLogger(__name__)
stopping = False


def receive() -> str | None:
    """Wait for a job for at most a second, and return the job or None.

    Call your broker here. If the broker does not answer, raise an exception: the process ends, and
    the container is restarted.
    """
    time.sleep(1)
    return None


def handle(job: str) -> None:
    """Do the job. Acknowledge it to the broker at the end, so that no job is lost."""
    logger.info("The job is done.")


def stop(*_: object) -> None:
    """End the loop after the job in hand."""
    global stopping
    stopping = True


def main() -> None:
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    settings = Settings()
    settings.heartbeat_file.unlink(missing_ok=True)
    logger.info("Version %s is waiting for jobs.", settings.service_version)
    while not stopping:
        job = receive()
        # Touch the heartbeat only after the broker answered: a worker that hangs is unhealthy.
        settings.heartbeat_file.touch()
        if job is not None:
            try:
                handle(job)
            except Exception:
                logger.exception("The job failed.")
    logger.info("The worker has stopped.")
