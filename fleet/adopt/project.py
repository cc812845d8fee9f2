"""The files of a project, read but never run."""

import ast
import functools
import os
import re
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import FleetError
from ..git import GitEnvironment, git_text

# Folders that no service runs from. Hidden folders are left out too.
NOT_READ = {"__pycache__", "env", "node_modules", "site-packages", "venv"}
NOT_RUN = {
    "test", "tests", "testing", "doc", "docs", "example", "extras", "examples", "benchmark", "benchmarks", "bench",
    "deploy", "deployment", "ansible", "terraform", "chart", "charts", "helm", "k8s", "kubernetes", "vagrant",
    "stuff", "contrib", "e2e", "cypress",
}  # fmt: skip
TEST_FILE = re.compile(r"(conftest|tests?|test_.*|.*_test)\.py")
# Modules that only packaging, tests and tools use.
TOOL_MODULES = {"setup.py", "noxfile.py", "fabfile.py", "tasks.py", "dodo.py", "conftest.py", "versioneer.py"}
# Larger files are data. In bytes.
LARGEST = 1_000_000


@dataclass(frozen=True, eq=False)
class Project:
    """A folder, the paths of its files relative to it, and the top of its git repository, if it is in one.

    The paths have slashes and are sorted. Files that git ignores are left out. In a uv workspace the
    folder is that of the workspace, `member` the folder of the service ("" if it is the workspace's
    root), `member_name` its name, and `packages` are the folders of the members that are installed as wheels.
    """

    folder: Path
    files: tuple[str, ...]
    repository: Path | None
    member: str = ""
    member_name: str = ""
    packages: tuple[str, ...] = ()

    def has(self, path: str) -> bool:
        return path in self._known

    @functools.cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.files)

    @functools.cached_property
    def folders(self) -> frozenset[str]:
        """All folders that contain a file, at any depth."""
        return frozenset(str(parent) for path in self.files for parent in PurePosixPath(path).parents)

    @functools.cache  # noqa: B019  # a process reads one project, and ends
    def read(self, path: str) -> str:
        """Return the text of a file; nothing if it is missing, very large, or a link out of the repository."""
        file = self.folder / path
        try:
            if not file.resolve().is_relative_to((self.repository or self.folder).resolve()):
                return ""
            if not file.is_file() or file.stat().st_size > LARGEST:
                return ""
            return file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    @functools.cache  # noqa: B019  # a process reads one project, and ends
    def parse(self, path: str) -> ast.Module | None:
        """Return the syntax tree of a Python file, or None if it is not valid for this Python."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in strings, which are the project's
            try:
                return ast.parse(self.read(path))
            except (SyntaxError, ValueError, RecursionError):
                return None

    @functools.cached_property
    def sources(self) -> tuple[str, ...]:
        """The Python files that may belong to the service: not tests, documentation or tools."""
        others = tuple(f"{folder}/" for folder in self.packages if folder != self.member)
        return tuple(
            path
            for path in self.files
            if path.endswith(".py")
            and path.startswith(f"{self.member}/" if self.member else "")
            and (self.member or not path.startswith(others))
            and is_run(path.removeprefix(self.own("")))
        )

    def own(self, name: str) -> str:
        """Return the path of a file of the service by its path in the service's folder."""
        return f"{self.member}/{name}" if self.member else name

    def find_named(self, name: str, depth: int = 3) -> list[str]:
        """Return the files of a name that may belong to the service, those at the top first."""
        found = [
            path
            for path in self.files
            if (path == name or path.endswith(f"/{name}"))
            and path.startswith(f"{self.member}/" if self.member else "")
            and path.removeprefix(self.own("")).count("/") <= depth
            and not any(folder in NOT_RUN for folder in path.removeprefix(self.own("")).split("/")[:-1])
        ]
        return sorted(found, key=lambda path: (path.count("/"), path))

    @functools.cached_property
    def pyproject(self) -> dict[str, Any]:
        """The content of the service's pyproject.toml; raise FleetError if it is not TOML."""
        return self.read_toml(self.own("pyproject.toml"))

    def read_toml(self, path: str) -> dict[str, Any]:
        """Return the content of a TOML file, nothing if it is missing; raise FleetError if it is not TOML."""
        file = (self.folder / path).resolve()
        if not file.is_relative_to((self.repository or self.folder).resolve()) or not file.is_file():
            return {}
        try:
            return tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise FleetError("not-toml", f"{path} is not TOML: {reason}", "correct it, and run this again") from error

    def table(self, *keys: str) -> dict[str, Any]:
        """Return a table of pyproject.toml, such as table("tool", "poetry"); an empty one if it is missing."""
        found: Any = self.pyproject
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    @functools.cached_property
    def extras(self) -> list[str]:
        """The names of the project's extras."""
        return [
            *map(str, self.table("project", "optional-dependencies")),
            *map(str, self.table("tool", "poetry", "extras")),
        ]

    @functools.cached_property
    def groups(self) -> list[str]:
        """The names of the project's dependency groups."""
        return [*map(str, self.table("dependency-groups")), *map(str, self.table("tool", "poetry", "group"))]

    @functools.cached_property
    def default_groups(self) -> list[str]:
        """The dependency groups that uv and Poetry install unless they are told otherwise."""
        named = self.table("tool", "uv").get("default-groups")
        found = [str(name) for name in named] if isinstance(named, list) else []
        found += map(str, self.table("dependency-groups")) if named == "all" else []
        poetry = self.table("tool", "poetry", "group")
        return found + [str(name) for name, group in poetry.items() if not group.get("optional")]

    def module(self, path: str) -> tuple[str, str]:
        """Return the folder that must be on Python's path to import a file, and the name of its module.

        The folder is "" for the project's folder, which is on the path in the image, as is src.
        """
        parts = list(PurePosixPath(path).with_suffix("").parts)
        for root in self.roots[2:]:
            if path.startswith(f"{root}/"):
                name = parts[len(PurePosixPath(root).parts) :]
                return root, ".".join(name[:-1] if name[-1] == "__init__" else name)
        depth = len(parts) - 1
        while depth and self.has("/".join([*parts[:depth], "__init__.py"])):
            depth -= 1
        root = "/".join(parts[:depth])
        if root not in ("", "src"):
            root = "src" if parts[0] == "src" else ""  # a package without __init__.py
        name = parts[len(PurePosixPath(root).parts) :]
        return root, ".".join(name[:-1] if name[-1] == "__init__" else name)

    @functools.cached_property
    def roots(self) -> tuple[str, ...]:
        """The folders that must be on Python's path: "" and src, which are, then those of Django projects."""
        members = dict.fromkeys([*([self.member] if self.member else []), *self.packages])
        found = [
            root for folder in members for root in (f"{folder}/src", folder) if root == folder or root in self.folders
        ]
        found += [str(PurePosixPath(file).parent) for file in self.sources if file.endswith("/manage.py")]
        for file in self.sources:
            if file.rsplit("/", 1)[-1] in ("manage.py", "wsgi.py", "asgi.py"):
                match = re.search(r"DJANGO_SETTINGS_MODULE['\"],\s*['\"](\w+)\.(\w+)", self.read(file))
                if match and not any(f"{root}{match[1]}" in self.folders for root in ("", "src/")):
                    inner = f"/{match[1]}/{match[2]}"
                    found += [
                        path.partition(inner)[0]
                        for path in self.sources
                        if path.endswith((f"{inner}.py", f"{inner}/__init__.py"))
                    ]
        return "", "src", *dict.fromkeys(root for root in found if root not in ("", "src", "."))

    @functools.cached_property
    def package_roots(self) -> frozenset[str]:
        """The folders of Python's path whose modules are installed as wheels."""
        return frozenset(root for folder in self.packages for root in (folder, f"{folder}/src"))

    def find_module(self, name: str) -> tuple[str, str] | None:
        """Return the folder for Python's path and the file of a module, or None if the project has no such module."""
        path = name.replace(".", "/")
        for root in self.roots:
            prefix = f"{root}/" if root else ""
            for file in (f"{prefix}{path}.py", f"{prefix}{path}/__init__.py"):
                if self.has(file):
                    return root, file
        return None


