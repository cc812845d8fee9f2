"""Whether a wheel of the project can be built, and of which files."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from .project import NOT_RUN, Project, is_run

LEGAL = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|AUTHORS)[\w.-]*", re.IGNORECASE)
NOT_IN_WHEEL = ("setup.py", "noxfile.py", "tasks.py", "conftest.py")
FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


def find_package(project: Project, folder: str | None = None) -> tuple[str, ...]:
    """Return the folders and modules of a project's wheel, relative to the project's folder.

    Nothing is returned if no wheel can be built: no build system, or no package that it would find.
    `folder` is another folder than the service's.
    """
    folder = project.member if folder is None else folder
    prefix = f"{folder}/" if folder else ""
    pyproject = project.read_toml(f"{prefix}pyproject.toml") if project.has(f"{prefix}pyproject.toml") else {}
    setup = project.read(f"{prefix}setup.py")
    has_setup = bool(re.search(r"\bsetup\(", setup))
    backend = str(_table(pyproject, "build-system").get("build-backend", "setuptools"))
    if "build-system" not in pyproject and not has_setup:
        return ()
    if _table(pyproject, "tool", "poetry").get("package-mode") is False:
        return ()
    if _table(pyproject, "tool", "uv").get("package") is False:
        return ()
    files = [path.removeprefix(prefix) for path in project.files if path.startswith(prefix)]
    configured = [path for path in _configured(pyproject, backend) if _exists(path, files)]
    if configured:
        return tuple(dict.fromkeys(configured))
    named = _table(pyproject, "project").get("name") or _table(pyproject, "tool", "poetry").get("name")
    match = re.search(r"\bname\s*=\s*['\"]([\w.-]+)", setup or project.read(f"{prefix}setup.cfg"))
    name = re.sub(r"[-.]+", "_", str(named or (match[1] if match else ""))).lower()
    if any(path.startswith("src/") and path.endswith(".py") for path in files):
        return ("src",)
    for path in (name, f"{name}.py"):
        if name and _exists(path, files) and (path.endswith(".py") or _exists(f"{path}/__init__.py", files)):
            return (path,)
    if "setuptools" not in backend:
        return ()
    return tuple(_discover(files)) if has_setup or len(list(_discover(files))) == 1 else ()


def _discover(files: list[str]) -> Iterator[str]:
    """Yield the packages at the top that setuptools finds."""
    for path in files:
        if path.count("/") == 1 and path.endswith("/__init__.py"):
            name = path.partition("/")[0]
            if name not in NOT_RUN and not name.startswith(("test", "doc")):
                yield name


def _table(content: dict[str, Any], *keys: str) -> dict[str, Any]:
    found: Any = content
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _exists(path: str, files: Iterable[str]) -> bool:
    return any(file == path or file.startswith(f"{path}/") for file in files)


def _configured(pyproject: dict[str, Any], backend: str) -> Iterator[str]:
    """Yield the packages that the configuration of the build system names."""
    if "hatchling" in backend:
        wheel = _table(pyproject, "tool", "hatch", "build", "targets", "wheel")
        for key in ("packages", "only-include", "include"):
            yield from _clean(wheel.get(key))
        yield from _clean(list(_table(wheel, "force-include")))
    elif "poetry" in backend:
        listed = _table(pyproject, "tool", "poetry").get("packages")
        for package in listed if isinstance(listed, list) else []:
            if isinstance(package, dict) and "include" in package:
                yield from _clean(["/".join(filter(None, [str(package.get("from", "")), str(package["include"])]))])
    elif "setuptools" in backend:
        settings = _table(pyproject, "tool", "setuptools")
        listed = settings.get("packages")
        if isinstance(listed, list):
            yield from _clean([str(name).partition(".")[0] for name in listed])
        find = _table(settings, "packages", "find")
        where = find.get("where")
        for name in where if isinstance(where, list) else []:
            if str(name).strip("./"):
                yield from _clean([name])
        include = find.get("include")
        if not where and isinstance(include, list):
            yield from _clean([re.split(r"[.*]", str(name))[0] for name in include])
        yield from _clean([f"{name}.py" for name in settings.get("py-modules") or ()])
    elif "uv_build" in backend:
        settings = _table(pyproject, "tool", "uv", "build-backend")
        root = str(settings.get("module-root", "src"))
        names = settings.get("module-name") or []
        names = names if isinstance(names, list) else [names]
        default = re.sub(r"[-.]+", "_", str(_table(pyproject, "project").get("name", ""))).lower()
        for name in names or [default]:
            yield from _clean(["/".join(filter(None, [root, str(name).partition(".")[0]]))])
    elif "flit" in backend:
        name = _table(pyproject, "tool", "flit", "module").get("name")
        if name:
            yield from _clean([name, f"src/{name}", f"{name}.py"])


def _clean(values: object) -> Iterator[str]:
    for value in values if isinstance(values, list) else []:
        path = re.sub(r"/?\*.*$", "", str(value)).removeprefix("./").strip("/")
        if FILE.fullmatch(path):
            yield path


def find_package_files(project: Project) -> list[str]:
    """Return what the wheel of the project is built from, beside pyproject.toml."""
    package = find_package(project)
    found = ["src" if path.startswith("src/") else path for path in package]
    metadata, poetry = project.table("project"), project.table("tool", "poetry")
    named: list[object] = [metadata.get("readme"), poetry.get("readme"), metadata.get("license")]
    named += _as_list(metadata.get("license-files")) + _as_list(poetry.get("readme"))
    dynamic = project.table("tool", "setuptools", "dynamic")
    named += [name for value in dynamic.values() if isinstance(value, dict) for name in _as_list(value.get("file"))]
    named += [project.table("tool", "hatch", "version").get("path")]
    hook = project.table("tool", "hatch", "build", "hooks", "custom")
    named += (
        [hook.get("path", "hatch_build.py")] if "custom" in project.table("tool", "hatch", "build", "hooks") else []
    )
    named += [project.table("tool", "poetry", "build").get("script")]
    setup = project.read(project.own("setup.py")) + project.read(project.own("setup.cfg"))
    named += re.findall(r"open\(\s*['\"]([\w./-]+)['\"]", setup) + re.findall(r"=\s*file:\s*([\w./-]+)", setup)
    named += re.findall(r"['\"]((?:README|CHANGELOG|VERSION)[\w.-]*)['\"]", setup)
    for value in named:
        name = value.get("file") if isinstance(value, dict) else value
        text = str(name or "").removeprefix("./")
        if any(character in text for character in "*?["):
            found += [path for path in project.files if "/" not in path and LEGAL.fullmatch(path)]
        elif text and project.has(text) and FILE.fullmatch(text):
            found.append(text)
    found += [name for name in ("setup.py", "setup.cfg", "MANIFEST.in") if project.has(name)]
    tops = tuple(f"{path}/" for path in found)
    return [path for path in dict.fromkeys(found) if not path.startswith(tops) and path != "pyproject.toml"]


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value] if isinstance(value, str) else []


def has_all_data(project: Project) -> bool:
    """Return whether the wheel contains the files of the packages that are not Python.

    setuptools leaves them out unless it is told otherwise.
    """
    backend = str(project.table("build-system").get("build-backend", "setuptools"))
    if "setuptools" not in backend:
        return True
    setup = project.read(project.own("setup.py")) + project.read(project.own("setup.cfg"))
    if project.has(project.own("MANIFEST.in")) or "package_data" in setup:
        return True
    if project.table("tool", "setuptools", "package-data") or "setuptools-scm" in str(project.table("build-system")):
        return True
    tops = tuple(f"{project.own(path)}/" for path in find_package(project))
    ignored = re.compile(r".*(\.pyi?|\.typed|\.md|\.rst|\.po|\.c|\.pyx)")
    return not any(path.startswith(tops) and is_run(path) and not ignored.fullmatch(path) for path in project.files)


def leaves_package(project: Project) -> bool:
    """Return whether a module looks for files beside its package, by the place of its own file."""
    for path in project.sources:
        text = project.read(path)
        if path not in NOT_IN_WHEEL and re.search(
            r"['\"]pyproject\.toml['\"]|resources\.files\([^()]*\)\.parent", text
        ):
            return True
        if "__file__" not in text:
            continue
        root, _ = project.module(path)
        depth = path.removeprefix(f"{root}/" if root else "").count("/") + 1
        for line in text.splitlines():
            if "__file__" in line:
                steps = line.count(".parent") + line.count("dirname") + line.count("..") + line.count("pardir")
                steps += sum(int(number) for number in re.findall(r"parents\[(\d+)\]", line))
                if steps >= depth:
                    return True
    return False
