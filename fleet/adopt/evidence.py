"""Everything that the detection reads, gathered once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from .compose import ComposeService, read_services
from .dockerfile import OTHER_LANGUAGE, Image, find_dockerfiles, read_dockerfile
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
    dockerfiles = find_dockerfiles(project)
    services = tuple(_without_other_languages(project, read_services(project)))
    image = _find_image(project, services, dockerfiles)
    others = tuple(path for path in dockerfiles if image and path != image.path)
    installs = read_installs(project, image.commands, image.variables) if image else Installs()
    source = read_source(project)
    return Evidence(
        project, image, others, services, read_procfile(project), source, installs, bool(find_package(project))
    )


def _find_image(project: Project, services: Iterable[ComposeService], dockerfiles: Iterable[str]) -> Image | None:
    """Return the image of the old Dockerfile: the one that compose files build, those with ports first."""
    built = sorted((service for service in services if service.is_built), key=lambda service: not service.ports)
    choices = [(service.dockerfile, service.target) for service in built if service.dockerfile]
    target = next((service.target for service in built if service.target), None)
    choices += [(path, target) for path in dockerfiles]
    for path, stage in choices:
        image = read_dockerfile(project, path, stage) if path and project.has(path) else None
        if image and OTHER_LANGUAGE.search(image.base):
            image = read_dockerfile(project, path) if path and stage else image
        if image:
            return image
    return None


def _without_other_languages(project: Project, services: Iterable[ComposeService]) -> Iterator[ComposeService]:
    """Yield the services; those whose Dockerfile or stage has no Python are not the project's."""
    for service in services:
        path = service.dockerfile or "Dockerfile"
        image = read_dockerfile(project, path, service.target) if service.is_built and project.has(path) else None
        is_other = image is not None and bool(OTHER_LANGUAGE.search(image.base))
        yield replace(service, is_built=False) if is_other else service
