"""`fleet` handles repositories in unusual states: it changes only the new branch, loses no edit, and says what to do.

Each state is a function that prepares one service. One `fleet status` and one `fleet update` run
over all of them.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from testing import fleet as testing_fleet
from testing.fleet import BRANCH, CHANGED, DROPPED, NEW, NEW_LINE, OLD, Fleet, Outcome, append, replace_first_line
from testing.git import commit, git
from testing.process import run

pytestmark = pytest.mark.xdist_group("fleet-states")

MINE = "# Mine, at the end"
ANSWERS_FILE = ".copier-answers.yml"
YAML, UMLAUT, MOVED, MOVED_TO = "settings.yml", "größe.txt", "moved.txt", "place/moved.txt"
ADDED, ADDED_IN_UMLAUT, ADDED_IN_FOLDER = "added.txt", "größen/added.txt", "needs/folder.txt"
ADDED_TEXT = "The next release adds this file.\n"


def numbered(line: str, first: str = "") -> str:
    """Return 20 different lines; `first` replaces the first of them."""
    lines = [line.format(number) for number in range(1, 21)]
    return "".join(f"{line}\n" for line in ([first, *lines[1:]] if first else lines))


OLD_TEXT, NEW_TEXT = numbered("Line {} of the template"), numbered("Line {} of the template", NEW_LINE)
OLD_RELEASE = {
    YAML: numbered("key_{0}: {0}"),
    UMLAUT: numbered("Line {} of a file with an umlaut"),
    MOVED: numbered("Line {} of a file that moves"),
    "size.txt.jinja": "The size is {{ size }}.\n",
}
NEW_RELEASE = {
    YAML: numbered("key_{0}: {0}", "key_1: new"),
    UMLAUT: numbered("Line {} of a file with an umlaut", NEW_LINE),
    MOVED: None,
    MOVED_TO: OLD_RELEASE[MOVED],
    ADDED: ADDED_TEXT,
    ADDED_IN_UMLAUT: ADDED_TEXT,
    ADDED_IN_FOLDER: ADDED_TEXT,
}


def conflict(mine: str, new: str) -> str:
    return f"<<<<<<< before updating\n{mine}\n=======\n{new}\n>>>>>>> after updating\n"


@dataclass(frozen=True)
class Place:
    """Where a state is prepared: `fleet` searches `folder`, and does not search `others`."""

    folder: Path
    others: Path
    pristine: Path
    template: Path

    def service(self, name: str = "service") -> Path:
        """Return a new service, committed, with MINE at the end of CHANGED."""
        return shutil.copytree(self.pristine, self.folder / name)

    def other(self, name: str = "other") -> Path:
        """Return such a service outside of the folder that `fleet` searches."""
        return shutil.copytree(self.pristine, self.others / name)


@dataclass(frozen=True)
class State:
    """A function that prepares a service and returns its folder, and what `fleet` is expected to report.

    `files` has the content of files on the branch of the update, None for a file that is not on it.
    """

    prepare: Callable[[Place], Path]
    status: str = "behind"
    edited: tuple[str, ...] | None = (CHANGED,)
    dirty: bool | None = False
    update: str = "updated"
    conflicts: tuple[str, ...] = ()
    code: str | None = None
    hint: str = ""
    version: str = NEW
    files: Mapping[str, str | bytes | None] = field(default_factory=dict)


STATES: dict[str, State] = {}


def state(name: str = "", **expected: Any) -> Callable[[Callable[[Place], Path]], Callable[[Place], Path]]:
    def add(prepare: Callable[[Place], Path]) -> Callable[[Place], Path]:
        STATES[name or prepare.__name__] = State(prepare, **expected)
        return prepare

    return add


def kept(name: str, content: str | bytes, **expected: Any) -> dict[str, Any]:
    """Return what is expected if `content` stays in the file `name`, and the file needs attention."""
    return {"update": "conflict", "conflicts": (name,), "files": {name: content}} | expected


# Edits under settings and attributes that change what git prints, reads or writes.

MERGED = NEW_TEXT + MINE + "\n"


@state()
def plain(place: Place) -> Path:
    return place.service()


@state(files={CHANGED: MERGED + "trailing blanks   \n\t\n"})
def whitespace_is_an_error(place: Place) -> Path:
    service = place.service()
    git(service, "config", "apply.whitespace", "error")
    git(service, "config", "core.whitespace", "trailing-space,space-before-tab,tab-in-indent")
    append(service / CHANGED, "trailing blanks   \n\t")
    return commit(service)


UTF_16 = (OLD_TEXT + MINE + "\n").encode() + "appended\r\n".encode("utf-16-le")


@state(**kept(CHANGED, UTF_16))
def nul_bytes(place: Place) -> Path:
    service = place.service()
    (service / CHANGED).write_bytes(UTF_16)
    return commit(service)


EDITED_YAML = {CHANGED: MERGED, YAML: f"{NEW_RELEASE[YAML]}mine: true\n"}


@state(edited=(CHANGED, YAML), files=EDITED_YAML)
def global_attribute_without_diff(place: Place) -> Path:
    service = place.service()
    attributes = place.others / "attributes"
    attributes.write_text("*.yml -diff\n")
    git(service, "config", "core.attributesFile", attributes)
    append(service / YAML, "mine: true")
    return commit(service)


@state(edited=(CHANGED, YAML), files=EDITED_YAML)
def attributes_without_text_diff_and_merge(place: Place) -> Path:
    service = place.service()
    (service / ".gitattributes").write_text("* -text -diff -merge\n")
    append(service / YAML, "mine: true")
    return commit(service)


@state(edited=(CHANGED, YAML), files=EDITED_YAML)
def attributes_with_line_ends_and_union(place: Place) -> Path:
    service = place.service()
    (service / ".gitattributes").write_text("* text eol=crlf merge=union\n")
    append(service / YAML, "mine: true")
    return commit(service)


@state(**kept(CHANGED, conflict("# My first line", NEW_LINE) + MERGED.partition("\n")[2]))
def untracked_files_not_shown_and_a_conflict(place: Place) -> Path:
    service = place.service()
    git(service, "config", "status.showUntrackedFiles", "no")
    replace_first_line(service / CHANGED, "# My first line")
    return commit(service)


@state(dirty=True, update="dirty")
def untracked_files_not_shown_and_one_is_there(place: Place) -> Path:
    service = place.service()
    git(service, "config", "status.showUntrackedFiles", "no")
    (service / "untracked.txt").write_text(MINE)
    return service


EDITED_UMLAUT = {CHANGED: MERGED, UMLAUT: f"{NEW_RELEASE[UMLAUT]}{MINE}\n"}


@state(edited=(CHANGED, UMLAUT), files=EDITED_UMLAUT)
def names_not_quoted(place: Place) -> Path:
    service = place.service()
    git(service, "config", "core.quotePath", "false")
    append(service / UMLAUT, MINE)
    return commit(service)


@state(edited=(CHANGED, UMLAUT), files=EDITED_UMLAUT)
def names_quoted(place: Place) -> Path:
    service = place.service()
    append(service / UMLAUT, MINE)
    return commit(service)


@state()
def autocrlf_true(place: Place) -> Path:
    service = place.service()
    git(service, "config", "core.autocrlf", "true")
    # Check all files out again, as a clone with this setting has them.
    for path in service.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    git(service, "checkout", "--quiet", "--", ".")
    assert b"\r\n" in (service / CHANGED).read_bytes()
    return service


@state()
def autocrlf_input(place: Place) -> Path:
    service = place.service()
    git(service, "config", "core.autocrlf", "input")
    return service


SETTINGS = {
    "color.ui": "always",
    "column.ui": "always",
    "core.abbrev": "4",
    "core.fsmonitor": "false",
    "diff.external": "false",
    "diff.mnemonicPrefix": "true",
    "diff.noprefix": "true",
    "diff.renames": "false",
    "i18n.commitEncoding": "ISO-8859-1",
    "log.showSignature": "true",
    "merge.conflictStyle": "diff3",
    "merge.ff": "only",
    "merge.renames": "false",
    "status.short": "true",
    "status.branch": "true",
    "status.relativePaths": "false",
}


@state(
    **kept(CHANGED, conflict("# My first line", NEW_LINE) + MERGED.partition("\n")[2]),
)
def many_settings_and_a_conflict(place: Place) -> Path:
    service = place.service()
    replace_first_line(service / CHANGED, "# My first line")
    commit(service)
    for name, value in SETTINGS.items():
        git(service, "config", name, value)
    return service


HOOKS = ("pre-commit", "commit-msg", "post-checkout", "post-commit", "reference-transaction", "post-index-change")


def add_failing_hooks(hooks: Path, trace: Path) -> None:
    hooks.mkdir(exist_ok=True)
    for name in HOOKS:
        hook = hooks / name
        hook.write_text(f"#!/bin/sh\ntouch '{trace}'\nexit 1\n")
        hook.chmod(0o755)


@state()
def failing_hooks(place: Place) -> Path:
    service = place.service()
    add_failing_hooks(service / ".git" / "hooks", place.others / "a-hook-ran")
    return service


@state()
def failing_hooks_in_another_folder(place: Place) -> Path:
    service = place.service()
    add_failing_hooks(place.others / "hooks", place.others / "a-hook-ran")
    git(service, "config", "core.hooksPath", place.others / "hooks")
    return service


@state()
def required_signing(place: Place) -> Path:
    service = place.service()
    for name, value in (("commit.gpgSign", "true"), ("tag.gpgSign", "true"), ("gpg.program", "false")):
        git(service, "config", name, value)
    return service


# Files that are not what the template generated.


@state(edited=(CHANGED,), **kept(CHANGED, "README.md"))
def a_symlink_instead_of_a_file(place: Place) -> Path:
    service = place.service()
    (service / CHANGED).unlink()
    (service / CHANGED).symlink_to("README.md")
    return commit(service)


@state(**kept(CHANGED, None, files={CHANGED: None, f"{CHANGED}/mine.txt": f"{MINE}\n"}))
def a_folder_instead_of_a_file(place: Place) -> Path:
    service = place.service()
    (service / CHANGED).unlink()
    (service / CHANGED).mkdir()
    (service / CHANGED / "mine.txt").write_text(f"{MINE}\n")
    return commit(service)


@state(**kept(CHANGED, None))
def a_submodule_instead_of_a_file(place: Place) -> Path:
    service, library = place.service(), place.others / "library"
    library.mkdir()
    (library / "library.txt").write_text("A library.\n")
    git(service, "rm", "--quiet", CHANGED)
    git(service, "submodule", "--quiet", "add", commit(library), CHANGED)
    return commit(service)


@state(**kept(ADDED_IN_FOLDER, None, files={CHANGED: MERGED, ADDED_IN_FOLDER: None, "needs": f"{MINE}\n"}))
def a_file_where_a_folder_is_needed(place: Place) -> Path:
    service = place.service()
    (service / "needs").write_text(f"{MINE}\n")
    return commit(service)


BOTH_ADDED = f"<<<<<<< before updating\n{MINE}\n=======\n{ADDED_TEXT}>>>>>>> after updating\n"


@state(**kept(ADDED, BOTH_ADDED))
def a_file_that_the_release_adds(place: Place) -> Path:
    service = place.service()
    (service / ADDED).write_text(f"{MINE}\n")
    return commit(service)


@state(**kept(ADDED_IN_UMLAUT, BOTH_ADDED))
def a_file_that_the_release_adds_to_a_folder_with_an_umlaut(place: Place) -> Path:
    service = place.service()
    (service / "größen").mkdir()
    (service / ADDED_IN_UMLAUT).write_text(f"{MINE}\n")
    return commit(service)


@state()
def a_file_that_the_release_adds_and_is_equal(place: Place) -> Path:
    service = place.service()
    (service / ADDED).write_text(ADDED_TEXT)
    return commit(service)


@state(edited=(".gitignore", CHANGED), **kept(ADDED, None))
def an_ignored_file_that_the_release_adds(place: Place) -> Path:
    service = place.service()
    append(service / ".gitignore", f"/{ADDED}")
    commit(service)
    (service / ADDED).write_text("A secret.\n")
    return service


@state(edited=(".gitignore", CHANGED))
def a_new_file_that_gitignore_matches(place: Place) -> Path:
    service = place.service()
    append(service / ".gitignore", f"/{ADDED}\n/needs/")
    return commit(service)


@state(**kept(DROPPED, f"The next release does not have this file.\n{MINE}\n", edited=(CHANGED, DROPPED)))
def an_edited_file_that_the_release_deletes(place: Place) -> Path:
    service = place.service()
    append(service / DROPPED, MINE)
    return commit(service)


@state(edited=(CHANGED, MOVED), files={CHANGED: MERGED, MOVED_TO: f"{OLD_RELEASE[MOVED]}{MINE}\n"})
def an_edited_file_that_the_release_moves(place: Place) -> Path:
    service = place.service()
    append(service / MOVED, MINE)
    return commit(service)


MINE_AT_THE_NEW_PLACE = f"{OLD_RELEASE[MOVED]}<<<<<<< before updating\nmine\n=======\n>>>>>>> after updating\n"
MOVED_UTF_16 = OLD_RELEASE[MOVED].encode() + "mine\r\n".encode("utf-16-le")


@state(
    edited=(CHANGED, MOVED),
    update="conflict",
    conflicts=(MOVED, MOVED_TO),
    files={CHANGED: MERGED, MOVED: MOVED_UTF_16, MOVED_TO: MINE_AT_THE_NEW_PLACE},
)
def an_edited_file_that_is_not_text_and_that_the_release_moves_onto_one_of_the_users(place: Place) -> Path:
    service = place.service()
    (service / MOVED).write_bytes(MOVED_UTF_16)
    (service / MOVED_TO).parent.mkdir()
    (service / MOVED_TO).write_text(f"{OLD_RELEASE[MOVED]}mine\n")
    return commit(service)


@state(files={CHANGED: None, "mine.txt": f"{OLD_TEXT}{MINE}\n"})
def a_file_that_the_user_moved(place: Place) -> Path:
    service = place.service()
    git(service, "mv", CHANGED, "mine.txt")
    return commit(service)


@state(files={CHANGED: None})
def a_file_that_the_user_deleted(place: Place) -> Path:
    service = place.service()
    (service / CHANGED).unlink()
    return commit(service)


@state(edited=(".gitignore", CHANGED), files={CHANGED: None})
def an_ignored_template_file(place: Place) -> Path:
    service = place.service()
    git(service, "rm", "--quiet", "--cached", CHANGED)
    append(service / ".gitignore", f"/{CHANGED}")
    return commit(service)


@state()
def an_edit_under_skip_worktree(place: Place) -> Path:
    service = place.service()
    git(service, "update-index", "--skip-worktree", CHANGED)
    append(service / CHANGED, "Only on this machine.")
    return service


@state()
def an_edit_under_assume_unchanged(place: Place) -> Path:
    service = place.service()
    git(service, "update-index", "--assume-unchanged", CHANGED)
    append(service / CHANGED, "Only on this machine.")
    return service


@state()
def file_modes_not_compared(place: Place) -> Path:
    service = place.service()
    git(service, "config", "core.fileMode", "false")
    git(service, "update-index", "--chmod=+x", CHANGED)
    git(service, "commit", "--quiet", "--message", "Executable")
    return service


# Answers


@state()
def comments_in_the_answers(place: Place) -> Path:
    service = place.service()
    answers = service / ANSWERS_FILE
    answers.write_text(
        answers.read_text().replace("size: small", "# Our own line\nsize: small  # at the end of a line")
    )
    append(answers, "# Our last line")
    return commit(service)


@state(edited=None, files={CHANGED: MERGED, "size.txt": "The size is large.\n"})
def an_answer_edited_by_hand(place: Place) -> Path:
    service = place.service()
    answers = service / ANSWERS_FILE
    answers.write_text(answers.read_text().replace("size: small", "size: large"))
    return commit(service)


@state(update="broken", code="answer-refused", hint="copier update")
def an_answer_that_the_release_refuses(place: Place) -> Path:
    service = place.service()
    answers = service / ANSWERS_FILE
    answers.write_text(answers.read_text().replace("size: small", "size: huge"))
    (service / "size.txt").write_text("The size is huge.\n")
    return commit(service)


SEVERAL_TAGS = "v0.0.10"


@state(version=SEVERAL_TAGS)
def several_tags_on_one_commit(place: Place) -> Path:
    service = place.service()
    template = shutil.copytree(place.template, place.others / "template")
    for tag, commit_of in (
        ("v0.0.0", OLD),
        ("v0.0.1.post1", OLD),
        ("latest", NEW),
        (SEVERAL_TAGS, NEW),
        ("v0.0.3", NEW),
    ):
        git(template, "tag", tag, f"{commit_of}^{{commit}}")
    answers = service / ANSWERS_FILE
    answers.write_text(answers.read_text().replace(str(place.template), str(template)))
    return commit(service)


@state(status="broken", dirty=None, edited=None, update="broken", code="template-unreachable", hint="--template")
def a_template_that_is_gone(place: Place) -> Path:
    service = place.service()
    answers = service / ANSWERS_FILE
    answers.write_text(answers.read_text().replace(str(place.template), str(place.others / "gone")))
    return commit(service)


# Repositories


@state()
def detached_head(place: Place) -> Path:
    service = place.service()
    git(service, "switch", "--quiet", "--detach")
    return service


@state()
def linked_worktree(place: Place) -> Path:
    service = place.folder / "service"
    git(place.other(), "worktree", "add", "--quiet", "-b", "work", service)
    return service


@state()
def shallow_clone(place: Place) -> Path:
    service = place.folder / "service"
    git(place.others, "clone", "--quiet", "--depth", "1", f"file://{place.other()}", service)
    return service


@state()
def partial_clone(place: Place) -> Path:
    service, origin = place.folder / "service", place.other()
    git(origin, "config", "uploadpack.allowFilter", "true")
    git(place.others, "clone", "--quiet", "--filter=blob:none", f"file://{origin}", service)
    return service


@state()
def submodule(place: Place) -> Path:
    project = place.folder / "project"
    project.mkdir()
    git(commit(project), "submodule", "--quiet", "add", place.other(), "service")
    commit(project)
    return project / "service"


@state()
def borrowed_objects(place: Place) -> Path:
    service = place.folder / "service"
    git(place.others, "clone", "--quiet", "--shared", place.other(), service)
    return service


@state()
def packed_objects_and_branches(place: Place) -> Path:
    service = place.service()
    git(service, "gc", "--quiet")
    git(service, "pack-refs", "--all")
    return service


@state()
def sha_256(place: Place) -> Path:
    service = place.service()
    shutil.rmtree(service / ".git")
    git(service, "init", "--quiet", "--object-format=sha256", "--initial-branch", "main")
    return commit(service)


@state()
def sparse_checkout(place: Place) -> Path:
    service = place.service()
    git(service, "status")  # refresh the index: git removes only files that it knows to be unchanged
    git(service, "sparse-checkout", "set", "--no-cone", "/*", f"!/{CHANGED}")
    assert not (service / CHANGED).exists()
    return service


@state()
def sparse_index(place: Place) -> Path:
    service = place.service()
    git(service, "status")  # refresh the index: git removes only files that it knows to be unchanged
    git(service, "sparse-checkout", "set", "--cone", "--sparse-index", "tests")
    assert not (service / "src").exists()
    return service


@state()
def git_folder_elsewhere(place: Place) -> Path:
    service = place.service()
    git(service, "init", "--quiet", f"--separate-git-dir={place.others / 'repository'}")
    git(service, "config", "core.worktree", service)
    return service


@state()
def an_index_lock_left_behind(place: Place) -> Path:
    service = place.service()
    (service / ".git" / "index.lock").touch()
    return service


@state()
def a_changed_file_beside_the_service(place: Place) -> Path:
    service = commit_below(place, "service")
    (service.parent / "untracked.txt").write_text(MINE)
    return service


@state(dirty=True, update="dirty")
def a_changed_file_in_the_service(place: Place) -> Path:
    service = place.service()
    append(service / "README.md", MINE)
    return service


# Repositories that cannot be updated


@state(status="broken", edited=None, dirty=None, update="broken", code="not-committed", hint="commit")
def unborn_branch(place: Place) -> Path:
    service = place.service()
    git(service, "switch", "--quiet", "--orphan", "other")
    git(service, "checkout", "main", "--", ".")
    return service


@state(update="broken", hint="rename|delete")
def a_branch_called_copier_update(place: Place) -> Path:
    service = place.service()
    git(service, "branch", "copier-update")
    return service


@state(update="broken", code="branch-occupied", hint="rename|delete")
def a_branch_of_that_name_with_something_else(place: Place) -> Path:
    service = place.service()
    git(service, "branch", BRANCH)
    return service


@state(update="broken", code="branch-occupied", hint="rename|delete")
def a_branch_below_that_name(place: Place) -> Path:
    service = place.service()
    git(service, "branch", f"{BRANCH}/more")
    return service


@state(status="", edited=None, dirty=None, update="broken", hint="fetch|clone|fsck|restore")
def missing_object(place: Place) -> Path:
    service = place.service()
    replace_first_line(service / CHANGED, "# My first line")
    blob = git(commit(service), "rev-parse", f"HEAD:{CHANGED}")
    (service / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    return service


def in_progress(place: Place, *command: str, clean: bool = True) -> Path:
    """Return a service in which `git COMMAND` stopped, with a clean checkout."""
    service = place.service()
    notes = service / "notes.txt"
    notes.write_text("One\n")
    git(commit(service), "branch", "other")
    for text in ("Two\n", "Three\n"):
        notes.write_text(text)
        commit(service)
    git(service, "switch", "--quiet", "other")
    notes.write_text("Four\n")
    git(commit(service), "switch", "--quiet", "main")
    editor = {"GIT_SEQUENCE_EDITOR": "sed -i 1s/pick/edit/"}
    run("git", *command, cwd=service, env=editor, check=False)
    if clean:
        git(service, "checkout", "HEAD", "--", "notes.txt")
    assert git(service, "status", "--porcelain") == ""
    return service


STOPPED = {"update": "broken", "code": "in-progress", "hint": "finish|abort|continue|quit|reset"}


@state(**STOPPED)
def merge_in_progress(place: Place) -> Path:
    return in_progress(place, "merge", "other")


@state(**STOPPED)
def cherry_pick_in_progress(place: Place) -> Path:
    return in_progress(place, "cherry-pick", "other")


@state(**STOPPED)
def revert_in_progress(place: Place) -> Path:
    return in_progress(place, "revert", "--no-edit", "HEAD~1")


@state(**STOPPED)
def rebase_stopped_at_edit(place: Place) -> Path:
    return in_progress(place, "rebase", "--quiet", "--interactive", "HEAD~2", clean=False)


@state(**STOPPED)
def bisect_in_progress(place: Place) -> Path:
    return in_progress(place, "bisect", "start", "main", "main~3", clean=False)


# Odd paths, of a service in a monorepo and of a repository


def commit_below(place: Place, name: str) -> Path:
    """Return a service in the folder `name` of a larger repository."""
    repository = place.folder / "repository"
    service = repository / name
    service.parent.mkdir(parents=True)
    shutil.copytree(place.pristine, service, ignore=shutil.ignore_patterns(".git"))
    commit(repository)
    return service


ODD_NAMES = {
    "a_leading_dot": ".dot/service",
    "a_trailing_dot": "dot.",
    "a_lock_suffix": "service.lock",
    "two_dots": "one..two",
    "spaces": "two words",
    "an_umlaut": "straße",
    "a_brace": "at@{one}",
    "a_tilde": "tilde~1^2",
    "a_pattern": "star*[a]?",
    "a_leading_colon": ":(top)colon",
    "a_leading_dash": "-dash",
    "a_backslash": "back\\slash",
    "a_quote": "a\"quoted'name",
    "a_percent_sign": "100%20",
    "a_newline": "new\nline",
    "bytes_that_are_not_utf_8": os.fsdecode(b"latin-\xe9"),
}
for key, odd_name in ODD_NAMES.items():
    STATES[f"a_service_with_{key}"] = State(lambda place, name=odd_name: commit_below(place, name))
for key in ("a_newline", "bytes_that_are_not_utf_8", "a_leading_colon", "an_umlaut", "a_quote"):
    STATES[f"a_repository_with_{key}"] = State(lambda place, name=ODD_NAMES[key]: place.service(name))


# One run of each command


@dataclass(frozen=True)
class Run:
    """What a command reported about each service, and what was below the folder of each state after it."""

    outcome: Outcome
    reports: dict[str, dict[str, Any]]
    found: dict[str, dict[str, str]]


class Services:
    """All states, prepared."""

    def __init__(self, base: Path) -> None:
        self.fleet = Fleet(base / "services", base / "temporary")
        self.others = base / "others"
        self.template = testing_fleet.make_template(base / "template", OLD_RELEASE, NEW_RELEASE)
        self.pristine = commit(testing_fleet.generate_service(self.template, base / "pristine" / "service"))
        append(self.pristine / CHANGED, MINE)
        commit(self.pristine)
        self.folders = {name: self.prepare(name, described) for name, described in STATES.items()}

    def prepare(self, name: str, described: State) -> Path:
        place = Place(self.fleet.folder / name, self.others / name, self.pristine, self.template)
        place.folder.mkdir(parents=True)
        place.others.mkdir(parents=True)
        return described.prepare(place)

    def fingerprints(self) -> dict[str, dict[str, str]]:
        """Return what is below the folders of each state; keys begin with `services/` or `others/`."""
        return {
            name: {
                f"{folder.name}/{path}": content
                for folder in (self.fleet.folder, self.others)
                for path, content in testing_fleet.fingerprint(folder / name).items()
            }
            for name in STATES
        }

    def run(self, command: str) -> Run:
        hidden = self.folders["a_service_with_a_leading_dot"]
        outcome = self.fleet.plain(command, "--json", self.fleet.folder, hidden)
        reports = {}
        for report in json.loads(outcome.stdout)["services"]:
            name = Path(report["path"]).relative_to(self.fleet.folder).parts[0]
            assert name not in reports, f"two services in {name}"
            assert Path(report["path"]) == self.folders[name]
            reports[name] = report
        return Run(outcome, reports, self.fingerprints())


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return Services(tmp_path_factory.mktemp("states"))


@pytest.fixture(scope="module")
def before(services: Services) -> dict[str, dict[str, str]]:
    return services.fingerprints()


@pytest.fixture(scope="module")
def status(services: Services, before) -> Run:
    return services.run("status")


@pytest.fixture(scope="module")
def update(services: Services, status: Run) -> Run:
    return services.run("update")


@pytest.fixture(scope="module")
def again(services: Services, update: Run) -> Run:
    return services.run("update")


def blob(service: Path, branch: str, name: str) -> bytes | None:
    """Return the content of a file of the service on `branch`; None if there is no such file."""
    command = ["git", "-C", service, "cat-file", "blob", f"{branch}:./{name}"]
    result = subprocess.run(command, capture_output=True)
    return None if result.returncode else result.stdout


each_state = pytest.mark.parametrize("name", STATES)
each_broken = pytest.mark.parametrize("name", [name for name, known in STATES.items() if known.update == "broken"])
each_updated = pytest.mark.parametrize(
    "name", [name for name, known in STATES.items() if known.update in ("updated", "conflict")]
)


@each_state
def test_status_changes_nothing(before: dict[str, dict[str, str]], status: Run, name: str):
    assert status.found[name] == before[name]


@each_state
def test_status_reports_the_state(status: Run, name: str):
    known, report = STATES[name], status.reports[name]
    if known.status:
        assert report["state"] == known.status, report
    if known.edited is not None:
        assert (report["edited"], report["dirty"]) == (sorted(known.edited), known.dirty), report


@each_state
def test_update_reports_the_state(update: Run, name: str):
    known, report = STATES[name], update.reports[name]
    assert (report["state"], report["conflicts"]) == (known.update, sorted(known.conflicts)), report
    if known.code:
        assert report["code"] == known.code, report


@each_broken
def test_a_broken_service_says_what_to_do(update: Run, name: str):
    report = update.reports[name]
    assert report["message"] and "\n" not in report["message"], report
    assert re.search(STATES[name].hint, report["hint"] or ""), report


@each_state
def test_update_writes_nothing_but_objects_and_the_branch(status: Run, update: Run, name: str):
    old, new = status.found[name], update.found[name]
    assert testing_fleet.unexpected_changes(old, new) == []
    if STATES[name].update in ("broken", "dirty"):
        assert new == old


@each_updated
def test_the_branch_has_the_update_and_every_edit(services: Services, update: Run, name: str):
    known, service = STATES[name], services.folders[name]
    branch = update.reports[name]["branch"]
    assert branch and branch.startswith("copier-update/"), update.reports[name]
    assert git(service, "rev-list", "--count", f"HEAD..{branch}") == "1"
    subject = git(service, "log", "-1", "--no-show-signature", "--no-color", "--format=%s", branch)
    assert subject.startswith("CONFLICT: ") == (known.update == "conflict")
    files = {CHANGED: MERGED, DROPPED: None, MOVED: None, MOVED_TO: OLD_RELEASE[MOVED], ADDED: ADDED_TEXT}
    files |= {ADDED_IN_UMLAUT: ADDED_TEXT, ADDED_IN_FOLDER: ADDED_TEXT, **known.files}
    expected = {path: content.encode() if isinstance(content, str) else content for path, content in files.items()}
    assert {path: blob(service, branch, path) for path in files} == expected
    assert f"\n_commit: {known.version}\n".encode() in (blob(service, branch, ANSWERS_FILE) or b"")


@each_state
def test_a_second_update_changes_nothing(update: Run, again: Run, name: str):
    expected = "waiting" if STATES[name].update == "updated" else STATES[name].update
    assert again.reports[name]["state"] == expected, again.reports[name]
    assert again.found[name] == update.found[name]
    marked = [path for path, content in STATES[name].files.items() if "<<<<<<<" in str(content)]
    assert again.reports[name]["conflicts"] == marked


@pytest.mark.parametrize("key", ODD_NAMES)
def test_the_branch_is_named_after_the_folder(update: Run, key: str):
    branch = update.reports[f"a_service_with_{key}"]["branch"]
    assert unquote(branch, errors="surrogateescape") == f"copier-update/{ODD_NAMES[key]}/{NEW}"


def test_comments_in_the_answers_are_kept(services: Services, update: Run):
    answers = blob(services.folders["comments_in_the_answers"], BRANCH, ANSWERS_FILE)
    assert b"\n# Our own line\n" in answers
    assert b"\nsize: small  # at the end of a line\n" in answers
    assert answers.endswith(b"\n# Our last line\n")


def test_a_file_stays_executable(services: Services, update: Run):
    entry = git(services.folders["file_modes_not_compared"], "ls-tree", BRANCH, CHANGED)
    assert entry.startswith("100755 ")


def test_a_submodule_stays(services: Services, update: Run):
    entry = git(services.folders["a_submodule_instead_of_a_file"], "ls-tree", BRANCH, CHANGED)
    assert entry.startswith("160000 commit ")


def test_nothing_temporary_stays(services: Services, again: Run):
    assert list(services.fleet.temporary.iterdir()) == []


def test_the_table_has_one_line_for_each_odd_path(services: Services, again: Run):
    folders = [services.folders[name] for name in STATES if name.startswith("a_repository_with_")]
    outcome = services.fleet.plain("status", *folders)
    assert (outcome.status, "Traceback" in outcome.stderr) == (1, False), outcome.stderr
    assert len(outcome.stdout.splitlines()) == len(folders) + 2, outcome.stdout
    assert len(outcome.stderr.splitlines()) == len(folders), outcome.stderr


# Settings for all repositories, which apply in every clone that a program makes.
GLOBAL_SETTINGS: dict[str, dict[str, str]] = {
    "whitespace": {"apply.whitespace": "error"},
    "attributes_without_diff": {"core.attributesFile": "{folder}/without-diff"},
    "attributes_with_line_ends": {"core.attributesFile": "{folder}/with-line-ends"},
    "untracked_files": {"status.showUntrackedFiles": "no"},
    "names_not_quoted": {"core.quotePath": "false"},
    "autocrlf": {"core.autocrlf": "true"},
    "signing": {"commit.gpgSign": "true", "gpg.program": "false"},
    "hooks": {"core.hooksPath": "{folder}/hooks"},
    "checks": {"fetch.fsckObjects": "true", "transfer.fsckObjects": "true", "core.safecrlf": "true"},
    "order_of_tags": {"tag.sort": "-version:refname"},
    "names": {"init.defaultBranch": "trunk", "clone.defaultRemoteName": "upstream"},
    "printing": SETTINGS,
}


@pytest.fixture(scope="module")
def edited(services: Services, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A service with edits of several kinds, and the tree of its update under no settings."""
    base = tmp_path_factory.mktemp("edited")
    service = shutil.copytree(services.pristine, base / "service")
    for name in (YAML, UMLAUT, CHANGED, DROPPED):
        append(service / name, f"{MINE}   ")
    replace_first_line(service / CHANGED, "# My first line")
    commit(service)
    fleet = Fleet(shutil.copytree(service, base / "services" / "service").parent, base / "temporary")
    report = fleet.run("update").services["service"]
    assert (report["state"], report["conflicts"]) == ("conflict", [CHANGED, DROPPED]), report
    return service, git(fleet.folder / "service", "ls-tree", "-r", BRANCH)


