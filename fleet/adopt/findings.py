"""What the template cannot express, so that the user does it by hand."""

import re
from collections.abc import Iterable, Iterator

from packaging.utils import canonicalize_name

from .build import find_places
from .evidence import Evidence
from .local import asks_for_metadata
from .requirements import Requirements
from .results import Finding
from .start import Start

INSTALLERS = {
    "pip",
    "setuptools",
    "wheel",
    "uv",
    "poetry",
    "pipenv",
    "pdm",
    "pip-tools",
    "build",
    "supervisor",
    "poetry-core",
    "poetry-plugin-export",
    "virtualenv",
}
OPTIONS_WITH_VALUES = {
    "-r",
    "--requirement",
    "-c",
    "-e",
    "--index-url",
    "--prefix",
    "--target",
    "-i",
    "-w",
    "--wheel-dir",
    "--group",
    "--extra",
    "--requirements",
    "--constraint",
    "--index-strategy",
    "--python-preference",
    "--python",
    "-p",
    "--extra-index-url",
    "-f",
    "--find-links",
}


def find_work(
    evidence: Evidence, start: Start, requirements: Requirements, is_installed: bool, besides: Iterable[str] = ()
) -> Iterator[Finding]:
    """Yield what remains to be done by hand, beside what the modules of the answers name.

    `besides` are the distributions of the answer extra_requirements.
    """
    if loose := [word for word in besides if "==" not in word]:
        yield Finding(
            "requirements", f"No file pins {', '.join(loose)}: better add them to {requirements.file or 'the lock'}."
        )
    if not is_installed:
        yield from _metadata(evidence)
    yield from _places(evidence, start)
    yield from _replaced(evidence)


def find_besides(evidence: Evidence, requirements: Requirements) -> tuple[str, ...]:
    """Return the distributions that the old Dockerfile installs by their names, and the requirements lack."""
    image = evidence.image
    found: dict[str, str] = {}
    for command in image.commands if image else ():
        for name, word in _installed_by_pip(command):
            if name not in requirements.distributions and name not in INSTALLERS and not evidence.project.has(name):
                found.setdefault(name, word)
    own = canonicalize_name(str(evidence.project.table("project").get("name", "")))
    return tuple(word for name, word in sorted(found.items()) if name != own)


def _installed_by_pip(command: str) -> Iterator[tuple[str, str]]:
    """Yield the distributions that a command installs by name: the normalized name, and the requirement."""
    for match in re.finditer(r"pip3? (?:install|wheel) ([^;&|]+)", command):
        is_value = False
        for word in (word.strip("\"'") for word in match[1].split()):
            if is_value or word.startswith("-"):
                is_value = not is_value and word in OPTIONS_WITH_VALUES
            elif found := re.fullmatch(r"([A-Za-z][\w.-]*)(\[[\w-]+\])?([\[=<>~!].*)?", word):
                version = found[3] if re.fullmatch(r"([=~<>!]=|[<>])[\w.*+!-]+", found[3] or "") else ""
                yield canonicalize_name(found[1]), f"{found[1]}{found[2] or ''}{version}"


def _metadata(evidence: Evidence) -> Iterator[Finding]:
    path = asks_for_metadata(evidence)
    if path:
        name = evidence.project.table("project").get("name", "")
        yield Finding(
            "not-installed",
            f"{path} asks for the metadata of {name}, which the image does not install: let it do without.",
        )


def _places(evidence: Evidence, start: Start) -> Iterator[Finding]:
    """Yield the files that name places of the old image; the app is in /app in the new one."""
    workdir = evidence.image.workdir.rstrip("/") if evidence.image else ""
    if workdir.count("/") < 1 or workdir == "/app":
        return
    words = start.command.split()
    paths = [path for path in evidence.project.files if path in words] + list(evidence.project.sources)
    named = [
        path
        for path in dict.fromkeys(paths)
        if path not in dict(find_places(evidence, start))
        and re.search(rf"(?<![\w./-]){re.escape(workdir)}(/|\b)", evidence.project.read(path))
    ]
    if named:
        listed = ", ".join(named[:5])
        yield Finding("old-places", f"The app is in /app now, and no longer in {workdir}, which is named in {listed}.")


def _replaced(evidence: Evidence) -> Iterator[Finding]:
    others = [
        service.name for service in evidence.services if service.file == "docker-compose.yml" and not service.is_built
    ]
    if others:
        listed = ", ".join(others)
        yield Finding(
            "compose-services",
            f"The new docker-compose.yml has no {listed}: move them to a compose file that includes it.",
        )
    if evidence.project.has("docker-compose.override.yml"):
        yield Finding(
            "compose-override",
            "Compose merges docker-compose.override.yml with the new docker-compose.yml: check or remove it.",
        )
