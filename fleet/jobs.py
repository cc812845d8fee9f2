"""What a worker process does: take the status of one service, or update it."""

import time
from dataclasses import dataclass
from pathlib import Path

import copier  # noqa: F401 (imported before the processes are forked, so that each of them need not do it)

from .discovery import Service
from .errors import Failure, Success
from .repository import GitEnvironment, open_repository
from .status import Position, Status, find_position, take_status
from .template import Template
from .update import Update, update_service


@dataclass(frozen=True)
class Job:
    """One command on one service."""

    command: str
    service: Service
    template: Template
    environment: GitEnvironment


@dataclass(frozen=True)
class Finished:
    """The result of a job. `position` is known even if the command failed after it was found."""

    result: Success[Status | Update] | Failure
    position: Position | None
    seconds: float


def run_job(job: Job, scratch: Path) -> Finished:
    """Run the job; its temporary files go to `scratch`."""
    began = time.monotonic()
    position = None
    result: Success[Status | Update] | Failure
    # Copier's cache of templates is not made for several processes at once.
    environment = job.environment.with_variables({"COPIER_CACHE_DIR": str(scratch / "copier")})
    try:
        with environment.for_copier():
            repository = open_repository(environment, job.service.folder)
            position = find_position(job.service, job.template, repository)
            if job.command == "status":
                result = Success(take_status(job.service, job.template, repository, position))
            else:
                result = Success(update_service(job.service, job.template, repository, position))
    except Exception as error:  # the failure keeps the traceback
        result = Failure.of(error)
    return Finished(result, position, time.monotonic() - began)
