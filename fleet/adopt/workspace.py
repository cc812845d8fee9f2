"""uv workspaces: which member is the service, and which others it needs."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from packaging.utils import canonicalize_name

from ..errors import FleetError
from ..git import GitEnvironment
from .dockerfile import find_dockerfiles, read_dockerfile
from .installs import read_installs
from .locks import read_lock
from .procfile import read_procfile
from .project import Project, open_project
from .source import read_source
from .start import console_scripts_of
from .wheels import find_package


def enter_workspace(
    project: Project, given: Mapping[str, str], environment: GitEnvironment
) -> tuple[Project, list[str]]:
    """Return the project as a member of its uv workspace sees it, and notes; the project itself without a workspace.

    Raise FleetError if several members may be the service, or none.
    """
    if given.get("requirements_file", "uv.lock") != "uv.lock":
        return project, []
    root, folder = _find_root(project, environment)
    if root is None:
        return project, []
    members = read_members(root)
    if len(members) < 2 and not any(folder for folder in members.values()):
        return project, []
    if folder and folder not in members.values():
        return project, []
    name = _choose(root, members, given.get("workspace_member"), folder)
    notes = []
    if folder:
        notes.append(
            f"The layout is written to {root.folder.name}, the root of the uv workspace: the build needs uv.lock."
        )
    return _view(root, name, members), notes


def _find_root(project: Project, environment: GitEnvironment) -> tuple[Project | None, str]:
    """Return the workspace of a project, and the folder of the project in it ("" if it is the root)."""
    if project.has("uv.lock"):
        return (project, "") if project.table("tool", "uv", "workspace") else (None, "")
    top = project.repository
    parent = project.folder
    while top and parent != top.resolve() and parent != parent.parent and project.has("pyproject.toml"):
        parent = parent.parent
        if (parent / "uv.lock").is_file() and (parent / "pyproject.toml").is_file():
            root = open_project(parent, environment)
            if root.table("tool", "uv", "workspace"):
                return root, project.folder.relative_to(parent).as_posix()
            return None, ""
    return None, ""


def read_members(root: Project) -> dict[str, str]:
    """Return the folders of a workspace's members by their names; "" is the root."""
    content = root.read_toml("uv.lock")
    manifest = content.get("manifest")
    named = manifest.get("members") if isinstance(manifest, dict) else None
    found: dict[str, str] = {}
    for package in content.get("package") or []:
        source: dict[str, Any] = package.get("source") or {} if isinstance(package, dict) else {}
        place = next((str(source[key]) for key in ("editable", "virtual", "directory") if key in source), None)
        name = str(package.get("name", "")) if isinstance(package, dict) else ""
        if place is not None and (not isinstance(named, list) or name in named):
            found[name] = "" if place == "." else place.removeprefix("./").rstrip("/")
    return found


def _choose(root: Project, members: dict[str, str], given: str | None, folder: str) -> str:
    """Return the name of the member that is the service; raise FleetError if that cannot be told."""
    if given:
        name = canonicalize_name(given)
        if name not in members:
            listed = ", ".join(members)
            raise FleetError("no-member", f"the workspace has no member {given}", f"it has {listed}")
        return name
    if folder:
        return next(name for name, place in members.items() if place == folder)
    named = [name for name in _named_packages(root) if name in members]
    if len(named) == 1:
        return named[0]
    scores = {name: _score(_view(root, name, members)) for name in members}
    best = [name for name, score in scores.items() if score and score == max(scores.values())]
    if len(best) == 1:
        return best[0]
    if not best:
        raise FleetError(
            "no-member", "no member of the workspace has an application", "pass --data workspace_member=NAME"
        )
    choices = " or ".join(f"--data workspace_member={name}" for name in best)
    raise FleetError(
        "ambiguous", f"several members of the workspace have an application: {', '.join(best)}", f"pass {choices}"
    )


def _named_packages(root: Project) -> list[str]:
    """Return the members that the Dockerfiles at the top install or run by --package."""
    found: list[str] = []
    for path in find_dockerfiles(root):
        image = read_dockerfile(root, path) if "/" not in path else None
        if image:
            found += read_installs(root, image.commands, image.variables).packages
            found += re.findall(
                r"--package[=\s]+[\"']?([\w.-]+)", f"{image.entrypoint} {image.command}".replace('", "', " ")
            )
    return list(dict.fromkeys(canonicalize_name(name) for name in found))


def _score(view: Project) -> int:
    """Return 2 if a member has an application or files of a container, 1 if it has programs, or else 0."""
    source = read_source(view)
    inner = view.own("")
    has_files = any(path.startswith(inner) for path in find_dockerfiles(view)) if inner else bool(read_procfile(view))
    if source.applications or source.celery or has_files:
        return 2
    return 1 if console_scripts_of(view) or any(path.endswith("__main__.py") for path in source.runnable) else 0


def _view(root: Project, name: str, members: dict[str, str]) -> Project:
    """Return the workspace without the members that a member does not need."""
    folder = members[name]
    alone = dataclasses.replace(root, member=folder)
    needed = [place for place in read_lock(alone, "uv.lock").folders.values() if place not in ("", ".", folder)]
    needed = [place for place in dict.fromkeys(needed) if not place.startswith("..")]
    others = tuple(f"{place}/" for place in members.values() if place and place not in (folder, *needed))
    inside = f"{folder}/" if folder else ""
    files = tuple(path for path in root.files if (inside and path.startswith(inside)) or not path.startswith(others))
    packages = [place for place in ([folder] if folder else []) + needed if find_package(root, place)]
    return dataclasses.replace(root, files=files, member=folder, member_name=name, packages=tuple(packages))
