"""The file with the requirements, and the distributions that it names."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import FleetError
from .project import Project

# The locks that the template can install as they are. Add the name of a lock here once the question
# requirements_file accepts it: it is proposed then, and no export is asked for.
ACCEPTED_LOCKS: frozenset[str] = frozenset()
# The lock files by their names, the likeliest first, and the command that exports each.
EXPORTS = {
    "uv.lock": "uv export --frozen --no-dev --no-emit-project --output-file {output}",
    "poetry.lock": "poetry export --only main --output {output}",
    "pylock.toml": "uv pip compile --universal --generate-hashes pyproject.toml --output-file {output}",
    "pdm.lock": "pdm export --prod --output {output}",
    "Pipfile.lock": "pipenv requirements --hash > {output}",
}
NOTES = {"poetry.lock": " (with the plugin poetry-plugin-export)"}
DEVELOPMENT = re.compile(
    r"(^|[^a-z])(dev|devel|develop|development|test|tests|testing|docs?|lint|ci|local|build|typing|mypy|optional"
    r"|extras?|constraints?|style|format|release|packaging|benchmark)([^a-z]|$)"
)
PRODUCTION = re.compile(r"(^|[^a-z])(prod|production|deploy|docker|server|heroku)([^a-z]|$)")
INCLUDE = re.compile(r"^\s*(?:-r|--requirement)[\s=]+([^\s\x00]+)", re.MULTILINE)
SERVERS = {"gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "waitress", "uwsgi"}
# What a distribution brings, by its name and extra.
BROUGHT = {
    ("fastapi", "standard"): ("uvicorn", "fastapi-cli"),
    ("fastapi", "all"): ("uvicorn", "fastapi-cli"),
    ("flask-socketio", ""): ("flask",),
    ("apiflask", ""): ("flask",),
    ("django-rest-framework", ""): ("django",),
    ("djangorestframework", ""): ("django",),
    ("wagtail", ""): ("django",),
}


@dataclass(frozen=True)
class Requirements:
    """The proposed file, why, and the distributions by their normalized names, with their specifiers.

    `is_locked` is True if the distributions include those that others need. `refusal` is the error
    that prevents an adoption until the file exists; `needs_git` is True if git installs some.
    """

    file: str
    reason: str
    distributions: Mapping[str, str]
    is_locked: bool
    lock: str | None = None
    refusal: FleetError | None = None
    notes: tuple[str, ...] = ()
    needs_git: bool = False


def find_requirements(project: Project, installed: tuple[str, ...], chosen: str | None = None) -> Requirements:
    """Find the requirements; raise FleetError if there are none, or if several files have the same rank.

    `installed` are the files that the old Dockerfile installs; `chosen` is the user's answer.
    """
    _ = project.pyproject  # a broken one is an error in any case
    lock, lock_folder = _find_lock(project)
    if chosen:
        if not (project.folder / chosen).is_file():
            raise FleetError("no-requirements", f"there is no file {chosen}", "name another as requirements_file")
        return _read(project, chosen, "given with --data", lock)
    if lock in ACCEPTED_LOCKS:
        return Requirements(
            lock, f"the lock of the project, {lock}", _read_lock(project, lock, lock_folder), True, lock
        )
    ranked = rank_files(project, installed)
    if ranked:
        best = [path for path, rank, _ in ranked if rank == ranked[0][1]]
        if len(best) > 1:
            choices = " or ".join(f"--data requirements_file={path}" for path in best)
            raise FleetError(
                "ambiguous", f"several requirements files are equally likely: {', '.join(best)}", f"pass {choices}"
            )
        return _read(project, ranked[0][0], ranked[0][2], lock)
    if lock:
        return _from_lock(project, lock, lock_folder)
    return _from_metadata(project)


def rank_files(project: Project, installed: tuple[str, ...]) -> list[tuple[str, int, str]]:
    """Return the requirements files, the likeliest first: path, rank and reason."""
    found = []
    for path in project.files:
        *folders, name = path.split("/")
        if len(folders) > 1 or (folders and folders[0] not in ("requirements", "reqs", "requirement")):
            continue
        is_named = re.fullmatch(r"([\w.-]*[._-])?(requirements|reqs)([._-][\w.-]*)?\.txt", name)
        if (is_named or (folders and name.endswith(".txt"))) and not DEVELOPMENT.search(path.lower()):
            found.append(path)
    for path in installed:
        if project.has(path) and path not in found:
            found.append(path)
    included = {inner for path in found for inner in _includes(project, path)}

    def rank(path: str) -> tuple[int, str]:
        if path in installed:
            return 0, "the old Dockerfile installs it"
        if PRODUCTION.search(path.lower()) and path not in included:
            return (
                2 if "requirements.txt" in found and "requirements.txt" not in included else 1,
                "its name is of production",
            )
        if path == "requirements.txt":
            return 1, "the usual name"
        return (4, "another file includes it") if path in included else (3, "the only one")

    return sorted(((path, *rank(path)) for path in found), key=lambda item: (item[1], item[0]))


def _includes(project: Project, path: str) -> Iterator[str]:
    for inner in INCLUDE.findall(project.read(path)):
        joined = (project.folder / path).parent.joinpath(inner).resolve()
        if joined.is_relative_to(project.folder):
            yield joined.relative_to(project.folder).as_posix()


def _read(project: Project, path: str, reason: str, lock: str | None) -> Requirements:
    text = re.sub(r"^\s*#.*$", "", whole := project.read(path), flags=re.MULTILINE)
    distributions = dict(read_requirements(project, path))
    is_locked = "--hash=" in text or bool(re.search(r"# +via\b|autogenerated by", whole))
    notes = []
    if lock:
        notes.append(f"{path} must be the export of {lock}: export it again after each change of the lock.")
    if not distributions:
        notes.append(f"{path} names no package.")
    if re.search(r"^(-e|--editable)\s|^\.(\[|\s|$)|@ file:", text, re.MULTILINE):
        notes.append(
            f"{path} installs a folder of the project (-e or .), which the build does not have: remove the line."
        )
    needs_git = bool(re.search(r"\bgit\+(https|ssh)", text))
    return Requirements(path, reason, distributions, is_locked, lock, None, tuple(notes), needs_git)


def read_requirements(project: Project, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the distributions of a requirements file and of those that it includes, with their specifiers."""
    text = project.read(path).replace("\\\n", " ")
    if depth < 5:
        for inner in _includes(project, path):
            yield from read_requirements(project, inner, depth + 1)
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*|\s--hash.*", "", line).strip()
        if line and not line.startswith("-"):
            yield from parse_requirement(line)


