"""Everything that the detection reads, gathered once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .compose import ComposeService, read_services
from .dockerfile import Image, find_dockerfiles, read_dockerfile
from .installs import Installs, read_installs
from .procfile import read_procfile
from .project import Project
from .source import Source, read_source
from .wheels import find_package


@dataclass(frozen=True)
class Evidence:
    """The project, and what its files say of how it is built and started.

    `can_install` is True if a wheel of the project can be built.
    """

    project: Project
    image: Image | None
    other_dockerfiles: tuple[str, ...]
    services: tuple[ComposeService, ...]
    procfile: Mapping[str, str]
    source: Source
    installs: Installs = field(default_factory=Installs)
    can_install: bool = False

    @property
    def built(self) -> tuple[ComposeService, ...]:
        """The services of compose files that are built from this project."""
        return tuple(service for service in self.services if service.is_built)


def gather(project: Project) -> Evidence:
    """Read the project's own container files and its source."""
    services = tuple(read_services(project))
    built = [service for service in services if service.is_built]
    dockerfiles = find_dockerfiles(project)
    named = next((service for service in built if service.dockerfile and project.has(service.dockerfile)), None)
    image = None
    if named and named.dockerfile:
        image = read_dockerfile(project, named.dockerfile, named.target)
    if image is None:
        target = next((service.target for service in built if service.target), None)
        for path in dockerfiles:
            image = read_dockerfile(project, path, target)
            if image:
                break
    others = tuple(path for path in dockerfiles if image and path != image.path)
    installs = read_installs(project, image.commands, image.variables) if image else Installs()
    source = read_source(project)
    return Evidence(
        project, image, others, services, read_procfile(project), source, installs, bool(find_package(project))
    )
