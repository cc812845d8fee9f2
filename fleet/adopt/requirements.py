"""The lock or the files with the requirements, and the distributions that they name."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import FleetError
from .installs import Installs
from .locks import ACCEPTED, EXPORTS, find_locks, read_lock
from .project import Project

DEVELOPMENT = re.compile(
    r"(^|[^a-z])(dev|devel|develop|development|test|tests|testing|docs?|lint|ci|local|build|typing|mypy|optional"
    r"|extras?|constraints?|style|format|release|packaging|benchmark)([^a-z]|$)"
)
DEVELOPMENT_PART = re.compile(r"(dev|devel|develop|development|tests?|testing|docs?|lint|ci|typing|mypy)")
PRODUCTION = re.compile(r"(^|[^a-z])(prod|production|deploy|docker|server|heroku)([^a-z]|$)")
INCLUDE = re.compile(r"^\s*(?:-r|--requirement)[\s=]*([^\s\x00]+)", re.MULTILINE)
CONSTRAINT = re.compile(r"^\s*(?:-c|--constraint)[\s=]*([^\s\x00]+)", re.MULTILINE)
FOLDER = re.compile(
    r"^\s*(?:(?:-e|--editable)[\s=]+)?(?:file:)?(\.{1,2}(?:/[\w./-]*)?)(?:\[[\w,-]+\])?\s*(?:;.*)?$", re.MULTILINE
)
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
    """The proposed files or lock, why, and the distributions by their normalized names, with their specifiers.

    `file` is the answer: paths separated by spaces. `is_locked` is True if the distributions include
    those that others need. `refusal` is the error that prevents an adoption until the file exists;
    `needs_git` is True if git installs some. `folders` are the folders of the project that are
    installed, "." being the project itself.
    """

    file: str
    reason: str
    distributions: Mapping[str, str]
    is_locked: bool
    lock: str | None = None
    refusal: FleetError | None = None
    notes: tuple[str, ...] = ()
    needs_git: bool = False
    includes: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    wheels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def find_requirements(
    project: Project, installs: Installs | None = None, given: Mapping[str, str] | None = None
) -> Requirements:
    """Find the requirements; raise FleetError if there are none, or if several files have the same rank.

    `installs` is what the old Dockerfile installs; `given` are the user's answers.
    """
    _ = project.pyproject  # a broken one is an error in any case
    installs, given = installs or Installs(), given or {}
    chosen = split_paths(given.get("requirements_file", ""))
    locks = find_locks(project)
    export = next((name for name in EXPORTS if project.has(name)), None)
    if chosen:
        return _read_chosen(project, chosen, installs, given, locks)
    named = [lock for lock in installs.locks if lock in locks]
    if named:
        return _read_accepted(project, named[0], "the old Dockerfile installs it", installs, given)
    if not installs.files and locks:
        if len(locks) > 1:
            choices = " or ".join(f"--data requirements_file={path}" for path in locks)
            raise FleetError("ambiguous", f"there are several locks, {' and '.join(locks)}", f"pass {choices}")
        return _read_accepted(project, locks[0], "the lock of the project", installs, given)
    if installs.files:
        return _read(project, installs.files, "the old Dockerfile installs it", next(iter(locks), export))
    ranked = rank_files(project)
    if ranked:
        best = [path for path, rank, _ in ranked if rank == ranked[0][1]]
        if len(best) > 1:
            choices = " or ".join(f"--data requirements_file={path}" for path in best)
            raise FleetError(
                "ambiguous", f"several requirements files are equally likely: {', '.join(best)}", f"pass {choices}"
            )
        paths: tuple[str, ...] = (ranked[0][0],)
        reason = ranked[0][2]
        if server := _find_server_file(project, ranked):
            paths, reason = (*paths, server), f"{reason}, and {server} names the server"
        return _read(project, paths, reason, export)
    if export:
        return _from_lock(project, export)
    return _from_metadata(project)


def split_paths(text: str) -> tuple[str, ...]:
    """Return the paths of an answer that lists some."""
    return tuple(path for path in re.split(r"[\s,]+", text) if path)


def _read_chosen(
    project: Project, chosen: tuple[str, ...], installs: Installs, given: Mapping[str, str], locks: list[str]
) -> Requirements:
    """Read the files that the user names; raise FleetError if one is missing."""
    for path in chosen:
        if not (project.folder / path).is_file():
            raise FleetError("no-requirements", f"there is no file {path}", "name another as requirements_file")
    name = chosen[0].rsplit("/", 1)[-1]
    if len(chosen) == 1 and ACCEPTED.fullmatch(name):
        return _read_accepted(project, chosen[0], "given with --data", installs, given)
    return _read(project, chosen, "given with --data", locks[0] if locks else None)


def _read_accepted(
    project: Project, path: str, reason: str, installs: Installs, given: Mapping[str, str]
) -> Requirements:
    """Return the proposal for a lock that the template installs as it is."""
    extras, groups = find_parts(project, installs)
    extras = split_paths(given["extras"]) if "extras" in given else extras
    groups = split_paths(given["groups"]) if "groups" in given else groups
    lock = read_lock(project, path, extras, groups)
    refusal, notes, unknown = None, [], []
    unhashed = [*lock.from_git, *lock.folders]
    if path.endswith("poetry.lock") and unhashed:
        refusal = FleetError(
            "lock-without-hashes",
            f"{path} has packages of git or of folders, which have no hash: {', '.join(unhashed)}",
            "publish them to an index, or move the project to uv.lock",
        )
    if path.rsplit("/", 1)[-1].startswith("pylock") and lock.folders:
        notes.append(
            f"{path} has folders of the project, which the build does not have: export it without"
            f" {', '.join(lock.folders)} (uv export --no-emit-local)."
        )
    if lock.files:
        notes.append(f"{path} has packages of single files, which the build does not have: {', '.join(lock.files)}.")
    if path.endswith("uv.lock") and (lock.from_git or len(lock.indexes) > 1):
        what = [*([f"packages of git ({', '.join(lock.from_git)})"] if lock.from_git else [])]
        what += [f"packages of {index}" for index in lock.indexes[1:]]
        unknown.append(f"a mirror for {' and '.join(what)} in {path}: INDEX_URL stands for the first index only")
    folders = tuple(folder for folder in dict.fromkeys(lock.folders.values()) if folder not in ("", "."))
    return Requirements(
        path, reason, lock.distributions, True, path, refusal, tuple(notes), bool(lock.from_git), (),
        extras, groups, folders, tuple(unknown), lock.wheels,
    )  # fmt: skip


def rank_files(project: Project) -> list[tuple[str, int, str]]:
    """Return the requirements files, the likeliest first: path, rank and reason."""
    found = []
    for path in project.files:
        *folders, name = path.split("/")
        if len(folders) > 1 or (folders and folders[0] not in ("requirements", "reqs", "requirement")):
            continue
        is_named = re.fullmatch(r"([\w.-]*[._-])?(requirements|reqs)([._-][\w.-]*)?\.txt", name)
        if (is_named or (folders and name.endswith(".txt"))) and not DEVELOPMENT.search(path.lower()):
            found.append(path)
    included = {inner for path in found for inner in _includes(project, path)}

    def rank(path: str) -> tuple[int, str]:
        if PRODUCTION.search(path.lower()) and path not in included:
            return (
                2 if "requirements.txt" in found and "requirements.txt" not in included else 1,
                "its name is of production",
            )
        if path == "requirements.txt":
            return 1, "the usual name"
        return (4, "another file includes it") if path in included else (3, "the only one")

    return sorted(((path, *rank(path)) for path in found), key=lambda item: (item[1], item[0]))


def _find_server_file(project: Project, ranked: list[tuple[str, int, str]]) -> str | None:
    """Return the file that names a server, if the likeliest one names none."""
    names = [path for path, _, _ in ranked if {name for name, _ in read_requirements(project, path)} & SERVERS]
    included = {inner for path in names for inner in _includes(project, path)}
    return names[0] if names and ranked[0][0] not in (*names, *included) else None


def _includes(project: Project, path: str, pattern: re.Pattern[str] = INCLUDE) -> Iterator[str]:
    for inner in pattern.findall(project.read(path)):
        joined = (project.folder / path).parent.joinpath(inner).resolve()
        if joined.is_relative_to(project.folder):
            yield joined.relative_to(project.folder).as_posix()


def find_includes(project: Project, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files that requirements files include, directly or not, and that must be named.

    The build has the named files, and all of the folder of a file that is in one.
    """
    mounted = {path.rpartition("/")[0] for path in paths} - {""}
    found: list[str] = []
    waiting, seen = list(paths), set(paths)
    while waiting:
        path = waiting.pop(0)
        for inner in (*_includes(project, path), *_includes(project, path, CONSTRAINT)):
            if inner in seen or not project.has(inner):
                continue
            seen.add(inner)
            waiting.append(inner)
            if not any(inner.startswith(f"{folder}/") for folder in mounted):
                found.append(inner)
    return tuple(found)


