"""Run git, independently of the configuration of the machine and of the user."""

import os
from pathlib import Path

from testing.process import run

CONFIGURATION = """\
[user]
    name = A Developer
    email = developer@example.com
[init]
    defaultBranch = main
[commit]
    gpgSign = false
[safe]
    directory = *
[protocol "file"]
    allow = always
"""


def isolate_git(folder: Path) -> None:
    """Make every git that this process starts read one configuration, written to `folder`, and no other."""
    configuration = folder / "gitconfig"
    configuration.write_text(CONFIGURATION)
    os.environ |= {"GIT_CONFIG_GLOBAL": str(configuration), "GIT_CONFIG_NOSYSTEM": "1"}
    # A git hook that starts the tests sets GIT_DIR and more, which would name this repository.
    for name in run("git", "rev-parse", "--local-env-vars").stdout.split():
        os.environ.pop(name, None)


def git(folder: Path, *arguments: str | Path) -> str:
    """Run git in `folder`; return its output without the white space around it."""
    return run("git", "-C", folder, *arguments).stdout.strip()


def commit(folder: Path, message: str = "A change") -> Path:
    """Commit everything in `folder`; create the repository if there is none. Return `folder`."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)
    return folder
