"""What a command found out about a service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Outcome(Enum):
    """What came of an update; the values are the states in the report."""

    CURRENT = "current"
    UPDATED = "updated"
    WAITING = "waiting"  # an earlier run has created the branch
    CONFLICT = "conflict"
    DIRTY = "dirty"


class Problem(Enum):
    """Why a file needs attention; the values begin sentences that list files."""

    CONFLICT = "Conflicts in"
    DROPPED = "Edited here, dropped by the template, kept"
    NOT_TEXT = "Changed here and by the template, but not text, so not merged"
    OBSTRUCTED = "Not updated, because something else has the name"


@dataclass(frozen=True)
class Position:
    """The version of a service, how many releases it is behind, and whether it has uncommitted changes."""

    version: str
    newest: str
    behind: int
    dirty: bool


@dataclass(frozen=True)
class Status:
    """The files of the template that were edited, the answers that were edited by hand, and what hinders an update.

    `branch` is an update that is not merged yet; `operation` is one of git's that is in progress.
    """

    edited: tuple[str, ...]
    answers: tuple[str, ...] = ()
    branch: str | None = None
    operation: str | None = None


@dataclass(frozen=True)
class Update:
    """The outcome of an update, its branch, and the files on it that need attention."""

    outcome: Outcome
    branch: str | None = None
    problems: Mapping[str, Problem] = field(default_factory=dict)
    is_new: bool = False


def describe_problems(problems: Mapping[str, Problem]) -> str:
    """Name the files that need attention, for the commit message and the report."""
    sentences = []
    for problem in Problem:
        paths = [path for path, found in problems.items() if found is problem]
        if paths:
            sentences.append(f"{problem.value}: {', '.join(paths)}.")
    return " ".join(sentences)
