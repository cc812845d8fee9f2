"""Compose files: the services that are built from the project."""

import posixpath
import re
from dataclasses import dataclass
from typing import Any

import yaml

from .dockerfile import DEVELOPMENT
from .project import Project
from .words import expand

NAMED = re.compile(r"(docker-)?compose([.-][\w.-]+)?\.ya?ml")


@dataclass(frozen=True)
class ComposeService:
    """A service of a compose file; the command and the entry point are None if the file does not set them."""

    file: str
    name: str
    is_built: bool
    command: Any
    entrypoint: Any
    ports: tuple[str, ...]
    health: str
    variables: dict[str, str]
    volumes: tuple[str, ...]
    dockerfile: str | None
    target: str | None
    start_period: str = ""
    stop_signal: str = ""
    stop_grace_period: str = ""
    mounts_checkout: bool = False


class _Loader(yaml.SafeLoader):
    """Reads tags of Compose, such as !reset, as the value behind them."""


def _construct_any(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Loader.add_multi_constructor("!", _construct_any)


def find_compose_files(project: Project) -> list[str]:
    """Return the compose files of the project's folder, those of production first, those of development left out."""
    found = [path for path in project.files if NAMED.fullmatch(path.removeprefix(project.own("")))]
    found += [path for path in project.files if project.member and NAMED.fullmatch(path)]
    kept = [path for path in found if not DEVELOPMENT.search(path) and "override" not in path]
    return sorted(kept, key=lambda path: ("prod" not in path, len(path), path))


def read_services(project: Project) -> list[ComposeService]:
    """Return the services of all compose files; a file that is not YAML has none."""
    services: list[ComposeService] = []
    for path in find_compose_files(project):
        try:
            content = yaml.load(project.read(path), Loader=_Loader)
        except (yaml.YAMLError, ValueError, TypeError):
            continue
        listed = content.get("services") if isinstance(content, dict) else None
        if not isinstance(listed, dict):
            continue
        built = {
            str(service.get("image"))
            for service in listed.values()
            if isinstance(service, dict) and service.get("build") and service.get("image")
        }
        for name, service in listed.items():
            if isinstance(service, dict):
                own = built | _own_names(project)
                services.append(_read_service(project, path, str(name), service, own))
    return services


def _own_names(project: Project) -> set[str]:
    """Return the names that an image of this project may have."""
    named = (project.table("project").get("name"), project.table("tool", "poetry").get("name"))
    return {str(name).lower() for name in (project.folder.name, *named) if name}


def _read_service(project: Project, path: str, name: str, service: dict[str, Any], built: set[str]) -> ComposeService:
    build = service.get("build")
    build = {"context": build} if isinstance(build, str) else build if isinstance(build, dict) else {}
    context = posixpath.normpath(posixpath.join(posixpath.dirname(path), str(build.get("context", "."))))
    dockerfile = str(build["dockerfile"]).removeprefix("./") if build.get("dockerfile") else None
    if dockerfile and context not in (".", "") and project.has(f"{context}/{dockerfile}"):
        dockerfile = f"{context}/{dockerfile}"
    is_built = bool(build) and context in (".", project.member)
    if project.member:  # the files of other members are left out
        is_built = is_built and (context == project.member or bool(dockerfile and project.has(dockerfile)))
    health = service.get("healthcheck")
    health = health if isinstance(health, dict) else {}
    test = health.get("test", "")
    return ComposeService(
        path,
        name,
        is_built or (not project.member and _is_own(str(service.get("image")), built)),
        service.get("command"),
        service.get("entrypoint"),
        tuple(_read_ports(service)),
        " ".join(map(str, test)) if isinstance(test, list) else str(test),
        _read_environment(service.get("environment")),
        tuple(_read_volumes(project, service.get("volumes"))),
        dockerfile,
        str(build["target"]) if build.get("target") else None,
        str(health.get("start_period") or ""),
        str(service.get("stop_signal") or ""),
        str(service.get("stop_grace_period") or ""),
        any(re.match(r"(\.|\./|\$\{?PWD\}?):", str(volume)) for volume in service.get("volumes") or ()),
    )


def _is_own(image: str, built: set[str]) -> bool:
    """Return whether an image is one that is built here, by its name or by that of the project's folder."""
    return image in built or image.rsplit("/", 1)[-1].partition(":")[0].lower() in built


def _read_ports(service: dict[str, Any]) -> list[str]:
    found = []
    for key in ("ports", "expose"):
        for port in service.get(key) or []:
            value = port.get("target", "") if isinstance(port, dict) else str(port)
            match = re.search(r"(\d+)(?:/tcp)?(?:\})?$", str(value))
            if match:
                found.append(match[1])
    return found


def _read_environment(value: Any) -> dict[str, str]:
    if isinstance(value, list):
        value = dict(str(item).split("=", 1) for item in value if "=" in str(item))
    if not isinstance(value, dict):
        return {}
    return {str(key): str(item) for key, item in value.items() if item is not None}


def _read_volumes(project: Project, value: Any) -> list[str]:
    """Return the places in the container of named volumes, and of folders that the checkout does not have.

    The other folders of the checkout are for development.
    """
    found = []
    for volume in value if isinstance(value, list) else []:
        if isinstance(volume, dict):
            if volume.get("type") == "volume" and volume.get("target"):
                found.append(str(volume["target"]))
            continue
        text = expand(str(volume), {})
        if re.fullmatch(r"[A-Za-z0-9][\w.-]*:/[^:]*(:\w+)?", text):
            found.append(text.split(":")[1])
        elif match := re.fullmatch(r"\./([\w-]+(?:/[\w-]+)*)/?:(/[^:.]*)(:(rw|z|Z))?", text):
            is_there = match[1] in project.folders or project.has(match[1])
            found += [] if is_there else [match[2]]
    return found
