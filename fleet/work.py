"""What is done to one service: its status is taken, or an update of it put on a branch.

Nothing here writes to the user's checkout. An update happens in a clone that borrows the
repository's objects; all that the repository gets, as the last step, is the finished branch.
"""

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from copier import Settings, run_copy, run_update

from .find import ANSWERS_FILE, Broken, Report, Service, Template, git, read_answers, reason

# What Copier writes around a conflict.
MARKERS = "^(<<<<<<< before updating|>>>>>>> after updating)"
CONFLICT = "CONFLICT: "
# No template is trusted, whatever the user's own settings say: none may run a command here.
UNTRUSTED = Settings()

# A file's bytes and whether it may be run; a link's target; None where there is neither.
Content = tuple[bytes, bool] | str | None


class Checkout:
    """The git repository that a service lives in. Broken, if there is none, or no commit of the service."""

    def __init__(self, service: Service):
        folder = service.folder
        self.top = Path(git(folder, "rev-parse", "--show-toplevel").removesuffix("\n"))
        self.prefix = git(folder, "rev-parse", "--show-prefix").removesuffix("\n")
        self.common = (folder / git(folder, "rev-parse", "--git-common-dir").removesuffix("\n")).resolve()
        try:
            self.head = git(folder, "rev-parse", "--verify", "HEAD").strip()
            git(folder, "cat-file", "-e", f"HEAD:./{ANSWERS_FILE}")
        except Broken as error:
            raise Broken(f"no commit holds {ANSWERS_FILE}") from error

    def dirty(self) -> bool:
        """Whether anything in the repository is changed or untracked; git's index stays as it is."""
        return bool(git(self.top, "--no-optional-locks", "status", "--porcelain"))

    def branch(self, version: str) -> str:
        """The branch for an update to `version`; several services in one repository have one each."""
        return f"copier-update/{re.sub('[^A-Za-z0-9._/-]', '-', self.prefix)}{version}"

    def has(self, branch: str) -> bool:
        return bool(git(self.top, "for-each-ref", f"refs/heads/{branch}"))


def status(service: Service, template: Template, report: Report) -> None:
    """Fill in `report` for `service`. Broken, or an error of Copier's, if that cannot be done."""
    checkout = _look(service, template, report)
    branch = checkout.branch(report.newest)
    if report.behind and checkout.has(branch):
        report.branch = branch
        report.message = f"its update waits on {branch}"
    with _generated(service, template) as (generated, owned_by_user):
        report.edited = [
            name for name in generated if not owned_by_user(name) and generated[name] != _content(service.folder / name)
        ]
    report.state = "behind" if report.behind else "current"


def update(service: Service, template: Template, report: Report) -> None:
    """Put an update of `service` to the newest release on a branch, and fill in `report`.

    Broken, or an error of Copier's, if that cannot be done; then the repository is as it was.
    """
    checkout = _look(service, template, report)
    if not report.behind:
        report.state = "current"
        return
    branch = checkout.branch(report.newest)
    if checkout.has(branch):
        _recognise(checkout, branch, report)
    elif report.dirty:
        report.state = "dirty"
        report.message = "uncommitted changes; left alone"
    else:
        with tempfile.TemporaryDirectory(prefix="update-") as scratch:
            clone = Path(scratch, "clone")
            report.conflicts, note = _update_clone(service, template, checkout, clone, report)
            if _publish(checkout, clone, branch):
                report.branch = branch
                report.state = "conflict" if report.conflicts else "updated"
                report.message = note or f"on {branch}"
            else:
                _recognise(checkout, branch, report)


def _look(service: Service, template: Template, report: Report) -> Checkout:
    report.version = service.answers["_commit"]
    report.newest = template.releases[-1]
    report.behind = template.behind(report.version)
    checkout = Checkout(service)
    report.dirty = checkout.dirty()
    return checkout


def _recognise(checkout: Checkout, branch: str, report: Report) -> None:
    """Fill in `report` from a branch of an earlier run. Broken, if it holds something else."""
    report.branch = branch
    answers = read_answers(git(checkout.top, "cat-file", "blob", f"{branch}:{checkout.prefix}{ANSWERS_FILE}"))
    if answers["_commit"] != report.newest:
        raise Broken(f"the branch {branch} is there, but holds version {answers['_commit']}")
    folder = f":(top,literal){checkout.prefix}" if checkout.prefix else ":(top)"
    found = git(checkout.top, "grep", "-lzE", MARKERS, branch, "--", folder, accept=(0, 1))
    report.conflicts = [name.removeprefix(f"{branch}:{checkout.prefix}") for name in found.split("\0")[:-1]]
    if report.conflicts or git(checkout.top, "log", "-1", "--format=%s", branch).startswith(CONFLICT):
        report.state = "conflict"
        report.message = f"the conflicts on {branch} are still to be resolved"
    else:
        report.state = "waiting"
        report.message = f"on {branch}, since an earlier run"


