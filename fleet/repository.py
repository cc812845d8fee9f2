"""The git repository of a service. Nothing here writes to its checkout or its index."""

import fcntl
import hashlib
import os
import re
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .answers import ANSWERS_FILE, Answers, parse_answers
from .errors import FleetError
from .git import GitEnvironment, git, git_text
from .rendering import File

# Files and folders in the git directory that tell of an operation in progress, and how it ends.
OPERATIONS = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}


@dataclass(frozen=True)
class Entry:
    """A file in a commit: its mode and the identifier of its content."""

    mode: str
    identifier: str

    @property
    def kind(self) -> str:
        """Tell regular files, links and submodules apart."""
        return self.mode[:3]


@dataclass(frozen=True)
class Repository:
    """The repository that contains a service.

    `top` is the checkout; `prefix` is the path of the service in it, empty or with a slash at
    the end; `own` is the git directory of the checkout; `common` is the folder of the branches
    and objects; `head` is the commit that is checked out; `format` is the name of its hash function.
    """

    environment: GitEnvironment
    top: Path
    prefix: str
    own: Path
    common: Path
    head: str
    format: str

    @property
    def folder(self) -> Path:
        """The folder of the service."""
        return self.top / self.prefix

    def git(self, *arguments: str | Path, accept: tuple[int, ...] = (0,)) -> str:
        """Run git in the folder of the service; return its output."""
        return git_text(self.environment, self.folder, *arguments, accept=accept)

    def operation(self) -> str | None:
        """Return the operation of git that is in progress, such as rebase."""
        return next((name for file, name in OPERATIONS.items() if (self.own / file).exists()), None)

    def uncommitted(self) -> set[str]:
        """Return the paths in the folder of the service that are changed or untracked."""
        # Without the first option, `git status` would write to the index.
        options = ("--porcelain", "-z", "--no-renames", "--untracked-files=normal")
        records = self.git("--no-optional-locks", "status", *options, "--", ".").split("\0")[:-1]
        return {record[3:].removeprefix(self.prefix) for record in records}

    def files(self) -> dict[str, Entry]:
        """Return the files of the service in the commit that is checked out, by their path in its folder."""
        tree = f"{self.head}:{self.prefix}"
        return parse_tree(self.git("ls-tree", "-r", "-z", "--full-tree", tree))

    def identify(self, file: File) -> Entry:
        """Return the entry that git would make of a file."""
        digest = hashlib.new(self.format, b"blob %d\0" % len(file.content))
        digest.update(file.content)
        return Entry(file.mode, digest.hexdigest())

    def read(self, revision: str, path: str) -> bytes:
        """Return the content of a file of the service at `revision`."""
        return git(self.environment, self.top, "cat-file", "blob", f"{revision}:{self.prefix}{path}")

    def generated_answers(self, version: str) -> Answers | None:
        """Return the answers that the last copy or update recorded with `version`, or None if no commit tells."""
        recorded = "^_commit: *['\"]?" + re.sub("([^0-9A-Za-z-])", r"[\1]", version) + "['\"]?([ #]|$)"
        # The commit in which that line appeared; a comment that was added to it later does not count.
        options = ("--pickaxe-regex", "-S", recorded, "--format=%H")
        commit = self.git("log", "-1", *options, "--", ANSWERS_FILE).strip()
        if not commit:
            return None
        try:
            return parse_answers(self.read(commit, ANSWERS_FILE))
        except FleetError:
            return None

    def update_branch(self, version: str) -> str:
        """Return the name of the branch for an update; it contains the path of the service."""
        quoted = urllib.parse.quote(os.fsencode(self.prefix)).replace("~", "%7E")
        # git refuses a dot at the beginning or end of a part, two dots, `@{` and the suffix .lock.
        quoted = re.sub(r"(?<![^/])\.|\.(?=[./]|lock/)", "%2E", quoted)
        return f"copier-update/{quoted}{version}"

    def branch(self, name: str) -> str | None:
        """Return the commit of a branch, or None if there is no such branch."""
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{name}").strip() or None

    def refuse_occupied(self, branch: str) -> None:
        """Raise FleetError if another branch makes it impossible to create `branch`."""
        parts = branch.split("/")
        for end in range(1, len(parts)):
            other = "/".join(parts[:end])
            if self.git("for-each-ref", f"refs/heads/{other}", "--format=%(refname)").strip() == f"refs/heads/{other}":
                raise FleetError(
                    "branch-occupied",
                    f"the branch {branch} cannot exist beside a branch called {other}",
                    f"rename that one: git branch -m {other} NEW-NAME",
                )

    def identity(self) -> str:
        """Return who commits, and when, as git writes it into a commit."""
        found = self.git("var", "GIT_COMMITTER_IDENT", accept=(0, 128)).strip()
        return found or f"Copier <copier@copier> {int(time.time())} +0000"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs of this program away from the repository."""
        handle = os.open(self.common, os.O_RDONLY)  # a lock on the folder itself leaves no file behind
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def open_repository(environment: GitEnvironment, folder: Path) -> Repository:
    """Return the repository that contains `folder`.

    Raise FleetError if there is none, or if no commit contains the answers file.
    """
    # Of paths that contain a newline, only the last one of an output can be told.
    up, hash_function, own = git_text(
        environment, folder, "rev-parse", "--show-cdup", "--show-object-format", "--absolute-git-dir"
    ).split("\n", 2)
    common = git_text(environment, folder, "rev-parse", "--git-common-dir")
    top = (folder / up).resolve()
    prefix = "" if folder == top else f"{folder.relative_to(top).as_posix()}/"
    try:
        head = git_text(environment, folder, "rev-parse", "--verify", "HEAD^{commit}").strip()
        git(environment, folder, "cat-file", "-e", f"HEAD:./{ANSWERS_FILE}")
    except FleetError as error:
        if error.code == "not-owned":
            raise
        message = f"no commit holds {ANSWERS_FILE}"
        raise FleetError("not-committed", message, "commit the service, and run the command again") from error
    return Repository(
        environment,
        top,
        prefix,
        Path(own.removesuffix("\n")),
        (folder / common.removesuffix("\n")).resolve(),
        head,
        hash_function,
    )


def parse_tree(listed: str) -> dict[str, Entry]:
    """Read the output of `git ls-tree -r -z`."""
    entries = {}
    for record in listed.split("\0")[:-1]:
        description, path = record.split("\t", 1)
        mode, _, identifier = description.split(" ")
        entries[path] = Entry(mode, identifier)
    return entries
