"""Git: the environment it runs in, and the repository of a service."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .answers import ANSWERS_FILE
from .errors import FleetError, summarize

# git must run no hook, sign nothing, and start no maintenance that outlives this program.
SETTINGS = {"core.hooksPath": os.devnull, "commit.gpgSign": "false", "gc.auto": "0", "maintenance.auto": "false"}


@dataclass(frozen=True)
class GitEnvironment:
    """The environment variables for git, and for Copier, which runs git too."""

    variables: Mapping[str, str]

    @classmethod
    def from_process(cls) -> "GitEnvironment":
        """Take the environment of this process, without what a git hook sets about its own repository."""
        listed = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True).stdout
        local = {name for name in listed.split() if not name.startswith("GIT_CONFIG")}
        variables = {name: value for name, value in os.environ.items() if name not in local}
        # Files that git LFS stores stay pointers: an update does not need their content.
        return cls(variables | {"GIT_LFS_SKIP_SMUDGE": "1"}).with_settings(SETTINGS)

    def with_variables(self, variables: Mapping[str, str]) -> "GitEnvironment":
        """Return this environment with more variables."""
        return GitEnvironment({**self.variables, **variables})

    def with_settings(self, settings: Mapping[str, str]) -> "GitEnvironment":
        """Return this environment with more git settings, which have precedence over those in files."""
        count = int(self.variables.get("GIT_CONFIG_COUNT") or 0)
        added = {"GIT_CONFIG_COUNT": str(count + len(settings))}
        for number, (key, value) in enumerate(settings.items(), count):
            added |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return self.with_variables(added)

    @contextmanager
    def for_copier(self) -> Iterator[None]:
        """Make Copier, and git under Copier, run in this environment."""
        from plumbum import local  # slow to import; Copier runs git with it

        before = dict(os.environ)
        try:
            os.environ.clear()
            os.environ.update(self.variables)
            with local.env():  # plumbum has a copy of os.environ, and restores it at the end
                local.env.clear()
                local.env.update(self.variables)
                yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def git(environment: GitEnvironment, folder: Path, *arguments: str | Path, accept: tuple[int, ...] = (0,)) -> str:
    """Run git in `folder`; return its output.

    Raise FleetError, with the reason that git gives, if its exit status is none of `accept`.
    """
    result = subprocess.run(
        ["git", "-C", folder, *arguments],
        env=environment.variables,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        stdin=subprocess.DEVNULL,
    )
    if result.returncode not in accept:
        reason = summarize(result.stderr) or f"git {arguments[0]} failed with status {result.returncode}"
        raise FleetError("git-failed", reason)
    return result.stdout


@dataclass(frozen=True)
class Repository:
    """The git repository that contains a service. Nothing here writes to its checkout.

    `prefix` is the path of the service in it, empty or with a slash at the end; `common` is the
    folder of its branches and objects; `head` is the commit that is checked out.
    """

    environment: GitEnvironment
    top: Path
    prefix: str
    common: Path
    head: str

    def git(self, *arguments: str | Path, accept: tuple[int, ...] = (0,)) -> str:
        """Run git in the checkout; return its output."""
        return git(self.environment, self.top, *arguments, accept=accept)

    def is_dirty(self) -> bool:
        """Return whether any file of the repository is changed or untracked."""
        # Without the option, `git status` would write to the index.
        return bool(self.git("--no-optional-locks", "status", "--porcelain"))

    def update_branch(self, version: str) -> str:
        """Return the name of the branch for an update; it contains the path of the service."""
        return f"copier-update/{re.sub('[^A-Za-z0-9._/-]', '-', self.prefix)}{version}"

    def has_branch(self, branch: str) -> bool:
        return bool(self.git("for-each-ref", f"refs/heads/{branch}"))

    def read(self, branch: str, name: str) -> str:
        """Return the content of a file of the service on `branch`."""
        return self.git("cat-file", "blob", f"{branch}:{self.prefix}{name}")


def open_repository(environment: GitEnvironment, folder: Path) -> Repository:
    """Return the repository that contains `folder`.

    Raise FleetError if there is none, or if no commit contains the answers file.
    """
    top = git(environment, folder, "rev-parse", "--show-toplevel").removesuffix("\n")
    prefix = git(environment, folder, "rev-parse", "--show-prefix").removesuffix("\n")
    common = git(environment, folder, "rev-parse", "--git-common-dir").removesuffix("\n")
    try:
        head = git(environment, folder, "rev-parse", "--verify", "HEAD").strip()
        git(environment, folder, "cat-file", "-e", f"HEAD:./{ANSWERS_FILE}")
    except FleetError as error:
        raise FleetError("not-committed", f"no commit holds {ANSWERS_FILE}", "commit the service") from error
    return Repository(environment, Path(top), prefix, (folder / common).resolve(), head)
