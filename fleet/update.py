"""Put the update of a service on a branch of its repository.

The update happens in a clone that shares the objects of the repository. The repository gets
nothing but the finished branch, in the last step; its checkout is not touched.
"""

import fcntl
import os
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from .answers import ANSWERS_FILE, Answers, parse_answers
from .discovery import Service
from .errors import FleetError
from .repository import Repository, git
from .status import Position
from .template import Template, read_content, render

# The lines that Copier writes around a conflict.
MARKERS = "^(<<<<<<< before updating|>>>>>>> after updating)"
# How the subject of a commit begins that needs attention.
CONFLICT = "CONFLICT: "


class Outcome(Enum):
    """What came of an update; the values are the states in the report."""

    CURRENT = "current"
    UPDATED = "updated"
    WAITING = "waiting"  # an earlier run has created the branch
    CONFLICT = "conflict"
    DIRTY = "dirty"


@dataclass(frozen=True)
class Update:
    """The outcome of an update, its branch, and the files on it that need attention.

    `conflicts` have conflict markers. `kept` were edited by the user and dropped by the template.
    """

    outcome: Outcome
    branch: str | None = None
    conflicts: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    is_new: bool = False


def update_service(service: Service, template: Template, repository: Repository, position: Position) -> Update:
    """Put an update of `service` to the newest release on a branch.

    Raise FleetError, or an error of Copier's, if that is impossible; the repository is unchanged then.
    """
    if not position.behind:
        return Update(Outcome.CURRENT)
    branch = repository.update_branch(position.newest)
    if repository.has_branch(branch):
        return recognize_branch(repository, branch, position.newest)
    if position.dirty:
        return Update(Outcome.DIRTY)
    with tempfile.TemporaryDirectory(prefix="update-") as scratch:
        clone = Clone(repository, Path(scratch, "clone"))
        clone.create()
        if service.answers.source != template.source:
            clone.record_source(service.answers, template.source)
        conflicts = merge_newest(clone, position.newest)
        refuse_changed_answers(service.answers, clone.answers(), position.newest)
        kept = restore_edited(clone, service.answers, template)
        commit_update(clone, service.name, position, conflicts, kept)
        if not publish(clone, branch):
            return recognize_branch(repository, branch, position.newest)
    outcome = Outcome.CONFLICT if conflicts or kept else Outcome.UPDATED
    return Update(outcome, branch, conflicts, kept, is_new=True)


@dataclass(frozen=True)
class Clone:
    """A clone of a service's repository, in which the update happens."""

    repository: Repository
    top: Path

    @property
    def folder(self) -> Path:
        """The folder of the service."""
        return self.top / self.repository.prefix

    def git(self, *arguments: str | Path, accept: tuple[int, ...] = (0,)) -> str:
        return git(self.repository.environment, self.top, *arguments, accept=accept)

    def create(self) -> None:
        """Clone the repository, and check out the commit that the user has checked out."""
        self.repository.git("clone", "--quiet", "--shared", "--no-checkout", "--", self.repository.top, self.top)
        self.git("checkout", "--quiet", "--detach", self.repository.head)

    def answers(self) -> Answers:
        return parse_answers((self.folder / ANSWERS_FILE).read_bytes())

    def record_source(self, answers: Answers, source: str) -> None:
        """Commit that the template has moved, because Copier reads the source from the answers file."""
        moved = Answers(source, answers.version, answers.values)
        (self.folder / ANSWERS_FILE).write_text(moved.to_yaml())
        self.commit("The template has moved")

    def changed_files(self, *options: str) -> list[str]:
        """Return the files of the service that `git diff` lists, relative to the service."""
        names = self.git("diff", "--name-only", "-z", *options).split("\0")[:-1]
        return [name.removeprefix(self.repository.prefix) for name in names]

    def commit(self, *paragraphs: str) -> None:
        """Commit everything, as the user that is configured in the repository, or else as Copier."""
        identity: list[str] = []
        for key, default in (("user.name", "Copier"), ("user.email", "copier@copier")):
            configured = self.repository.git("config", "--get", key, accept=(0, 1)).strip()
            identity += ["-c", f"{key}={configured or default}"]
        messages = [argument for paragraph in paragraphs for argument in ("-m", paragraph)]
        self.git("add", "--all")
        self.git(*identity, "commit", "--quiet", "--no-verify", "--no-gpg-sign", *messages)


