"""Run git, independently of what the user's settings would change."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import FleetError, summarize

# git must run no hook, sign nothing, and start no process that outlives this program.
SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "commit.gpgSign": "false",
    "color.ui": "false",
    "log.showSignature": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
# What git says about frequent problems, the code of the error, and the cure.
PROBLEMS = (
    (
        "dubious ownership",
        "not-owned",
        "if you trust its owner, run git config --global --add safe.directory {folder}",
    ),
    (
        "not a git repository",
        "not-a-repository",
        "run git init there, and commit the service",
    ),
    (
        "unable to read|could not read|could not parse|bad object|bad tree|missing|not found|corrupt|inflate",
        "object-missing",
        "run git fsck in the repository, and fetch what it lists from another clone",
    ),
    (
        "No space left",
        "disk-full",
        "free space on the disk, and run the command again",
    ),
    (
        r"Unable to create .*\.lock",
        "locked",
        "wait until the other git has finished, or remove the lock file if none runs",
    ),
)


@dataclass(frozen=True)
class GitEnvironment:
    """The environment variables for git."""

    variables: Mapping[str, str]

    @classmethod
    def from_process(cls) -> "GitEnvironment":
        """Take the environment of this process, without what a git hook sets about its own repository."""
        listed = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True).stdout
        local = {name for name in listed.split() if not name.startswith("GIT_CONFIG")}
        variables = {name: value for name, value in os.environ.items() if name not in local}
        # Files that git LFS stores stay pointers: an update does not need their content.
        return cls(variables | {"GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C"})._with_settings(SETTINGS)

    def without_user_settings(self) -> "GitEnvironment":
        """Return this environment for repositories of this program, where no setting of the user applies."""
        kept = {name: value for name, value in self.variables.items() if not name.startswith("GIT_CONFIG")}
        isolated = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}
        settings = SETTINGS | {
            "core.attributesFile": os.devnull,  # its default is in the home folder
            "merge.directoryRenames": "false",  # a file of the user's stays in its folder
            "fastimport.unpackLimit": "0",  # quicker: no file for each object
        }
        return GitEnvironment(kept | isolated)._with_settings(settings)

    def with_plain_checkout(self) -> "GitEnvironment":
        """Return this environment for a checkout that has the bytes of the commit."""
        return self._with_settings({"core.autocrlf": "false", "core.attributesFile": os.devnull})

    def _with_settings(self, settings: Mapping[str, str]) -> "GitEnvironment":
        """Return this environment with more git settings, which have precedence over those in files."""
        count = int(self.variables.get("GIT_CONFIG_COUNT") or 0)
        added = {"GIT_CONFIG_COUNT": str(count + len(settings))}
        for number, (key, value) in enumerate(settings.items(), count):
            added |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return GitEnvironment({**self.variables, **added})


def git(
    environment: GitEnvironment,
    folder: Path,
    *arguments: str | Path,
    stdin: bytes = b"",
    accept: tuple[int, ...] = (0,),
    uninterrupted: bool = False,
) -> bytes:
    """Run git in `folder`; return its output.

    With `uninterrupted`, a signal that ends this process and its children does not reach git.
    Raise FleetError, with the reason that git gives, if its exit status is none of `accept`.
    """
    result = subprocess.run(
        ["git", "-C", folder, *arguments],
        env=environment.variables,
        input=stdin,
        capture_output=True,
        start_new_session=uninterrupted,
    )
    if result.returncode not in accept:
        raise describe_failure(os.fsdecode(result.stderr), folder, f"git {arguments[0]}", result.returncode)
    return result.stdout


def describe_failure(stderr: str, folder: Path, command: str, status: int) -> FleetError:
    """Return the error for a command of git that failed."""
    reason = summarize(stderr) or f"{command} failed with status {status}"
    for pattern, code, hint in PROBLEMS:
        if re.search(pattern, stderr, re.IGNORECASE):
            return FleetError(code, reason, hint.format(folder=folder))
    return FleetError("git-failed", reason)


def git_text(environment: GitEnvironment, folder: Path, *arguments: str | Path, accept: tuple[int, ...] = (0,)) -> str:
    """Run git in `folder`; return its output, in which bytes that are not UTF-8 become surrogates."""
    return os.fsdecode(git(environment, folder, *arguments, accept=accept))
