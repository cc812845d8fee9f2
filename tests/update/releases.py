"""The releases of the template, and the questions of each."""

import functools
from typing import Any

import yaml

from testing import ROOT
from testing.git import git

CURRENT = "99.0.0"


def released() -> list[str]:
    """Return the released versions, oldest first, from their commits: not every clone has the tags."""
    subjects = git(ROOT, "log", "--reverse", "--format=%s", "--grep=^Release [0-9]")
    return [subject.removeprefix("Release ") for subject in subjects.splitlines()]


@functools.cache
def questions_of(version: str) -> dict[str, Any]:
    """Return the questions of a release by name."""
    commit = git(ROOT, "log", "--format=%H", f"--grep=^Release {version}$")
    found: dict[str, Any] = {}
    for path in git(ROOT, "ls-tree", "--name-only", commit, "questions/").splitlines():
        if path.endswith(".yml"):
            found |= yaml.safe_load(git(ROOT, "show", f"{commit}:{path}"))
    return found


def knows(version: str, answers: dict[str, Any]) -> bool:
    """Return whether a release has these questions, and these answers among the choices."""
    questions = questions_of(version)
    return all(
        name in questions and ("choices" not in questions[name] or answer in list_of(questions[name]["choices"]))
        for name, answer in answers.items()
    )


def list_of(choices: list | dict) -> list:
    return list(choices.values()) if isinstance(choices, dict) else choices
