"""The loop: take a job, do it, and again, until told to stop."""

import logging
import os
import select
import signal
from collections.abc import Callable
from pathlib import Path

from .queue import Job, Queue

logger = logging.getLogger(__name__)


class Stop:
    """Whether a stop signal has come. It ends a wait; a job in hand it lets go on."""

    def __init__(self, *signals: int) -> None:
        self.requested = False
        # A byte in it, which nobody reads, ends this wait and each one after it.
        self.pipe, self.end = os.pipe()
        for number in signals:
            signal.signal(number, self.request)

    def request(self, *_: object) -> None:
        if not self.requested:
            self.requested = True
            os.write(self.end, b"!")

    def wait(self, seconds: float) -> None:
        select.select([self.pipe], [], [], seconds)


class Worker:
    def __init__(
        self,
        queue: Queue,
        run: Callable[[str, bytes, Callable[[], None]], None],
        heartbeat: Path,
        poll_seconds: float,
    ) -> None:
        self.queue = queue
        self.run = run
        self.heartbeat = heartbeat
        self.poll_seconds = poll_seconds

    def beat(self) -> None:
        # Only ever from the loop and from a job's own progress: what hangs must not look alive.
        self.heartbeat.touch()

    def work(self, stop: Stop) -> None:
        logger.info("Waiting for jobs")
        while not stop.requested:
            self.beat()
            if job := self.queue.take():
                self.do(job)
            else:
                stop.wait(self.poll_seconds)
        logger.info("Stopped")

    def do(self, job: Job) -> None:
        logger.info("Job began", extra={"job": job.name})
        try:
            self.run(job.name, job.content, self.beat)
        except Exception:
            logger.exception("Job failed", extra={"job": job.name})
            self.queue.fail(job)
        else:
            self.queue.done(job)
            logger.info("Job done", extra={"job": job.name})
