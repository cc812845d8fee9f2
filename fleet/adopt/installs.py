"""What the commands of the old Dockerfile install: locks, requirements files, the project itself."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .project import Project
from .words import expand, split_shell

# Files for development; the old image may install them in a stage that is not of production.
DEVELOPMENT = re.compile(r"(^|[^a-z])(dev|test|tests|local|docs?|lint|ipython|debug)([^a-z]|$)")


@dataclass(frozen=True)
class Installs:
    """The locks and requirements files that commands install, and the options that they name.

    `with_project` is True if the project itself is installed, `package` the member of a uv workspace.
    """

    locks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    all_extras: bool = False
    all_groups: bool = False
    default_groups: bool = False
    without_groups: tuple[str, ...] = ()
    with_project: bool = False
    folders: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


def read_installs(project: Project, commands: Iterable[str], variables: dict[str, str] | None = None) -> Installs:
    """Read the RUN commands of a Dockerfile."""
    locks: list[str] = []
    files: list[str] = []
    extras: list[str] = []
    groups: list[str] = []
    without: list[str] = []
    folders: list[str] = []
    packages: list[str] = []
    flags: set[str] = set()
    for words in _split(commands, variables or {}):
        tool, action = _find_action(words)
        if tool == "uv" and action in ("sync", "export"):
            locks.append("uv.lock")
            extras += _values(words, ("--extra",))
            groups += _values(words, ("--group", "--only-group"))
            without += _values(words, ("--no-group",))
            packages += _values(words, ("--package",))
            flags |= {word for word in words if word in ("--all-extras", "--all-groups")}
            if not {"--no-default-groups", "--only-group"} & set(words):
                flags.add("default groups")
            if action == "sync" and not {"--no-install-project", "--no-install-workspace"} & set(words):
                flags.add("project")
        elif tool == "poetry" and action in ("install", "sync", "export"):
            locks.append("poetry.lock")
            extras += _values(words, ("--extras", "-E"))
            groups += _values(words, ("--with", "--only"))
            without += _values(words, ("--without",))
            if "--all-extras" in words:
                flags.add("--all-extras")
            if not _values(words, ("--only",)):
                flags.add("default groups")
            if action != "export" and "--no-root" not in words:
                flags.add("project")
        elif tool in ("pip", "pip3"):
            for name in _values(words, ("-r", "--requirement"), split=False):
                inside = _find_inside(project, name)
                if inside and inside.endswith(".txt") and not DEVELOPMENT.search(inside):
                    files.append(inside)
            for word in words[1:]:
                match = re.fullmatch(r"(\.|\./|/\w+|\./[\w./-]+)(\[([\w,-]+)\])?", word)
                if match and match[1] in (".", "./", "/app", "/code", "/src", f"/{project.folder.name}"):
                    flags.add("project")
                    extras += (match[3] or "").split(",")
                elif match and (inside := match[1].strip("./")) in project.folders:
                    folders.append(inside)
    return Installs(
        tuple(dict.fromkeys(locks)),
        tuple(dict.fromkeys(files)),
        tuple(dict.fromkeys(name for name in extras if name)),
        tuple(dict.fromkeys(name for name in groups if name and name != "main")),
        "--all-extras" in flags,
        "--all-groups" in flags,
        "default groups" in flags,
        tuple(dict.fromkeys(without)),
        "project" in flags,
        tuple(dict.fromkeys(folders)),
        tuple(dict.fromkeys(packages)),
    )


def _split(commands: Iterable[str], variables: dict[str, str]) -> Iterator[list[str]]:
    for text in commands:
        text = re.sub(r"\$\([^()]*\)", "", text)  # what a condition adds
        for words in split_shell(text):
            yield [expand(word, variables) for word in words]


def _find_action(words: list[str]) -> tuple[str, str]:
    """Return the installer that a command calls, and its action; two empty strings if it calls none."""
    names = [word.rsplit("/", 1)[-1] for word in words]
    for position, name in enumerate(names):
        rest = [word for word in words[position + 1 :] if not word.startswith("-")]
        if name in ("uv", "poetry") and rest[:1] and rest[0] in ("sync", "export", "install"):
            return name, rest[0]
        if name == "pip-install":  # a script of the project
            return "pip", "install"
        if name in ("pip", "pip3") and rest[:1] and rest[0] in ("install", "wheel"):
            return "pip", rest[0]
    return "", ""


def _values(words: list[str], names: tuple[str, ...], split: bool = True) -> list[str]:
    """Return the values of options, which may be lists."""
    found = []
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            found.append(value if equals else "".join(words[position + 1 : position + 2]))
        elif len(word) > 2 and word[:2] in names and not word.startswith("--"):
            found.append(word[2:])
    return [part for value in found for part in re.split(r"[\s,]+", value.strip("\"'"))] if split else found


def _find_inside(project: Project, name: str) -> str:
    """Return the path in the project of a file of the old image, "" if the project does not have it."""
    parts = name.strip("\"'").removeprefix("./").strip("/").split("/")
    paths = ["/".join(parts[start:]) for start in range(len(parts))]
    same = [path for path in project.files if path.count("/") == 1 and path.endswith(f"/{parts[-1]}")]
    return next((path for path in paths if project.has(path)), same[0] if len(same) == 1 else "")
