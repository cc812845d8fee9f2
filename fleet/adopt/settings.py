"""The settings of the project: Django's modules and classes of pydantic, read without running them."""

import ast
import functools
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from .evidence import Evidence
from .project import Project

NAMED = re.compile(r"DJANGO_SETTINGS_MODULE['\"]\s*[,\]]\s*=?\s*['\"]([\w.]+)")
DEVELOPMENT = re.compile(r"(^|[^a-z])(dev|develop|development|test|tests|testing|local|debug|ci)([^a-z]|$)")
PLACE = "/app"


@dataclass(frozen=True, eq=False)
class Settings:
    """The modules of the settings: that of production first, then those that it imports."""

    project: Project
    files: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    @functools.cached_property
    def trees(self) -> list[tuple[str, ast.Module]]:
        return [(path, tree) for path in self.files if (tree := self.project.parse(path)) is not None]

    @property
    def text(self) -> str:
        """The source of all modules."""
        return "\n".join(self.project.read(path) for path in self.files)

    def find_plain(self, name: str) -> tuple[str, ast.expr] | None:
        """Return the file and the value of a setting that is assigned in any case, or outside of debugging."""
        for path, tree in self.trees:
            body = list(tree.body)
            for statement in tree.body:
                if isinstance(statement, ast.If):
                    test = ast.unparse(statement.test)
                    body += statement.body if test == "not DEBUG" else statement.orelse if test == "DEBUG" else []
            found = [value for target, value in _assigned(body) if target == name]
            if found:
                return path, found[-1]
        return None

    def find(self, name: str) -> tuple[str, ast.expr] | None:
        """Return the file and the value of a setting: the last assignment, below `if` only if no other is there."""
        for path, tree in self.trees:
            plain = [value for target, value in _assigned(tree.body) if target == name]
            if plain:
                return path, plain[-1]
            below = [value for target, value in _assigned(list(ast.walk(tree))) if target == name]
            if below:
                return path, below[-1]
        return None

    def path_of(self, name: str) -> str | None:
        """Return the place in the new image that a setting names, or None if it cannot be told."""
        found = self.find(name)
        return self.place(found[1], found[0]) if found else None

    def place(self, node: ast.expr, file: str, depth: int = 0) -> str | None:
        """Return the absolute path in the new image of an expression such as BASE_DIR / "media"."""
        text = self._evaluate(node, file, depth)
        if not text:
            return None
        return posixpath.normpath(posixpath.join(PLACE, text)) if "://" not in text else None

    def _evaluate(self, node: ast.expr, file: str, depth: int = 0) -> str | None:
        if depth > 12:
            return None

        def inner(other: ast.expr) -> str | None:
            return self._evaluate(other, file, depth + 1)

        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            if node.id == "__file__":
                return f"{PLACE}/{file}"
            own = dict(_assigned(self.project.parse(file).body)) if self.project.parse(file) else {}  # type: ignore[union-attr]
            if node.id in own and own[node.id] is not node:
                return inner(own[node.id])
            found = self.find(node.id)
            return self._evaluate(found[1], found[0], depth + 1) if found and found[1] is not node else None
        if isinstance(node, ast.BinOp):
            left, right = inner(node.left), inner(node.right)
            if isinstance(node.op, ast.Div) and left and right:
                return posixpath.join(left, right)
            if isinstance(node.op, ast.Add) and left is not None and right is not None:
                return left + right
            if isinstance(node.op, ast.Sub) and left and isinstance(node.right, ast.Constant):
                steps = node.right.value if isinstance(node.right.value, int) else 0
                return _above(left, steps)
            return None
        if isinstance(node, ast.Attribute):
            return _above(value, 1) if node.attr == "parent" and (value := inner(node.value)) else None
        if isinstance(node, ast.Subscript) and read_name(node):
            return self.variables.get(read_name(node))
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
            value = inner(node.value.value)
            number = node.slice.value if isinstance(node.slice, ast.Constant) else None
            return _above(value, number + 1) if value and isinstance(number, int) else None
        if isinstance(node, ast.JoinedStr):
            parts = [inner(part.value if isinstance(part, ast.FormattedValue) else part) for part in node.values]
            return "".join(map(str, parts)) if all(part is not None for part in parts) else None
        return self._evaluate_call(node, file, depth) if isinstance(node, ast.Call) else None

    def _evaluate_call(self, node: ast.Call, file: str, depth: int) -> str | None:
        def inner(other: ast.expr) -> str | None:
            return self._evaluate(other, file, depth + 1)

        name = called(node)
        function = node.func
        if is_read(node):
            value = self.variables.get(read_name(node))
            if value:
                return value
            default = read_default(node)
            return inner(default) if default is not None else None
        if name in ("join", "joinpath"):
            start = [function.value] if name == "joinpath" and isinstance(function, ast.Attribute) else []
            parts = [inner(argument) for argument in (*start, *node.args)]
            return posixpath.join(*map(str, parts)) if parts and all(part is not None for part in parts) else None
        if name == "dirname" and node.args:
            value = inner(node.args[0])
            return _above(value, 1) if value else None
        if name in ("str", "Path", "abspath", "realpath", "fspath", "normpath") and node.args:
            parts = [inner(argument) for argument in node.args]
            return posixpath.join(*map(str, parts)) if all(part is not None for part in parts) else None
        if name in ("resolve", "absolute", "as_posix", "expanduser") and isinstance(function, ast.Attribute):
            return inner(function.value)
        # environ.Path of django-environ: ROOT_DIR("media"), ROOT_DIR.path("media")
        base = function.value if isinstance(function, ast.Attribute) and name == "path" else function
        if isinstance(base, ast.Name) and base.id.isupper():
            start_text = inner(base)
            parts = [inner(argument) for argument in node.args]
            if start_text and all(part is not None for part in parts):
                return posixpath.join(start_text, *map(str, parts))
        return None


