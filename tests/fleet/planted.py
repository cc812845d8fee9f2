"""A template with two releases, and services of it, each in a repository of its own.

The template is the one that lies here, with a change planted between v0.0.1 and v0.0.2:
another first line to a file, one file less, and one choice less to a question. The files are
planted too, so that no change of the template moves them.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from copier import run_copy
from support import ROOT, snapshot

OLD, NEW = "v0.0.1", "v0.0.2"
BRANCH = f"copier-update/{NEW}"
CHANGED, DROPPED = "changed.txt", "dropped.txt"
NEW_LINE = "Line 1 of the new release"
QUESTION = """\
size:
  type: str
  choices: [small, large{more}]
  default: small
  when: "{{{{ kind == 'service' }}}}"
"""
AUTHOR = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "A Developer"), ("EMAIL", "developer@example.com"))
}


def git(folder: Path, *arguments: str | Path) -> str:
    """What git prints, without the spaces around it."""
    command = ["git", "-C", folder, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | AUTHOR)
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout.strip()


def commit(folder: Path, message: str = "A change") -> Path:
    """Commit everything in `folder`, a repository from now on; return it."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", message)
    return folder


def plant_template(folder: Path) -> Path:
    """Make the template with its two releases in `folder`; return it."""
    shutil.copytree(snapshot(), folder)
    settings = folder / "copier.yml"
    settings.write_text(f"{settings.read_text()}---\n!include questions/planted.yml\n")
    question = folder / "questions" / "planted.yml"
    question.write_text(QUESTION.format(more=", huge"))
    changed, dropped = (folder / "template" / name for name in (CHANGED, DROPPED))
    changed.write_text("".join(f"Line {number} of the template\n" for number in range(1, 21)))
    dropped.write_text("The next release has this no more.\n")
    git(commit(folder), "tag", OLD)

    replace_first_line(changed, NEW_LINE)
    dropped.unlink()
    question.write_text(QUESTION.format(more=""))
    git(commit(folder), "tag", NEW)
    return folder


def generate(
    template: Path | str, folder: Path, version: str = OLD, *, skip_tasks: bool = False, **answers: Any
) -> Path:
    """Generate a service in `folder` without committing it; return it."""
    run_copy(str(template), folder, data=answers, vcs_ref=version, defaults=True, quiet=True, skip_tasks=skip_tasks)
    return folder


def append(file: Path, line: str) -> None:
    file.write_text(f"{file.read_text()}{line}\n")


def replace_first_line(file: Path, line: str) -> None:
    file.write_text(f"{line}\n{file.read_text().partition(chr(10))[2]}")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "fleet", *map(str, arguments)]


def environment(temporary: Path) -> dict[str, str]:
    """The environment for the command, its temporary files below `temporary`."""
    temporary.mkdir(exist_ok=True)
    return os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}


def state(repository: Path) -> tuple[str, ...]:
    """Everything of a repository that a user sees: branches, HEAD, what git finds changed, worktrees."""
    return (
        git(repository, "for-each-ref"),
        git(repository, "symbolic-ref", "HEAD"),
        git(repository, "status", "--porcelain", "--ignored"),
        git(repository, "worktree", "list"),
        git(repository, "stash", "list"),
        *sorted(path.name for path in (repository / ".git").iterdir() if path.name != "index"),
    )


@dataclass
class Outcome:
    """What a run of the command left: its exit status, its output, and the reports in it by folder name."""

    status: int
    stdout: str
    stderr: str
    services: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Fleet:
    """A folder of services, and the command for them."""

    folder: Path
    temporary: Path

    def run(self, verb: str, *options: str | Path, folder: Path | None = None) -> Outcome:
        """Run the command with --json on the fleet, or on `folder`; read what it prints."""
        outcome = self.plain(verb, "--json", *options, folder or self.folder)
        outcome.services = {Path(report["path"]).name: report for report in json.loads(outcome.stdout)["services"]}
        return outcome

    def plain(self, *arguments: str | Path, **more: str) -> Outcome:
        """Run the command with `arguments` alone, and `more` in its environment."""
        result = subprocess.run(
            command(*arguments),
            env=environment(self.temporary) | more,
            capture_output=True,
            text=True,
        )
        return Outcome(result.returncode, result.stdout, result.stderr)
