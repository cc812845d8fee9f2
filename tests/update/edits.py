"""What users do to a generated project before they update it, and what must be left of it afterwards."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """One edit: how it is made, and whether it is still there."""

    make: Callable[[Path], None]
    survives: Callable[[Path], bool]
    # Answers that are changed with the update itself.
    answers: dict[str, object] = field(default_factory=dict)
    # Of which kind of project the edit can be made.
    kind: str = "service"


def replace(path: str, old: str, new: str) -> Callable[[Path], None]:
    def make(project: Path) -> None:
        text = (project / path).read_text()
        assert re.search(old, text), f"{path} has no {old}"
        (project / path).write_text(re.sub(old, new, text, count=1))

    return make


def has(path: str, text: str) -> Callable[[Path], bool]:
    return lambda project: text in (project / path).read_text()


def delete(path: str) -> Callable[[Path], None]:
    return lambda project: (project / path).unlink()


def is_gone(path: str) -> Callable[[Path], bool]:
    return lambda project: not (project / path).exists()


def package(project: Path) -> Path:
    return next(path for path in (project / "src").iterdir() if path.is_dir())


def rename_package(project: Path) -> None:
    """Rename the package in src/, and where the start of the service names it."""
    old = package(project)
    old.rename(old.with_name("renamed"))
    for file in [project / "Dockerfile", project / "docker" / "start.py", *(project / "tests").glob("*.py")]:
        if file.exists():
            # Not in a label or in prose: only after the quote, the equals sign or the word that precedes a module.
            text = re.sub(rf'(["=]|from |import ){old.name}(?=["\\s.])', r"\1renamed", file.read_text())
            file.write_text(text)


def is_renamed(project: Path) -> bool:
    started = [project / "Dockerfile", project / "docker" / "start.py"]
    return package(project).name == "renamed" and any(
        re.search(r'["= ]renamed["\s.]', file.read_text()) for file in started if file.exists()
    )


def add_module(project: Path) -> None:
    (package(project) / "added.py").write_text("ADDED = True\n")


EDITS = {
    "a changed limit": Edit(
        replace("docker-compose.prod.yml", r"( +)cpus: \S+", r"\1cpus: 0.75"),
        has("docker-compose.prod.yml", "cpus: 0.75\n"),
    ),
    "a variable for the service": Edit(
        replace(
            "docker-compose.prod.yml",
            r"( +)restart: unless-stopped\n",
            r"\1restart: unless-stopped\n\1hostname: kept\n",
        ),
        has("docker-compose.prod.yml", "hostname: kept"),
    ),
    "an extra RUN": Edit(
        # In the last stage that has a shell.
        replace("Dockerfile", r"(FROM (?:base AS (?:runtime|service)|python AS builder)\n)", r"\1RUN echo added\n"),
        lambda project: bool(
            re.search(r"AS (runtime|service|builder)\nRUN echo added\n", (project / "Dockerfile").read_text())
        ),
    ),
    "a new dependency": Edit(
        replace("requirements.in", r"\A", "an-added-dependency\n"),
        has("requirements.in", "an-added-dependency\n"),
    ),
    "a changed port": Edit(
        lambda project: None,
        lambda project: has("Dockerfile", "PORT=8123")(project) and has("docker-compose.prod.yml", "8123")(project),
        answers={"port": "8123"},
    ),
    "a deleted file of the template's": Edit(delete("docker-compose.yml"), is_gone("docker-compose.yml")),
    "a deleted file of the user's": Edit(delete("README.md"), is_gone("README.md")),
    "a deleted test": Edit(
        lambda project: next((project / "tests").glob("test_*.py")).rename(project / "tests" / "moved.py"),
        lambda project: (project / "tests" / "moved.py").exists(),
    ),
    "a renamed package": Edit(rename_package, is_renamed),
    "a module of the user's": Edit(add_module, lambda project: (package(project) / "added.py").exists()),
    "changed source": Edit(
        lambda project: replace(f"src/{package(project).name}/settings.py", r"\A", "# added\n")(project),
        lambda project: has(f"src/{package(project).name}/settings.py", "# added\n")(project),
    ),
    "a target in the Makefile": Edit(
        replace("Makefile", r"\Z", "\n.PHONY: added\nadded:\n\ttrue\n"), has("Makefile", "added:\n\ttrue\n")
    ),
    "an ignored path": Edit(replace(".gitignore", r"\A", "added/\n"), has(".gitignore", "added/\n")),
    "a package in the base image": Edit(
        replace("Dockerfile", r"(FROM debian AS runtime\n)", r"\1RUN echo added\n"),
        has("Dockerfile", "AS runtime\nRUN echo added\n"),
        kind="base-image",
    ),
    "a changed README": Edit(
        replace("README.md", r"\A(.*)\n", r"\1, added\n"), has("README.md", ", added\n"), kind="base-image"
    ),
    "a deleted structure test": Edit(
        delete("structure/debug.yaml"), is_gone("structure/debug.yaml"), kind="base-image"
    ),
}
