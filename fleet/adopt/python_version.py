"""The version of Python."""

import re
from collections.abc import Callable, Iterator, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from ..errors import FleetError
from .dockerfile import Image
from .project import Project

# The choices of the question python_version, and the one that is preferred. A test compares them.
CHOICES = ("3.11", "3.12", "3.13", "3.14", "3.15")
PREFERRED = "3.13"


def find_python(
    project: Project, image: Image | None, compiled: Callable[[str], Sequence[str]] = lambda _: ()
) -> tuple[str, str]:
    """Return the version and the reason; raise FleetError if no version of the template fits.

    The version that is closest to 3.13 is taken: packages have wheels for it. If the project
    runs on a version, that one is taken, or the next newer one if the template does not have it.
    `compiled` returns the packages that have no wheel for a version.
    """
    limits = list(_limits(project))
    fitting = [choice for choice in CHOICES if all(_accepts(specifier, choice) for _, specifier in limits)]
    if not fitting:
        named = ", ".join(f"{specifier} ({where})" for where, specifier in limits)
        raise FleetError(
            "python-not-offered",
            f"the project needs Python {named}, and the template has {CHOICES[0]} to {CHOICES[-1]}",
            "make the project run on one of these first",
        )
    limit = "".join(f"; {where} asks for {specifier}" for where, specifier in limits)
    pins = list(_pins(project, image))
    if pins:
        where, pinned = pins[0]
        newer = [choice for choice in fitting if _key(choice) >= _key(pinned)]
        if pinned in fitting:
            return pinned, f"{where} has it"
        if newer:
            return newer[0], f"{where} has {pinned}, which the template does not offer: the next newer one{limit}"
        return fitting[-1], f"{where} has {pinned}, which does not fit: the newest one that does{limit}"
    nearest = sorted(fitting, key=lambda choice: (abs(_key(choice) - _key(PREFERRED)), -_key(choice)))
    version = min(nearest, key=lambda choice: len(compiled(choice)))
    if version != nearest[0]:
        return version, f"{', '.join(compiled(nearest[0]))} would be compiled on {nearest[0]}{limit}"
    return version, f"the closest one to {PREFERRED} that fits{limit}" if limit else "nothing asks for another one"


def _key(version: str) -> int:
    return int(version.split(".")[1])


def _accepts(specifier: SpecifierSet, version: str) -> bool:
    """Return whether some patch release of a version is accepted, such as 3.11.4 by >=3.11.2."""
    return any(specifier.contains(f"{version}.{patch}") for patch in (0, 4, 9, 20))


def _limits(project: Project) -> Iterator[tuple[str, SpecifierSet]]:
    """Yield what the project says of the versions that it accepts."""
    lock = project.read_toml("uv.lock") if project.has("uv.lock") else {}
    poetry = project.table("tool", "poetry", "dependencies").get("python")
    setup = re.search(r"^python_requires\s*=\s*(.+)$", project.read("setup.cfg"), re.MULTILINE)
    legacy = re.search(r"python_requires\s*=\s*['\"]([^'\"]+)['\"]", project.read("setup.py"))
    for where, text in (
        ("requires-python", project.table("project").get("requires-python")),
        ("pyproject.toml", _translate(poetry) if isinstance(poetry, str) else None),
        ("setup.cfg", setup[1].strip() if setup else None),
        ("setup.py", legacy[1] if legacy else None),
        ("uv.lock", lock.get("requires-python")),
    ):
        if isinstance(text, str):
            try:
                yield where, SpecifierSet(text)
            except InvalidSpecifier:
                continue


def _translate(constraint: str) -> str:
    """Write a constraint of Poetry, such as ^3.9 or 3.11.*, as PEP 440 does."""
    written = []
    for part in constraint.split("||")[0].replace(" ", "").split(","):
        match = re.fullmatch(r"\^(\d+)((?:\.\d+)*)", part)
        if match:
            part = f">={match[1]}{match[2]},<{int(match[1]) + 1}"
        elif re.fullmatch(r"~\d+\.\d+", part):
            part = f"=={part[1:]}.*"
        elif part.startswith("~") and not part.startswith("~="):
            part = f"~={part[1:]}"
        elif re.fullmatch(r"\d+\.\d+", part):
            part = f"=={part}.*"
        elif part[:1].isdigit():
            part = f"=={part}"
        written.append(part)
    return ",".join(part for part in written if part != "*")


def _pins(project: Project, image: Image | None) -> Iterator[tuple[str, str]]:
    """Yield the versions that the project runs on, the most reliable first."""
    if image and image.python:
        yield image.path, image.python
    for file, pattern in (
        (".python-version", r"(?:cpython-|python-)?(3\.\d+)"),
        ("runtime.txt", r"python-(3\.\d+)"),
        ("Pipfile", r"(?s).*python_(?:full_)?version\s*=\s*['\"](3\.\d+)"),
        (".tool-versions", r"(?s)(?:.*\n)?python (3\.\d+)"),
    ):
        match = re.match(pattern, project.read(file).strip())
        if match:
            yield file, match[1]