def _read(project: Project, paths: tuple[str, ...], reason: str, lock: str | None) -> Requirements:
    everything = (*paths, *find_includes(project, paths))
    whole = "\n".join(project.read(path) for path in everything)
    text = re.sub(r"(^|\s)#.*$", "", whole, flags=re.MULTILINE)
    distributions = {name: value for path in paths for name, value in read_requirements(project, path)}
    is_locked = "--hash=" in text or bool(re.search(r"# +via\b|autogenerated by", whole))
    notes = []
    listed = " ".join(paths)
    if lock and len(paths) == 1:
        notes.append(f"{listed} must be the export of {lock}: export it again after each change of the lock.")
    if not distributions:
        notes.append(f"{listed} names no package.")
    folders = [(match[1].strip("/").removeprefix("./") or ".") for match in FOLDER.finditer(text)]
    if folders or re.search(r"@ file:|^\s*(-e|--editable)\s+(?!git|https?:)", text, re.MULTILINE):
        notes.append(
            f"{listed} installs a folder of the project (-e or .), which the build does not have: remove the line."
        )
    needs_git = bool(re.search(r"\bgit\+(https|ssh|http|file)", text))
    local = tuple(folder for folder in dict.fromkeys(folders) if folder == "." or folder in project.folders)
    return Requirements(
        listed, reason, distributions, is_locked, lock, None, tuple(notes), needs_git,
        find_includes(project, paths), (), (), local,
    )  # fmt: skip


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