def parse_requirement(line: str) -> Iterator[tuple[str, str]]:
    """Yield the distribution that a line requires, and what it brings by its extras."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        egg = re.search(r"#egg=([\w.-]+)", line)
        if egg:
            yield canonicalize_name(egg[1]), ""
        return
    name = canonicalize_name(requirement.name)
    yield name, str(requirement.specifier)
    for extra in ("", *requirement.extras):
        yield from ((brought, "") for brought in BROUGHT.get((name, extra), ()))


def _find_lock(project: Project) -> tuple[str | None, Path]:
    """Return the name of the project's lock and its folder: a member of a workspace has it further up."""
    for name in EXPORTS:
        if project.has(name):
            return name, project.folder
    top = project.repository
    folder = project.folder
    while top and folder != top.resolve() and folder.parent != folder and project.has("pyproject.toml"):
        folder = folder.parent
        if (folder / "uv.lock").is_file():
            return "uv.lock", folder
    return None, project.folder


def _from_lock(project: Project, lock: str, folder: Path) -> Requirements:
    """Return the proposal for a project whose lock must be exported first."""
    command = EXPORTS[lock].format(output="requirements.txt")
    if lock == "uv.lock":
        options = [f"{option} {name}" for name, option in find_server_parts(project).items()]
        command = command.replace("--no-dev", " ".join(["--no-dev", *options]))
    if lock == "uv.lock" and folder != project.folder:
        name = project.table("project").get("name", project.folder.name)
        command = command.replace("--no-emit-project", f"--package {name} --no-emit-workspace")
    elif lock == "uv.lock" and project.table("tool", "uv", "workspace"):
        command = command.replace("--no-emit-project", "--no-emit-workspace")
    hint = f"run `{command}`{NOTES.get(lock, '')}, commit requirements.txt, and run this again"
    if lock == "pylock.toml" and not project.table("project"):
        hint = "list what it contains in requirements.txt, and run this again"
    refusal = FleetError("lock-not-exported", f"the template cannot install {lock}", hint)
    reason = f"the export of {lock}, to be made first"
    return Requirements("requirements.txt", reason, _read_lock(project, lock, folder), True, lock, refusal)


