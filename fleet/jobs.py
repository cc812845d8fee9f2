"""What a worker process does: take the status of one service, or update it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .discovery import Service
from .errors import Failure, FleetError, Success
from .git import GitEnvironment
from .rendering import Release
from .repository import open_repository
from .results import Position, Status, Update
from .template import Template
from .update import take_status, update_service


@dataclass(frozen=True)
class Job:
    """One command on one service.

    `behind` counts the releases up to `newest`. `before` is the release that generated the
    service; `after` is the one to update to.
    """

    command: str
    service: Service
    newest: str
    behind: int
    before: Release
    after: Release
    environment: GitEnvironment


@dataclass(frozen=True)
class Finished:
    """The result of a job. `position` is known even if the command failed after it was found."""

    result: Success[Status | Update] | Failure
    position: Position | None
    seconds: float


def make_jobs(
    command: str,
    services: Mapping[Path, tuple[Service, Template]],
    environment: GitEnvironment,
    folder: Path,
) -> dict[Path, Job | Failure]:
    """Check out, below `folder`, the releases that the services need; return a job for each service."""
    releases: dict[tuple[str, str], Success[Release] | Failure] = {}

    def find_release(template: Template, version: str) -> Release | Failure:
        key = template.source, version
        if key not in releases:
            checkout = folder / f"release-{len(releases)}"
            try:
                template.check_out(environment, version, checkout)
                releases[key] = Success(Release(template.source, version, checkout))
            except FleetError as error:
                releases[key] = Failure.of(error)
        found = releases[key]
        return found.value if isinstance(found, Success) else found

    jobs: dict[Path, Job | Failure] = {}
    for path, (service, template) in services.items():
        try:
            behind = template.count_newer(environment, service.answers.version)
        except FleetError as error:
            jobs[path] = Failure.of(error)
            continue
        before = find_release(template, service.answers.version)
        after = find_release(template, template.newest) if command == "update" else before
        if isinstance(before, Failure):
            jobs[path] = before
        elif isinstance(after, Failure):
            jobs[path] = after
        else:
            jobs[path] = Job(command, service, template.newest, behind, before, after, environment)
    return jobs


def run_job(job: Job, scratch: Path) -> Finished:
    """Run the job; its temporary files go to `scratch`."""
    began = time.monotonic()
    position = None
    result: Success[Status | Update] | Failure
    try:
        repository = open_repository(job.environment, job.service.folder)
        uncommitted = repository.uncommitted()
        position = Position(job.service.answers.version, job.newest, job.behind, bool(uncommitted))
        if job.command == "status":
            result = Success(take_status(job.service, job.before, repository, position, uncommitted))
        else:
            result = Success(update_service(job.service, job.before, job.after, repository, position, scratch))
    except Exception as error:  # of Copier, git or the operating system; the failure keeps the traceback
        result = Failure.of(error)
    return Finished(result, position, time.monotonic() - began)
