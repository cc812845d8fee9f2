"""Jobs: where they come from, and what becomes of them.

Files in a folder, so that the service works by itself, and alone or beside others of its kind.
A broker's client takes this one's place by the same three methods.
"""

import fcntl
import logging
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)


@dataclass
class Job:
    name: str
    content: bytes
    lock: int  # the open file


class Queue:
    """Each file in the folder is a job, the first by name first.

    Whoever adds one writes it under a name that begins with a dot, and gives it its own name, one
    that no other job has, when it is complete. A worker has a job by a lock on the file, which
    ends with the worker, however that ends: a job is done at least once, and never by two at a
    time. Then it leaves the folder; one that failed goes to the subfolder `failed`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failed = folder / "failed"
        self.names: deque[str] = deque()

    def take(self) -> Job | None:
        """Return a job that nobody has, or None."""
        if not self.names:
            self.names.extend(sorted(entry.name for entry in self.folder.iterdir()))
        while self.names:
            if job := self.lock(self.names.popleft()):
                return job
        return None

    def lock(self, name: str) -> Job | None:
        path = self.folder / name
        if name.startswith(".") or not path.is_file():
            return None
        try:
            lock = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.error("Cannot read job %s: %s", name, error.strerror)
            self.set_aside(name)
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another worker may have ended this job between the two lines above.
            if os.path.samestat(os.stat(lock), path.stat()):
                return Job(name, path.read_bytes(), lock)
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(lock)
        return None

    def done(self, job: Job) -> None:
        (self.folder / job.name).unlink(missing_ok=True)
        os.close(job.lock)

    def fail(self, job: Job) -> None:
        self.set_aside(job.name)
        os.close(job.lock)

    def set_aside(self, name: str) -> None:
        self.failed.mkdir(exist_ok=True)
        (self.folder / name).rename(self.failed / name)