def _from_lock(project: Project, lock: str) -> Requirements:
    """Return the proposal for a project whose lock must be exported first."""
    hint = f"run `{EXPORTS[lock]}`, commit requirements.txt, and run this again"
    refusal = FleetError("lock-not-exported", f"the template cannot install {lock}", hint)
    reason = f"the export of {lock}, to be made first"
    return Requirements("requirements.txt", reason, read_lock(project, lock).distributions, True, lock, refusal)


def _from_metadata(project: Project) -> Requirements:
    """Return the proposal for a project that names its requirements in its metadata, without a lock."""
    listed = project.table("project").get("dependencies")
    distributions: dict[str, str] = {}
    for line in listed if isinstance(listed, list) else []:
        distributions |= dict(parse_requirement(str(line)))
    parts = find_server_parts(project)
    for name, option in parts.items():
        keys = ("project", "optional-dependencies") if option == "--extra" else ("dependency-groups",)
        for line in project.table(*keys).get(name, ()):
            distributions |= dict(parse_requirement(str(line)))
    options = "".join(f" {option} {name}" for name, option in parts.items())
    poetry = project.table("tool", "poetry", "dependencies")
    distributions |= {canonicalize_name(str(name)): "" for name in poetry if str(name).lower() != "python"}
    for file in ("pyproject.toml", "setup.cfg", "setup.py"):
        if project.has(file) and (file != "pyproject.toml" or distributions or project.table("project")):
            lock, command = "uv.lock", "uv lock"
            if poetry:
                lock, command = "poetry.lock", "poetry lock"
            elif file != "pyproject.toml":
                lock = "requirements.txt"
                command = f"uv pip compile --universal --generate-hashes{options} {file} --output-file {lock}"
            refusal = FleetError(
                "no-lock", f"{file} has no lock file beside it", f"run `{command}`, commit {lock}, and run this again"
            )
            return Requirements(lock, f"the lock of {file}, to be made first", distributions, False, None, refusal)
    if project.has("Pipfile"):
        raise FleetError(
            "no-lock",
            "Pipfile has no lock file beside it",
            f"run `pipenv lock && {EXPORTS['Pipfile.lock']}`, and run this again",
        )
    raise FleetError(
        "no-requirements",
        f"there is neither a requirements file nor a lock in {project.folder.name}",
        "list what the service needs in requirements.txt, or name the file with --data requirements_file=PATH",
    )


def find_parts(project: Project, installs: Installs) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the extras and dependency groups to install: those of the old Dockerfile, and those that name a server."""
    extras, groups = project.extras, project.groups
    servers = find_server_parts(project)
    wanted_extras = [name for name in extras if installs.all_extras or name in installs.extras]
    wanted_extras += [name for name, option in servers.items() if option == "--extra"]
    wanted_groups = [name for name in groups if name in installs.groups]
    if installs.all_groups:
        wanted_groups += groups
    if installs.default_groups:
        wanted_groups += [
            name for name in project.default_groups if name in groups and name not in installs.without_groups
        ]
    wanted_groups += [name for name, option in servers.items() if option == "--group"]
    return (
        tuple(dict.fromkeys(name for name in wanted_extras if not DEVELOPMENT_PART.fullmatch(name.lower()))),
        tuple(dict.fromkeys(name for name in wanted_groups if not DEVELOPMENT.search(name.lower()))),
    )


def find_server_parts(project: Project) -> dict[str, str]:
    """Return the extras and dependency groups of the project that name a server, which production needs.

    The keys are their names, and the values the option by which uv takes them.
    """
    found = {}
    tables: list[tuple[str, Mapping[str, Any]]] = [
        ("--extra", project.table("project", "optional-dependencies")),
        ("--extra", project.table("tool", "poetry", "extras")),
        ("--group", project.table("dependency-groups")),
    ]
    tables += [
        ("--group", {name: list(project.table("tool", "poetry", "group", name, "dependencies"))})
        for name in project.table("tool", "poetry", "group")
    ]
    for option, table in tables:
        for name, listed in table.items():
            lines = [line for line in listed if isinstance(line, str)] if isinstance(listed, list) else []
            needed = {distribution for line in lines for distribution, _ in parse_requirement(line)}
            if needed & SERVERS and not DEVELOPMENT.search(str(name).lower()):
                found[str(name)] = option
    return found
