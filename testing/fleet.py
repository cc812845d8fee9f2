"""A small template with two releases, services of it, and the command `fleet`.

The template is a copy of this checkout. Between v0.0.1 and v0.0.2 the first line of one file
changes, another file is dropped, and a question loses a choice. Files and question are added
for this purpose, so that no change of the real template affects the tests.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from copier import run_copy

from testing import ROOT
from testing.git import commit, git
from testing.template import snapshot

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


def make_template(
    folder: Path, old: Mapping[str, str] | None = None, new: Mapping[str, str | None] | None = None
) -> Path:
    """Create the template with its two releases in `folder`; return it.

    `old` has more files of the first release by their names. `new` has the files that the second
    release changes or adds, and None for those that it deletes.
    """
    shutil.copytree(snapshot(), folder)
    settings = folder / "copier.yml"
    settings.write_text(f"{settings.read_text()}---\n!include questions/size.yml\n")
    question = folder / "questions" / "size.yml"
    question.write_text(QUESTION.format(more=", huge"))
    changed, dropped = (folder / "template" / name for name in (CHANGED, DROPPED))
    changed.write_text("".join(f"Line {number} of the template\n" for number in range(1, 21)))
    dropped.write_text("The next release does not have this file.\n")
    write_files(folder / "template", old or {})
    git(commit(folder), "tag", OLD)

    replace_first_line(changed, NEW_LINE)
    dropped.unlink()
    question.write_text(QUESTION.format(more=""))
    write_files(folder / "template", new or {})
    git(commit(folder), "tag", NEW)
    return folder


def generate_service(
    template: Path | str, folder: Path, version: str = OLD, *, skip_tasks: bool = False, **answers: Any
) -> Path:
    """Generate a service in `folder` without committing it; return it."""
    run_copy(str(template), folder, data=answers, vcs_ref=version, defaults=True, quiet=True, skip_tasks=skip_tasks)
    return folder


def write_files(folder: Path, contents: Mapping[str, str | None]) -> None:
    """Write each file of `contents` below `folder`; delete those whose content is None."""
    for name, content in contents.items():
        file = folder / name
        if content is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)


def append(file: Path, line: str) -> None:
    file.write_text(f"{file.read_text()}{line}\n")


def replace_first_line(file: Path, line: str) -> None:
    file.write_text(f"{line}\n{file.read_text().partition(chr(10))[2]}")


def command(*arguments: str | Path) -> list[str]:
    """Return the command line for `fleet`."""
    return [sys.executable, "-m", "fleet", *map(str, arguments)]


def environment(temporary: Path) -> dict[str, str]:
    """Return the environment for the command: temporary files go to `temporary`."""
    temporary.mkdir(exist_ok=True)
    return os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}


def state(repository: Path) -> tuple[str, ...]:
    """Return what a user sees of a repository: branches, HEAD, changed files, worktrees, stashes."""
    return (
        git(repository, "for-each-ref"),
        git(repository, "symbolic-ref", "HEAD"),
        git(repository, "status", "--porcelain", "--ignored"),
        git(repository, "worktree", "list"),
        git(repository, "stash", "list"),
        *sorted(path.name for path in (repository / ".git").iterdir() if path.name != "index"),
    )


def fingerprint(folder: Path) -> dict[str, str]:
    """Return the mode and a hash of the content of everything below `folder`, that of git included, by path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = b""
        if path.is_symlink():
            content = os.fsencode(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        mode = path.lstat().st_mode
        found[str(path.relative_to(folder))] = f"{mode:o} {hashlib.sha256(content).hexdigest()}"
    return found


# The files that an update adds: whole objects, the branch, and the reflog of the branch.
WRITTEN = re.compile(
    r"(^|/)(objects/([0-9a-f]{2}(/[0-9a-f]{38,62})?|pack/pack-[^/]*)|(logs/)?refs/heads/copier-update(/.*)?(?<!\.lock))$",
    re.DOTALL,
)


def unexpected_changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Compare two fingerprints; return the paths that an update must not change, remove or add."""
    changed = [path for path, found in before.items() if after.get(path) != found]
    return changed + [path for path in after if path not in before and not WRITTEN.search(path)]


@dataclass
class Outcome:
    """The exit status and the output of a run, and its reports by folder name."""

    status: int
    stdout: str
    stderr: str
    services: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Fleet:
    """A folder of services, and the folder for temporary files of the command."""

    folder: Path
    temporary: Path

    def run(self, name: str, *options: str | Path, folder: Path | None = None) -> Outcome:
        """Run `fleet NAME --json` on all services, or on `folder`; read the result."""
        outcome = self.plain(name, "--json", *options, folder or self.folder)
        outcome.services = {Path(report["path"]).name: report for report in json.loads(outcome.stdout)["services"]}
        return outcome

    def plain(self, *arguments: str | Path, **more: str) -> Outcome:
        """Run `fleet` with exactly these arguments, and `more` in its environment."""
        result = subprocess.run(
            command(*arguments),
            env=environment(self.temporary) | more,
            capture_output=True,
            text=True,
        )
        return Outcome(result.returncode, result.stdout, result.stderr)
