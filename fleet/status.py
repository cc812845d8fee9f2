"""Compare a service with the newest release of its template."""

from dataclasses import dataclass

from .discovery import Service
from .repository import Repository
from .template import Template, read_content, render


@dataclass(frozen=True)
class Position:
    """The version of a service, how many releases it is behind, and whether its repository is dirty."""

    version: str
    newest: str
    behind: int
    dirty: bool


@dataclass(frozen=True)
class Status:
    """The files of the template that were edited, and the branch of an update that is not merged yet."""

    edited: tuple[str, ...]
    branch: str | None = None


def find_position(service: Service, template: Template, repository: Repository) -> Position:
    """Compare the recorded version with the template's releases."""
    version = service.answers.version
    behind = template.count_newer(repository.environment, version)
    return Position(version, template.newest, behind, repository.is_dirty())


def take_status(service: Service, template: Template, repository: Repository, position: Position) -> Status:
    """Compare the files of a service with what the template generated for it. Change nothing."""
    branch = repository.update_branch(position.newest)
    waits = position.behind and repository.has_branch(branch)
    with render(template.source, service.answers) as rendering:
        edited = tuple(
            name
            for name, content in rendering.files.items()
            if not rendering.is_user_owned(name) and content != read_content(service.folder / name)
        )
    return Status(edited, branch if waits else None)
