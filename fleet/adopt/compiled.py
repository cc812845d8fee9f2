"""Which distributions have no wheel for a version of Python, so that the build compiles them."""

import re
from collections.abc import Iterable

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from .packages import table
from .requirements import Requirements

PLATFORM = re.compile(r"any|linux_x86_64|manylinux\w*_x86_64")


def find_compiled(requirements: Requirements, python: str) -> list[str]:
    """Return the distributions that are compiled on a version of Python, such as "3.13".

    A lock lists the wheels. Without one, a table has the first version of well-known distributions
    that has a wheel for a version of Python.
    """
    found = []
    for name, specifier in requirements.distributions.items():
        wheels = requirements.wheels.get(name, ())
        if wheels:
            found += [] if _has_wheel(wheels, python) else [name]
        elif name in table()["wheels"] and (pinned := _pinned(specifier)):
            firsts = [first for version, first in table()["wheels"][name].items() if _minor(version) <= _minor(python)]
            found += [name] if firsts and pinned < max(map(Version, firsts)) else []
    return found


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def _has_wheel(names: Iterable[str], python: str) -> bool:
    """Return whether one of the wheels fits, or none is for this system: another package stands for it then."""
    is_for_others = True
    for name in names:
        try:
            tags = parse_wheel_filename(name)[3]
        except InvalidWheelFilename:
            return True
        for tag in tags:
            match = re.fullmatch(r"(cp|py)[23](\d*)", tag.interpreter)
            if not match or not PLATFORM.fullmatch(tag.platform):
                continue
            is_for_others = False
            if tag.interpreter[2] == "2":
                continue
            if match[1] == "py" or tag.abi == "none":
                return True
            number = int(match[2] or 0)
            if number == _minor(python) or (tag.abi == "abi3" and number <= _minor(python)):
                return True
    return is_for_others


def _pinned(specifier: str) -> Version | None:
    """Return the version that a specifier pins."""
    try:
        parts = list(SpecifierSet(specifier))
        return Version(parts[0].version) if len(parts) == 1 and parts[0].operator == "==" else None
    except (InvalidSpecifier, InvalidVersion):
        return None
