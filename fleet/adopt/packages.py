"""The Debian packages to build and to run with."""

import functools
import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from .evidence import Evidence
from .requirements import Requirements

COMPILER = re.compile(r"(?<![\w-])(gcc|g\+\+|build-essential|build-base|clang)(?![\w+-])")


@functools.cache
def table() -> dict[str, Any]:
    """Return the content of debian-packages.toml."""
    return tomllib.loads(files(__package__).joinpath("debian-packages.toml").read_text(encoding="utf-8"))


def find_packages(
    evidence: Evidence, requirements: Requirements, compiled: Iterable[str] = ()
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Return the packages to build, those to run, with the reason for each, and what could not be told.

    `compiled` are the distributions that have no wheel.
    """
    build: dict[str, str] = {}
    runtime: dict[str, str] = {}
    unknown: list[str] = []
    for name in requirements.distributions:
        needs = table()["distributions"].get(name, {})
        if not any(other in requirements.distributions for other in needs.get("unless", ())):
            build |= dict.fromkeys(needs.get("build", ()), name)
            runtime |= dict.fromkeys(needs.get("runtime", ()), name)
    for name in compiled:
        needs = table()["compiled"].get(name, {})
        for package in needs.get("build", ["build-essential"]):
            build.setdefault(package, f"{name}, which has no wheel")
        for package in needs.get("runtime", ()):
            runtime.setdefault(package, f"{name}, which has no wheel")
    image = evidence.image
    sources = [name for name, wheels in requirements.wheels.items() if not wheels]
    if image and sources and any(COMPILER.search(command) for command in image.commands):
        build.setdefault("build-essential", f"{', '.join(sources)}, which {image.path} compiles")
    if requirements.needs_git:
        build["git"] = f"git+https in {requirements.file}"
    if any(re.match(r"django\.contrib\.gis", text) for text in evidence.source.strings):
        runtime |= dict.fromkeys(("gdal-bin", "libgdal36", "libgeos-c1t64", "libproj25"), "django.contrib.gis")
    if image:
        asked = []
        for package in _renamed(image.final_packages):
            if package in table()["left_out"]["asked"] and not _is_named(evidence, package):
                asked.append(package)
            elif _is_for_building(package):
                build.setdefault(package, image.path)
                for library in table()["libraries"].get(package, ()):
                    runtime.setdefault(library, f"{package} in {image.path}")
            elif package not in table()["left_out"]["names"]:
                runtime.setdefault(package, image.path)
        for package in _renamed(image.early_packages):
            if not _is_for_building(package):
                continue
            build.setdefault(package, image.path)
            if not image.has_known_base:  # it may bring the libraries
                for library in table()["libraries"].get(package, ()):
                    runtime.setdefault(library, f"{package} in {image.path}")
        if not image.has_known_base:
            unknown.append(f"which packages the image {image.base} contains, which {image.path} extends")
        if image.foreign_packages:
            listed = ", ".join(image.foreign_packages)
            unknown.append(f"how to install {listed}, which {image.path} takes from a repository that is not Debian's")
        if asked:
            unknown.append(
                f"whether the app runs {', '.join(asked)}, which {image.path} installs: if so, add the package"
            )
        if any("apk add" in command for command in image.commands):
            unknown.append(f"which Debian packages stand for those that {image.path} installs by apk")
    return build, runtime, unknown


def _renamed(packages: Iterable[str]) -> Iterable[str]:
    """Return the names that the packages have in the release of the base image, each once."""
    unversioned = [re.sub(r"^(postgresql-client)-\d+$", r"\1", package) for package in packages]
    return dict.fromkeys(table()["renamed"].get(package, package) for package in unversioned)


def _is_for_building(package: str) -> bool:
    if package in table()["left_out"]["names"]:
        return False
    return package.endswith("-dev") or package in table()["left_out"]["build"]


def _is_named(evidence: Evidence, package: str) -> bool:
    """Return whether the source has the name of a program of the package as a word of a command."""
    programs = {
        "postgresql-client": ("pg_dump", "psql", "pg_restore"),
        "openssh-client": ("ssh", "scp"),
        "redis-tools": ("redis-cli",),
    }
    return "subprocess" in evidence.source.imports and any(
        text == name or text.startswith(f"{name} ")
        for name in programs.get(package, (package,))
        for text in evidence.source.strings
    )
