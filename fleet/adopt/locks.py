"""Lock files: which ones the project has, and what they install."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from packaging.utils import canonicalize_name

from ..errors import FleetError
from .project import Project

# The locks that the template installs as they are; pyproject.toml must be beside the first two.
ACCEPTED = re.compile(r"uv\.lock|poetry\.lock|pylock(\.[\w-]+)?\.toml")
# The other locks, and the command that exports each.
EXPORTS = {
    "pdm.lock": "pdm export --prod --output requirements.txt",
    "Pipfile.lock": "pipenv requirements --hash > requirements.txt",
}
DEVELOPMENT = re.compile(r"(^|[^a-z])(dev|develop|development|tests?|testing|docs?|lint|ci)([^a-z]|$)")


@dataclass
class Lock:
    """What a lock installs: versions by normalized names, packages of git, folders, and further indexes."""

    distributions: dict[str, str] = field(default_factory=dict)
    from_git: list[str] = field(default_factory=list)
    folders: dict[str, str] = field(default_factory=dict)  # the name of each package, and its folder
    files: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    wheels: dict[str, tuple[str, ...]] = field(default_factory=dict)  # the names of the files of each package


def find_locks(project: Project) -> list[str]:
    """Return the paths of the locks that the template accepts, those of uv and Poetry first."""
    found = []
    for path in project.files:
        if ACCEPTED.fullmatch(path) and not (path.startswith("pylock") and DEVELOPMENT.search(path)):
            has_metadata = project.has("pyproject.toml") or path.startswith("pylock")
            found += [path] if has_metadata else []
    return sorted(found, key=lambda path: (path.startswith("pylock"), path != "uv.lock", path))


def read_lock(project: Project, path: str, extras: Iterable[str] = (), groups: Iterable[str] = ()) -> Lock:
    """Read a lock, without what is for development only."""
    if path == "Pipfile.lock":
        return Lock(_read_pipfile_lock(project))
    content = project.read_toml(path)
    listed = content.get("package") or content.get("packages") or []
    packages: dict[str, Mapping[str, Any]] = {
        canonicalize_name(str(package["name"])): package
        for package in (listed if isinstance(listed, list) else [])
        if isinstance(package, dict) and "name" in package
    }
    own = canonicalize_name(str(project.table("project").get("name", "")))
    parts = {canonicalize_name(str(name)) for name in (*extras, *groups)}
    if path == "uv.lock" and own in packages:
        names = _reach(packages, own, parts)
    else:
        wanted = {"main", "default", *groups}
        names = {name for name, package in packages.items() if _is_installed(package, wanted, bool(list(extras)))}
    lock = Lock()
    for name in sorted(names):
        _add(lock, name, packages[name])
    return lock


def _add(lock: Lock, name: str, package: Mapping[str, Any]) -> None:
    """Add a package to what a lock installs, by its source."""
    lock.distributions[name] = f"=={package['version']}" if package.get("version") else ""
    lock.wheels[name] = tuple(_wheels(package))
    source = package.get("source")
    source = source if isinstance(source, dict) else {}
    url = str(source.get("url", ""))
    kind = str(source.get("type", ""))
    if "git" in source or kind == "git" or "vcs" in package:
        lock.from_git.append(name)
    for key in ("editable", "directory", "virtual"):
        if key in source:
            lock.folders[name] = str(source[key]).removeprefix("./").rstrip("/")
    if kind == "directory":
        lock.folders[name] = url.removeprefix("./").rstrip("/")
    directory = package.get("directory")
    if isinstance(directory, dict):
        lock.folders[name] = str(directory.get("path", "")).removeprefix("./").rstrip("/")
    if kind == "file" or "path" in source or "archive" in package:
        lock.files.append(name)
    index = str(source.get("registry", "")) or (url if kind == "legacy" else "") or str(package.get("index", ""))
    if index and index not in lock.indexes:
        lock.indexes.append(index)


def _wheels(package: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the wheels that a lock lists for a package."""
    for key in ("wheels", "files"):
        listed = package.get(key)
        for entry in listed if isinstance(listed, list) else []:
            if isinstance(entry, dict):
                place = str(entry.get("name") or entry.get("file") or entry.get("url") or "")
                name = place.rsplit("/", 1)[-1].partition("#")[0]
                if name.endswith(".whl"):
                    yield name


def _read_pipfile_lock(project: Project) -> dict[str, str]:
    try:
        content: Any = json.loads((project.folder / "Pipfile.lock").read_text(encoding="utf-8"))
        return {canonicalize_name(name): str(value.get("version", "")) for name, value in content["default"].items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise FleetError("lock-unreadable", "Pipfile.lock cannot be read", "run pipenv lock") from error


def _is_installed(package: Mapping[str, Any], wanted: set[str], with_optional: bool) -> bool:
    """Return whether a package of poetry.lock, pdm.lock or pylock.toml is in one of the wanted groups."""
    if package.get("optional") is True and not with_optional:
        return False
    groups = package.get("groups")
    if not isinstance(groups, list):
        return package.get("category", "main") in wanted
    return bool(wanted & {str(group) for group in groups})


def _reach(packages: Mapping[str, Mapping[str, Any]], own: str, parts: Iterable[str]) -> set[str]:
    """Return the packages of uv.lock that the project needs, with some of its extras and dependency groups."""
    seen: set[tuple[str, str]] = set()
    waiting = [(own, ""), *((own, part) for part in parts)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen or name not in packages:
            continue
        seen.add((name, extra))
        package = packages[name]
        needed = package.get("dependencies", [])
        if extra:
            tables = (package.get(table, {}) for table in ("optional-dependencies", "dev-dependencies"))
            needed = [
                dependency
                for table in tables
                for part, listed in table.items()
                if canonicalize_name(str(part)) == extra
                for dependency in listed
            ]
        for dependency in needed:
            inner = canonicalize_name(str(dependency.get("name", "")))
            waiting += [(inner, ""), *((inner, canonicalize_name(str(more))) for more in dependency.get("extra", []))]
    return {name for name, _ in seen if name != own}