def merge_newest(clone: Clone, newest: str) -> tuple[str, ...]:
    """Let Copier update the service; return the files in conflict."""
    from copier import Settings, run_update  # slow to import

    run_update(
        clone.folder,
        vcs_ref=newest,
        settings=Settings(),  # trust no template, whatever the user's settings say
        defaults=True,
        skip_answered=True,
        overwrite=True,
        conflict="inline",
        quiet=True,
    )
    return tuple(clone.changed_files("--diff-filter=U"))


def refuse_changed_answers(before: Answers, after: Answers, newest: str) -> None:
    """Raise FleetError if the new version replaced an answer: Copier takes the default if it refuses one."""
    for key, value in before.values.items():
        if key in after.values and str(after.values[key]) != str(value):
            raise FleetError(
                "answer-refused",
                f"{newest} does not take the answer {key}: {value} (its own is {after.values[key]})",
                "run `copier update` in the service and answer this question",
            )


def restore_edited(clone: Clone, answers: Answers, template: Template) -> tuple[str, ...]:
    """Restore the files that the update deleted although the user owns or has edited them; return these.

    Copier deletes what the new version no longer generates, edited or not.
    """
    clone.git("add", "--all")
    deleted = clone.changed_files("--cached", "--no-renames", "--diff-filter=D", "HEAD")
    if not deleted:
        return ()
    folder, environment = clone.folder, clone.repository.environment
    with render(template.source, answers) as rendering:
        git(environment, folder, "--literal-pathspecs", "checkout", "HEAD", "--", *deleted)
        unedited = {
            name
            for name in deleted
            if not rendering.is_user_owned(name) and rendering.files.get(name) == read_content(folder / name)
        }
    if unedited:
        git(environment, folder, "--literal-pathspecs", "rm", "--quiet", "--force", "--", *sorted(unedited))
    return tuple(name for name in deleted if name not in unedited)


def commit_update(
    clone: Clone, name: str, position: Position, conflicts: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    """Commit the update as one commit on top of the user's."""
    clone.git("reset", "--quiet", "--soft", clone.repository.head)
    subject = f"Update {name} from {position.version} to {position.newest} of its template"
    note = describe_files(conflicts, kept)
    if note:
        clone.commit(CONFLICT + subject, note)
    else:
        clone.commit(subject)


def describe_files(conflicts: tuple[str, ...], kept: tuple[str, ...]) -> str:
    """Name the files that need attention, for the commit message and the report."""
    sentences = []
    if conflicts:
        sentences.append(f"Conflicts in: {', '.join(conflicts)}.")
    if kept:
        sentences.append(f"Edited here, dropped by the template, kept: {', '.join(kept)}.")
    return " ".join(sentences)


def publish(clone: Clone, branch: str) -> bool:
    """Create `branch` in the user's repository from the clone's HEAD; return False if it exists by now.

    git writes the objects first and the branch last, so an interruption leaves all of it or nothing.
    """
    repository = clone.repository
    handle = os.open(repository.common, os.O_RDONLY)  # a lock on the folder itself leaves no file behind
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if repository.has_branch(branch):
            return False
        # No other fleet works here while the folder is locked: a run that was killed left this lock.
        (repository.common / f"refs/heads/{branch}.lock").unlink(missing_ok=True)
        options = ("--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-recurse-submodules")
        repository.git("fetch", *options, "--no-auto-maintenance", clone.top, f"HEAD:refs/heads/{branch}")
        return True
    finally:
        os.close(handle)


def recognize_branch(repository: Repository, branch: str, newest: str) -> Update:
    """Describe a branch that an earlier run created; raise FleetError if it holds something else."""
    answers = parse_answers(repository.read(branch, ANSWERS_FILE))
    if answers.version != newest:
        raise FleetError(
            "branch-occupied",
            f"the branch {branch} is there, but holds version {answers.version}",
            "rename or delete that branch",
        )
    folder = f":(top,literal){repository.prefix}" if repository.prefix else ":(top)"
    marked = repository.git("grep", "-lzE", MARKERS, branch, "--", folder, accept=(0, 1)).split("\0")[:-1]
    conflicts = tuple(name.removeprefix(f"{branch}:{repository.prefix}") for name in marked)
    subject = repository.git("log", "-1", "--format=%s", branch)
    outcome = Outcome.CONFLICT if conflicts or subject.startswith(CONFLICT) else Outcome.WAITING
    return Update(outcome, branch, conflicts)