def _above(path: str, steps: int) -> str:
    found = PurePosixPath(posixpath.normpath(posixpath.join(PLACE, path)))
    for _ in range(steps):
        found = found.parent
    return str(found)


def _assigned(nodes: list[ast.AST] | list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
                elif isinstance(target, ast.Subscript) and "config" in ast.unparse(target.value):
                    name = target.slice.value if isinstance(target.slice, ast.Constant) else None
                    if isinstance(name, str):  # app.config["UPLOAD_FOLDER"] = …
                        yield name, node.value


def called(call: ast.Call) -> str:
    """Return the last name of what is called: get of os.environ.get(…)."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def read_name(node: ast.AST) -> str:
    """Return the variable of the environment that an expression reads, "" if it reads none."""
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript):
        key = (
            node.slice
            if isinstance(node.ctx, ast.Load) and re.fullmatch(r"(os\.)?environ", ast.unparse(node.value))
            else None
        )
    elif isinstance(node, ast.Call) and is_read(node):
        key = node.args[0] if node.args else None
    name = key.value if isinstance(key, ast.Constant) else None
    return name if isinstance(name, str) and re.fullmatch(r"[A-Z][A-Z0-9_]*", name) else ""


def is_read(call: ast.Call) -> bool:
    """Return whether a call reads a variable of the environment."""
    return bool(
        re.fullmatch(
            r"(os\.)?environ\.get|(os\.)?getenv|env|config|env\.\w+|(get|require)_env(_\w+)?|get_required_env",
            ast.unparse(call.func),
        )
    )


def read_default(call: ast.Call) -> ast.expr | None:
    """Return the default of a call that reads a variable, or None."""
    found = next((keyword.value for keyword in call.keywords if keyword.arg == "default"), None)
    return found or (call.args[1] if len(call.args) > 1 else None)


def has_default(node: ast.AST) -> bool:
    """Return whether an expression that reads a variable does without it."""
    if isinstance(node, ast.Subscript):
        return False
    if not isinstance(node, ast.Call):
        return True
    function = ast.unparse(node.func)
    return read_default(node) is not None or bool(re.search(r"environ\.get$|getenv$|read_env$", function))


def find_module(evidence: Evidence, variables: dict[str, str]) -> tuple[str, str]:
    """Return the name of Django's settings module for production, and where it is named; "" if there is none."""
    if variables.get("DJANGO_SETTINGS_MODULE"):
        return variables["DJANGO_SETTINGS_MODULE"], "the old container files"
    files = sorted(
        (path for path in evidence.project.sources if NAMED.search(evidence.project.read(path))),
        key=lambda path: (path.rsplit("/", 1)[-1] not in ("wsgi.py", "asgi.py"), not path.endswith("manage.py"), path),
    )
    for path in files:
        match = NAMED.search(evidence.project.read(path))
        if match:
            return match[1], path
    return "", ""


def read_settings(evidence: Evidence, variables: dict[str, str]) -> Settings:
    """Return the settings: Django's of production, or else all modules named so."""
    project = evidence.project
    module, _ = find_module(evidence, variables)
    found = project.find_module(module) if module else None
    if not found:
        named = [
            path
            for path in project.sources
            if re.search(r"(settings|config)[^/]*(/[^/]+)?\.py$", path) and not DEVELOPMENT.search(path)
        ]
        files = sorted(named, key=lambda path: ("prod" not in path, path.count("/"), path))
        return Settings(project, tuple(files), variables)
    files = [found[1]]
    for path in files:  # grows
        for inner in _imports_all(project, path):
            if inner not in files and len(files) < 12:
                files.append(inner)
    return Settings(project, tuple(files), variables)


def _imports_all(project: Project, path: str) -> Iterator[str]:
    """Yield the modules of the project whose names a module takes by `from … import *`, or includes."""
    tree = project.parse(path)
    package = project.module(path)[1].split(".")
    if not path.endswith("__init__.py"):
        package = package[:-1]
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            above = package[: len(package) - node.level + 1] if node.level else []
            found = project.find_module(".".join([*above, *(node.module or "").split(".")]).strip("."))
            if found:
                yield found[1]
