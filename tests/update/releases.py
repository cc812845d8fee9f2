"""The releases of the template: which there are, and what each one asked."""

import functools
import subprocess
from pathlib import Path
from typing import Any

import yaml
from support import ROOT

CURRENT = "99.0.0"


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` as somebody; return what it prints."""
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def released() -> list[str]:
    """The versions that were released, oldest first: by their commits, since tags do not travel with every clone."""
    subjects = git(ROOT, "log", "--reverse", "--format=%s", "--grep=^Release [0-9]")
    return [subject.removeprefix("Release ") for subject in subjects.splitlines()]


@functools.cache
def questions_of(version: str) -> dict[str, Any]:
    """The questions of a release, by name."""
    commit = git(ROOT, "log", "--format=%H", f"--grep=^Release {version}$")
    found: dict[str, Any] = {}
    for path in git(ROOT, "ls-tree", "--name-only", commit, "questions/").splitlines():
        found |= yaml.safe_load(git(ROOT, "show", f"{commit}:{path}"))
    return found


def knows(version: str, answers: dict[str, Any]) -> bool:
    """Whether a release had these questions, and these choices for them."""
    questions = questions_of(version)
    return all(
        name in questions and ("choices" not in questions[name] or answer in list_of(questions[name]["choices"]))
        for name, answer in answers.items()
    )


def list_of(choices: list | dict) -> list:
    return list(choices.values()) if isinstance(choices, dict) else choices