def _update_clone(
    service: Service, template: Template, checkout: Checkout, clone: Path, report: Report
) -> tuple[list[str], str]:
    """Clone the repository to `clone`, and commit the service's update there.

    Returns the files that need a person, relative to the service, and a sentence on them.
    Broken, if the new version refuses a recorded answer; Copier would take the default for it.
    """
    git(checkout.top, "clone", "--quiet", "--shared", "--no-checkout", "--", checkout.top, clone)
    git(clone, "checkout", "--quiet", "--detach", checkout.head)
    folder = clone / checkout.prefix
    answers_file = folder / ANSWERS_FILE
    if service.answers["_src_path"] != template.source:
        answers_file.write_text(yaml.safe_dump(service.answers | {"_src_path": template.source}, allow_unicode=True))
        _commit(checkout, clone, "The template has moved")

    run_update(
        folder,
        vcs_ref=report.newest,
        settings=UNTRUSTED,
        defaults=True,
        skip_answered=True,
        overwrite=True,
        conflict="inline",
        quiet=True,
    )
    answers = read_answers(answers_file.read_bytes())
    for key, value in service.answers.items():
        if key[0] != "_" and key in answers and str(answers[key]) != str(value):
            raise Broken(f"{report.newest} does not take the answer {key}: {value} (its own is {answers[key]})")

    unmerged = git(clone, "diff", "--name-only", "-z", "--diff-filter=U").split("\0")[:-1]
    conflicts = [name.removeprefix(checkout.prefix) for name in unmerged]
    git(clone, "add", "--all")
    dropped = _keep_edited(service, template, checkout, clone)
    git(clone, "reset", "--quiet", "--soft", checkout.head)

    note = " ".join(
        f"{what}: {', '.join(names)}."
        for what, names in (("Conflicts in", conflicts), ("Edited here, dropped by the template, kept", dropped))
        if names
    )
    subject = f"Update {service.name} from {report.version} to {report.newest} of its template"
    _commit(checkout, clone, f"{CONFLICT * bool(note)}{subject}", *([note] if note else []))
    return conflicts + dropped, note


def _keep_edited(service: Service, template: Template, checkout: Checkout, clone: Path) -> list[str]:
    """Bring back what the update deleted although the user owns or has edited it; return those files.

    Copier drops what the new version no longer generates, edited or not.
    """
    deleted = git(clone, "diff", "--cached", "--name-only", "-z", "--no-renames", "--diff-filter=D", "HEAD")
    names = [name.removeprefix(checkout.prefix) for name in deleted.split("\0")[:-1]]
    if not names:
        return []
    folder = clone / checkout.prefix
    with _generated(service, template) as (generated, owned_by_user):
        git(folder, "--literal-pathspecs", "checkout", "HEAD", "--", *names)
        untouched = {n for n in names if not owned_by_user(n) and generated.get(n) == _content(folder / n)}
    if untouched:
        git(folder, "--literal-pathspecs", "rm", "--quiet", "--force", "--", *untouched)
    return [name for name in names if name not in untouched]


def _commit(checkout: Checkout, clone: Path, *paragraphs: str) -> None:
    """Commit everything in `clone`, under the name that the user's repository is set up with."""
    identity: list[str] = []
    # Where none is set, the one that Copier itself commits under.
    for key, otherwise in (("user.name", "Copier"), ("user.email", "copier@copier")):
        identity += ["-c", f"{key}={git(checkout.top, 'config', '--get', key, accept=(0, 1)).strip() or otherwise}"]
    messages = [argument for paragraph in paragraphs for argument in ("-m", paragraph)]
    git(clone, "add", "--all")
    git(clone, *identity, "commit", "--quiet", "--no-verify", "--no-gpg-sign", *messages)


def _publish(checkout: Checkout, clone: Path, branch: str) -> bool:
    """Create `branch` in the user's repository from the clone's HEAD; False, if it is there by now.

    The objects come first, then the reference in one step: a kill leaves all of it or nothing.
    """
    handle = os.open(checkout.common, os.O_RDONLY)  # a lock on the folder leaves no file behind
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if checkout.has(branch):
            return False
        # No fleet is at work in here, so a lock on its branch is one that a killed run left.
        (checkout.common / f"refs/heads/{branch}.lock").unlink(missing_ok=True)
        quietly = ("--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-recurse-submodules")
        git(checkout.top, "fetch", *quietly, "--no-auto-maintenance", clone, f"HEAD:refs/heads/{branch}")
        return True
    finally:
        os.close(handle)


@contextmanager
def _generated(service: Service, template: Template) -> Iterator[tuple[dict[str, Content], Callable[[str], bool]]]:
    """What the template gives for the recorded answers at the recorded version.

    Yields the files, as _content sees them, by name, without the answers file; and whether
    a name is one that the template leaves to the user after the first copy.
    """
    with tempfile.TemporaryDirectory(prefix="generated-") as scratch:
        folder = Path(scratch, "service")
        worker = run_copy(
            template.source,
            folder,
            data={key: value for key, value in service.answers.items() if key[0] != "_"},
            vcs_ref=service.answers["_commit"],
            settings=UNTRUSTED,
            defaults=True,
            quiet=True,
        )
        files = {
            path.relative_to(folder).as_posix(): _content(path)
            for path in sorted(folder.rglob("*"))
            if path.is_symlink() or path.is_file()
        }
        files.pop(ANSWERS_FILE, None)
        # Copier's own reading of _skip_if_exists, which it does not document.
        yield files, lambda name: worker.match_skip(Path(name))


def _content(path: Path) -> Content:
    if path.is_symlink():
        return str(path.readlink())
    try:
        return path.read_bytes(), bool(path.stat().st_mode & 0o100)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def perform(verb: str, service: Service, template: Template) -> Report:
    """The report of `verb`, status or update, on `service`; broken, with the reason, if it fails."""
    began = time.monotonic()
    report = Report(service.name, service.folder)
    try:
        {"status": status, "update": update}[verb](service, template, report)
    except Exception as error:
        report.state = "broken"
        # What plumbum raises, of which Copier lets some through, has git's own words here.
        report.message = reason(getattr(error, "stderr", None) or str(error)) or type(error).__name__
    report.seconds = round(time.monotonic() - began, 2)
    return report