@pytest.mark.parametrize("name", GLOBAL_SETTINGS)
def test_settings_for_all_repositories_change_nothing(edited: tuple[Path, str], tmp_path: Path, name: str):
    service, tree = edited
    fleet = Fleet(tmp_path / "services", tmp_path / "temporary")
    copied = shutil.copytree(service, fleet.folder / "service")
    (tmp_path / "without-diff").write_text("*.yml -diff\n")
    (tmp_path / "with-line-ends").write_text("* text eol=crlf\n*.txt -merge\n")
    add_failing_hooks(tmp_path / "hooks", tmp_path / "a-hook-ran")
    configuration = tmp_path / "gitconfig"
    shutil.copy(os.environ["GIT_CONFIG_GLOBAL"], configuration)
    for setting, value in GLOBAL_SETTINGS[name].items():
        git(tmp_path, "config", "--file", configuration, setting, value.format(folder=tmp_path))
    outcome = fleet.plain("update", "--json", fleet.folder, GIT_CONFIG_GLOBAL=str(configuration))
    (report,) = json.loads(outcome.stdout)["services"]
    assert (report["state"], report["conflicts"]) == ("conflict", [CHANGED, DROPPED]), report
    assert git(copied, "ls-tree", "-r", BRANCH) == tree
    assert not (tmp_path / "a-hook-ran").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_repository_of_another_user_is_refused_with_a_hint(services: Services, tmp_path: Path):
    fleet = Fleet(tmp_path / "services", tmp_path / "temporary")
    service = shutil.copytree(services.pristine, fleet.folder / "service")
    for path in (service, *service.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    configuration = tmp_path / "gitconfig"
    configuration.write_text(f"[safe]\n    directory = {services.template}\n")
    found = testing_fleet.fingerprint(service)
    for command in ("status", "update"):
        outcome = fleet.plain(command, "--json", fleet.folder, GIT_CONFIG_GLOBAL=str(configuration))
        (report,) = json.loads(outcome.stdout)["services"]
        assert report["state"] == "broken", report
        assert "safe.directory" in report["hint"], report
        assert "\n" not in report["message"], report
    assert testing_fleet.fingerprint(service) == found
