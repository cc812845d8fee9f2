"""The folders and files that the service needs in its image."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from .evidence import Evidence
from .project import NOT_RUN, TOOL_MODULES, is_run
from .start import Start
from .wheels import find_package

PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
# Folders with what servers and frameworks read, without any Python file.
DATA_FOLDERS = {
    "templates",
    "static",
    "locale",
    "locales",
    "translations",
    "migrations",
    "alembic",
    "assets",
    "fixtures",
    "media",
}
DATA_FILES = {
    "alembic.ini",
    "gunicorn.conf.py",
    "logging.ini",
    "logging.conf",
    "logging.yaml",
    "logging.yml",
    "logging.json",
}
# Folders of tools and packaging, which a service needs only if it starts from them.
TOOLS = {
    "scripts",
    "script",
    "bin",
    "tools",
    "tool",
    "utils_dev",
    "ci",
    "docker",
    "hack",
    "requirements",
    "dev",
    "packaging",
    "build",
    "dist",
}
PACKAGING = re.compile(
    r"(pyproject\.toml|setup\.(py|cfg)|.*\.lock|Pipfile.*|.*requirements.*|package.*\.json|README.*|LICENSE.*|Dockerfile.*"
    r"|(docker-)?compose.*|Procfile.*|Makefile|.*\.(md|rst|sh)|tox\.ini|pytest\.ini|MANIFEST\.in|runtime\.txt|manage\.py"
    r"|CHANGELOG.*|CONTRIBUTING.*|.*\.config\.m?js|tsconfig.*|app\.json|mypy\.ini|renovate\.json|docker-bake.*)",
    re.IGNORECASE,
)


def find_app_files(
    evidence: Evidence, start: Start, packaged: list[str], needed_paths: list[str]
) -> tuple[list[str], str, list[str]]:
    """Return the paths, the reason, and sentences on what was left out.

    `packaged` are the folders and modules that wheels have; `needed_paths` those that other commands need.
    """
    project = evidence.project
    if project.member:
        return _find_in_member(evidence, packaged, needed_paths)
    copied = _copied(evidence)
    top: dict[str, list[str]] = {}
    for path in project.files:
        top.setdefault(path.split("/", 1)[0], []).append(path)
    quoted = evidence.source.strings
    started = {start.module.split(".")[0], *(PurePosixPath(start.root).parts[:1])}
    imported = evidence.source.imports | started
    kept, left_out = [], []
    for name, files in top.items():
        is_read = name in quoted and re.match(r"CHANGELOG|README|LICENSE|CONTRIBUTING|pyproject\.toml", name)
        is_packaging = files == [name] and PACKAGING.fullmatch(name) and name != "manage.py"
        if not PATH.fullmatch(name) or (is_packaging and not is_read):
            continue
        is_folder = files != [name]
        used = any(is_run(file) and file.endswith(".py") for file in files)
        if not is_folder:
            needed = (used and name not in TOOL_MODULES) or name in DATA_FILES or name in quoted
            needed = needed or name.removesuffix(".py") in started or f" {name} " in f" {start.command} "
            needed = needed and (not copied or name in copied or name in quoted or name.removesuffix(".py") in imported)
        elif name in NOT_RUN or name in TOOLS:
            needed = name in started or (name in imported and name in TOOLS) or (used and name in copied)
            needed = needed or f" {name}/" in f" {start.command}"
        elif copied:
            needed = name in copied or (used and name in imported)
        else:
            needed = (used and _is_python(files)) or name in DATA_FOLDERS or name == "src"
        if needed:
            kept.append(name)
        elif used:
            left_out.append(name)
    words = start.command.replace('"', " ").split()
    kept += [path for path in project.files if path in words and path not in kept and path.split("/", 1)[0] not in kept]
    kept += [path for path in needed_paths if path not in kept and path.split("/", 1)[0] not in kept]
    kept += [path for path in _copied_files(evidence) if path not in kept and path.split("/", 1)[0] not in kept]
    kept = _without_packaged(evidence, kept, packaged, needed_paths)
    reason = (
        f"{evidence.image.path} copies them"
        if copied and evidence.image
        else "the packages, modules and data at the top"
    )
    notes = []
    if left_out:
        notes.append(
            f"app_dir: {', '.join(left_out)} {'has' if len(left_out) == 1 else 'have'} Python files and were left out"
        )
    return kept, reason, notes


def _without_packaged(evidence: Evidence, kept: list[str], packaged: list[str], needed_paths: list[str]) -> list[str]:
    """Return the paths without what the wheels have."""
    tops = {path.split("/", 1)[0] for path in packaged if path.startswith("src")}
    rest = [path for path in kept if path not in packaged and path not in tops]
    rest = [path for path in rest if not any(path.startswith(f"{folder}/") for folder in packaged)]
    tops |= set(packaged)
    tools = {"scripts", "script", "bin", "tools", "docker"} if packaged else set()
    rest = [path for path in rest if path not in tools or path in needed_paths]
    beside = [path for path in needed_paths if path.split("/", 1)[0] in tops and path not in packaged]
    # Tools read scripts of migrations as files, wherever the package is.
    beside = [
        path
        for path in beside
        if evidence.project.has(f"{path}/env.py") or not any(path.startswith(f"{folder}/") for folder in packaged)
    ]
    return list(dict.fromkeys([*rest, *beside]))


def _find_in_member(
    evidence: Evidence, packaged: list[str], needed_paths: list[str]
) -> tuple[list[str], str, list[str]]:
    """Return the paths of a member of a workspace: all of its folder, unless a wheel has it."""
    project = evidence.project
    if project.member not in packaged:
        return [project.member], "the folder of the member, which is no package", []
    names = ("alembic.ini", "alembic", "migrations", "manage.py", "templates", "static", "locale", *sorted(DATA_FILES))
    package = {project.own(path) for path in find_package(project)}
    found = [project.own(name) for name in names]
    found = [path for path in found if (project.has(path) or path in project.folders) and path not in package]
    found += [path for path in needed_paths if not any(path.startswith(f"{folder}/") for folder in package)]
    return list(dict.fromkeys(found)), "beside the wheels, what the service needs", []


def _is_python(files: list[str]) -> bool:
    """Return whether a folder is of Python code: more than a stray script in a folder of another language."""
    code = [file for file in files if file.endswith(".py")]
    return bool(code) and not any(
        file.endswith("/package.json") and file.count("/") == 1 for file in files if len(code) < 3
    )


def _copied_files(evidence: Evidence) -> Iterator[str]:
    """Yield single files that the old Dockerfile copies out of folders that are not for the service, such as docs."""
    for path in evidence.image.copied if evidence.image else ():
        path = path.removeprefix("./").strip("/")
        *folders, name = path.split("/")
        is_apart = bool(folders) and folders[0] in NOT_RUN and not PACKAGING.fullmatch(name)
        if is_apart and evidence.project.has(path) and PATH.fullmatch(path):
            yield path


def _copied(evidence: Evidence) -> set[str]:
    """Return the top-level names that the old Dockerfile copies one by one; nothing if it copies all."""
    found = set()
    for path in evidence.image.copied if evidence.image else ():
        path = path.removeprefix("./").strip("/")
        if path in ("", ".", "*", "$PWD"):
            return set()
        name = path.split("/", 1)[0]
        if "*" in name:
            continue
        if evidence.project.has(name) and PACKAGING.fullmatch(name) and name != "manage.py":
            continue
        if evidence.project.has(name) or name in evidence.project.folders:
            found.add(name)
    code = [
        name
        for name in found
        if name.endswith(".py") or any(file.startswith(f"{name}/") for file in evidence.project.sources)
    ]
    return found if code else set()