def _from_metadata(project: Project) -> Requirements:
    """Return the proposal for a project that names its requirements in its metadata, without a lock."""
    listed = project.table("project").get("dependencies")
    distributions: dict[str, str] = {}
    for line in listed if isinstance(listed, list) else []:
        distributions |= dict(parse_requirement(str(line)))
    parts = find_server_parts(project)
    for name, option in parts.items():
        keys = ("project", "optional-dependencies") if option == "--extra" else ("dependency-groups",)
        for line in project.table(*keys)[name]:
            distributions |= dict(parse_requirement(str(line)))
    options = "".join(f" {option} {name}" for name, option in parts.items())
    poetry = project.table("tool", "poetry", "dependencies")
    distributions |= {canonicalize_name(str(name)): "" for name in poetry if str(name).lower() != "python"}
    for file in ("pyproject.toml", "setup.cfg", "setup.py"):
        if project.has(file) and (file != "pyproject.toml" or distributions or project.table("project")):
            command = f"uv pip compile --universal --generate-hashes{options} {file} --output-file requirements.txt"
            if poetry:
                command = "poetry lock && poetry export --only main --output requirements.txt"
            hint = f"run `{command}`, commit requirements.txt, and run this again"
            refusal = FleetError("no-lock", f"{file} has no lock file beside it", hint)
            return Requirements(
                "requirements.txt", f"the lock of {file}, to be made first", distributions, False, None, refusal
            )
    if project.has("Pipfile"):
        raise FleetError(
            "no-lock",
            "Pipfile has no lock file beside it",
            f"run `pipenv lock && {EXPORTS['Pipfile.lock'].format(output='requirements.txt')}`, and run this again",
        )
    raise FleetError(
        "no-requirements",
        f"there is neither a requirements file nor a lock in {project.folder.name}",
        "list what the service needs in requirements.txt, or name the file with --data requirements_file=PATH",
    )


def _read_lock(project: Project, lock: str, folder: Path) -> dict[str, str]:
    """Return the distributions of a lock with their versions, those of development included."""
    path = folder / lock
    if lock == "Pipfile.lock":
        try:
            content: Any = json.loads(path.read_text(encoding="utf-8"))
            return {
                canonicalize_name(name): str(value.get("version", "")) for name, value in content["default"].items()
            }
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise FleetError("lock-unreadable", f"{lock} cannot be read", "run pipenv lock") from error
    relative = PurePosixPath("../" * len(project.folder.relative_to(folder).parts)) / lock
    content = project.read_toml(str(relative) if folder != project.folder else lock)
    listed = content.get("package") or content.get("packages") or []
    packages: dict[str, Mapping[str, Any]] = {
        canonicalize_name(str(package["name"])): package
        for package in listed
        if isinstance(package, dict) and "name" in package
    }
    own = canonicalize_name(str(project.table("project").get("name", "")))
    if lock == "uv.lock" and own in packages:
        names = _reach(packages, own, find_server_parts(project))
    else:
        names = {name for name, package in packages.items() if _is_main(package)}
    return {name: f"=={packages[name]['version']}" if packages[name].get("version") else "" for name in sorted(names)}


def _is_main(package: Mapping[str, Any]) -> bool:
    """Return whether a package of poetry.lock or pdm.lock is not for development only."""
    groups = package.get("groups")
    return package.get("category", "main") == "main" and (
        not isinstance(groups, list) or bool({"main", "default"} & set(groups))
    )


def _reach(packages: Mapping[str, Mapping[str, Any]], own: str, parts: Mapping[str, str]) -> set[str]:
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
            needed = [dependency for table in tables for dependency in table.get(extra, [])]
        for dependency in needed:
            inner = canonicalize_name(str(dependency.get("name", "")))
            waiting += [(inner, ""), *((inner, str(more)) for more in dependency.get("extra", []))]
    return {name for name, _ in seen if name != own}


def find_server_parts(project: Project) -> dict[str, str]:
    """Return the extras and dependency groups of the project that name a server, which production needs.

    The keys are their names, and the values the option by which uv takes them.
    """
    found = {}
    for option, table in (
        ("--extra", project.table("project", "optional-dependencies")),
        ("--group", project.table("dependency-groups")),
    ):
        for name, listed in table.items():
            lines = [line for line in listed if isinstance(line, str)] if isinstance(listed, list) else []
            needed = {distribution for line in lines for distribution, _ in parse_requirement(line)}
            if needed & SERVERS and not DEVELOPMENT.search(str(name).lower()):
                found[str(name)] = option
    return found
