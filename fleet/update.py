"""What fleet does with one service: compare it with its template, or put an update on a branch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from .answers import ANSWERS_FILE, Answers, parse_answers
from .discovery import Service
from .errors import FleetError
from .git import git
from .merge import Merged, Scratch, commit_changes, make_scratch, merge
from .rendering import Release, Rendering
from .repository import Entry, Repository
from .results import Outcome, Position, Problem, Status, Update, describe_problems

# The lines around a conflict.
MARKERS = "^(<<<<<<< before updating|>>>>>>> after updating)"
# How the subject of a commit begins that needs attention.
CONFLICT = "CONFLICT: "


def take_status(
    service: Service, before: Release, repository: Repository, position: Position, uncommitted: set[str]
) -> Status:
    """Compare the files of a service with what the template generated for it. Change nothing."""
    files = repository.files()
    rendering, answers = render_generated(service.answers, before, "update", repository, files)
    edited = set(find_edited(rendering, repository, files))
    edited |= rendering.files.keys() & uncommitted
    branch = repository.update_branch(position.newest)
    waits = position.behind and repository.branch(branch)
    return Status(
        tuple(sorted(edited)),
        tuple(key for key, value in service.answers.values.items() if value != answers.values.get(key)),
        branch if waits else None,
        repository.operation(),
    )


def find_edited(rendering: Rendering, repository: Repository, files: Mapping[str, Entry]) -> list[str]:
    """Return the files that differ from the rendering or are missing, but not the user's own and not the answers."""
    return [
        path
        for path, file in rendering.files.items()
        if path != ANSWERS_FILE and not rendering.is_user_owned(path) and repository.identify(file) != files.get(path)
    ]


def render_generated(
    answers: Answers,
    release: Release,
    operation: Literal["copy", "update"],
    repository: Repository,
    files: Mapping[str, Entry],
) -> tuple[Rendering, Answers]:
    """Render what the template generated for a service, and return the answers it was generated with.

    If someone edited the answers by hand, they do not describe the files: the answers that
    Copier recorded do. `copier update --data` also changes the answers, and the files with
    them. So compare the files with both.
    """
    rendering = release.render(answers, operation)
    recorded = repository.generated_answers(answers.version)
    if recorded is None or recorded.values == answers.values:
        return rendering, answers
    other = release.render(recorded, operation)
    if len(find_edited(other, repository, files)) <= len(find_edited(rendering, repository, files)):
        return other, recorded
    return rendering, answers


def update_service(
    service: Service, before: Release, after: Release, repository: Repository, position: Position, scratch: Path
) -> Update:
    """Put an update of `service` to the newest release on a branch.

    Raise FleetError, or an error of Copier's, if that is impossible; the repository is unchanged then.
    """
    if not position.behind:
        return Update(Outcome.CURRENT)
    branch = repository.update_branch(position.newest)
    if repository.branch(branch):
        return recognize_branch(repository, branch, position.newest)
    operation = repository.operation()
    if operation:
        hint = f"finish it or abort it (git {operation} --abort), and run the command again"
        raise FleetError("in-progress", f"a {operation} is in progress", hint)
    if position.dirty:
        return Update(Outcome.DIRTY)
    repository.refuse_occupied(branch)
    after.refuse_migrations(before)

    files = repository.files()
    answers = parse_answers(repository.read(repository.head, ANSWERS_FILE))
    # The new release decides which files are the user's: an older one may have left out more.
    old, _ = render_generated(answers, before, "copy", repository, files)
    new = after.render(answers)
    refuse_changed_answers(answers, parse_answers(new.answers), position.newest)
    workshop = make_scratch(repository, scratch / "merge.git")
    merged = merge(repository, workshop, old, new, files)
    commit = commit_changes(workshop, repository, merged.changes, describe_update(service.name, position, merged))
    if not publish(workshop, repository, commit, branch):
        return recognize_branch(repository, branch, position.newest)
    outcome = Outcome.CONFLICT if merged.problems else Outcome.UPDATED
    return Update(outcome, branch, merged.problems, is_new=True)


def refuse_changed_answers(before: Answers, after: Answers, newest: str) -> None:
    """Raise FleetError if the new version replaced an answer: Copier takes the default if it refuses one."""
    for key, value in before.values.items():
        if key in after.values and str(after.values[key]) != str(value):
            raise FleetError(
                "answer-refused",
                f"{newest} does not take the answer {key}: {value} (its own is {after.values[key]})",
                "run `copier update` in the service and answer this question",
            )


def describe_update(name: str, position: Position, merged: Merged) -> str:
    """Return the message of the commit."""
    subject = f"Update {name} from {position.version} to {position.newest} of its template"
    if merged.problems:
        return f"{CONFLICT}{subject}\n\n{describe_problems(merged.problems)}\n"
    return f"{subject}\n"


def publish(scratch: Scratch, repository: Repository, commit: str, branch: str) -> bool:
    """Create `branch` in the user's repository; return False if it exists by now.

    git writes the objects first and the branch last, so an interruption leaves all of it or nothing.
    """
    options = ("--revs", "--stdout", "--quiet", "--delta-base-offset")
    objects = scratch.git("pack-objects", *options, stdin=f"{commit}\n^{repository.head}\n".encode())
    environment, folder = repository.environment, repository.top
    with repository.locked():
        if repository.branch(branch):
            return False
        # No other fleet works here while the repository is locked: a run that was killed left this lock.
        (repository.common / f"refs/heads/{branch}.lock").unlink(missing_ok=True)
        git(environment, folder, "unpack-objects", "-q", stdin=objects, uninterrupted=True)
        absent = "0" * len(commit)
        git(environment, folder, "update-ref", "-m", "fleet: update", f"refs/heads/{branch}", commit, absent)
        return True


def recognize_branch(repository: Repository, branch: str, newest: str) -> Update:
    """Describe a branch that an earlier run created; raise FleetError if it holds something else."""
    hint = f"rename it, git branch -m {branch} NEW-NAME, or delete it"
    try:
        version = parse_answers(repository.read(branch, ANSWERS_FILE)).version
    except FleetError as error:
        raise FleetError("branch-occupied", f"the branch {branch} holds something else", hint) from error
    if version != newest:
        raise FleetError("branch-occupied", f"the branch {branch} is there, but holds version {version}", hint)
    marked = repository.git("grep", "-lzE", "--full-name", MARKERS, branch, "--", ".", accept=(0, 1)).split("\0")[:-1]
    conflicts = {name.removeprefix(f"{branch}:{repository.prefix}"): Problem.CONFLICT for name in marked}
    subject = repository.git("log", "-1", "--format=%s", branch)
    outcome = Outcome.CONFLICT if conflicts or subject.startswith(CONFLICT) else Outcome.WAITING
    return Update(outcome, branch, conflicts)