def is_run(path: str) -> bool:
    """Return whether a file may belong to the running service, by its path."""
    *folders, name = path.split("/")
    if any(folder in NOT_RUN or folder.startswith(".") for folder in folders):
        return False
    return not TEST_FILE.fullmatch(name) and not (not folders and name in TOOL_MODULES)


def open_project(folder: Path, environment: GitEnvironment) -> Project:
    """List the files of a folder, by git if it is in a repository; raise FleetError if it is not a folder."""
    if not folder.is_dir():
        raise FleetError("not-a-folder", f"{folder} is not a folder", "name the folder of the project")
    folder = folder.resolve()
    try:
        top = git_text(environment, folder, "rev-parse", "--show-toplevel").rstrip("\n")
        listed = git_text(environment, folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except FleetError:
        return Project(folder, tuple(sorted(_walk(folder, ""))), None)
    files = {path for path in listed.split("\0") if path and _is_read(path) and (folder / path).is_file()}
    return Project(folder, tuple(sorted(files)), Path(top))


def _is_read(path: str) -> bool:
    return not any(part in NOT_READ or part.startswith(".") for part in path.split("/")[:-1])


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_file():
                yield prefix + entry.name
                continue
            is_read = entry.is_dir(follow_symlinks=False) and _is_read(f"{entry.name}/")
            if is_read and not Path(entry.path, "pyvenv.cfg").exists():
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
