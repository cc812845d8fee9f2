"""Merge a release of the template with the edits of a service, by git.

git merges three commits that contain the files of the template alone: as the old version
generated them, as they are in the service, and as the new version generates them. These commits are
made in a repository of this program, which borrows the objects of the service's repository. No
checkout takes part, and no setting or attribute of the user's applies.
"""

import io
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .answers import ANSWERS_FILE, merge_answers
from .git import GitEnvironment, git
from .rendering import File, Rendering
from .repository import Entry, Repository, parse_tree
from .results import Problem

# git takes the labels of conflict markers from the names of branches, which contain no spaces. Copier
# writes "before updating" and "after updating".
BEFORE, AFTER = "before-updating", "after-updating"
MARKER = re.compile(rb"^(<<<<<<<|>>>>>>>) (before|after)-updating", re.MULTILINE)


@dataclass(frozen=True)
class Merged:
    """The result of a merge: what changes in the service, and the files that need attention.

    A change is new content, or None for a deleted file.
    """

    changes: Mapping[str, Entry | File | None]
    problems: Mapping[str, Problem]


@dataclass(frozen=True)
class Scratch:
    """A bare repository for the commits of a merge, which borrows the objects of a service's repository."""

    environment: GitEnvironment
    folder: Path

    def git(self, *arguments: str | Path, stdin: bytes = b"", accept: tuple[int, ...] = (0,)) -> bytes:
        return git(self.environment, self.folder, *arguments, stdin=stdin, accept=accept)

    def import_commits(self, stream: io.BytesIO) -> None:
        self.git("fast-import", "--force", "--quiet", "--done", stdin=stream.getvalue() + b"done\n")


def make_scratch(repository: Repository, folder: Path) -> Scratch:
    environment = repository.environment.without_user_settings()
    options = ("--quiet", "--bare", "--template=", f"--object-format={repository.format}")
    git(environment, folder.parent, "init", *options, folder)
    objects = repository.common / "objects"
    (folder / "objects" / "info").mkdir(exist_ok=True)
    (folder / "objects" / "info" / "alternates").write_bytes(b'"%s"\n' % _escape(os.fsencode(objects)))
    return Scratch(environment, folder)


def merge(
    repository: Repository, scratch: Scratch, before: Rendering, after: Rendering, files: Mapping[str, Entry]
) -> Merged:
    """Merge what the template changes between two renderings with `files`, those of the service."""
    before = replace(before, files={path: file for path, file in before.files.items() if not after.is_excluded(path)})
    problems = find_obstructed(repository, before, after, files)
    changes: dict[str, Entry | File | None] = {}
    paths = set()
    for path in (before.files.keys() | after.files.keys()) - problems.keys() - {ANSWERS_FILE}:
        if after.is_user_owned(path):
            if path not in files and path in after.files:
                changes[path] = after.files[path]
        elif path not in before.files and path in files and _is_same(repository, after.files[path], files[path]):
            continue  # the user has added the same file
        elif path in files or path not in before.files:  # else the user deleted it
            paths.add(path)

    merged, conflicted = _merge_trees(scratch, before.files, files, after.files, paths)
    if conflicted and (dropped := _find_dropped(repository, before.files, files, merged, paths)):
        for path in dropped:
            problems[path] = Problem.NOT_TEXT if path in after.files else Problem.DROPPED
        paths -= dropped
        merged, conflicted = _merge_trees(scratch, before.files, files, after.files, paths)

    own = {path: files[path] for path in paths & files.keys()}
    changes |= {path: merged.get(path) for path in own.keys() | merged.keys() if merged.get(path) != own.get(path)}
    for path in conflicted & merged.keys():
        content = scratch.git("cat-file", "blob", merged[path].identifier)
        if MARKER.search(content):
            problems[path] = Problem.CONFLICT
            changes[path] = File(merged[path].mode, MARKER.sub(rb"\1 \2 updating", content))
        else:
            problems[path] = Problem.NOT_TEXT if path in after.files else Problem.DROPPED
    answers = merge_answers(repository.read(repository.head, ANSWERS_FILE), before.answers, after.answers)
    changes[ANSWERS_FILE] = File(files[ANSWERS_FILE].mode, answers)
    return Merged(changes, dict(sorted(problems.items())))


def find_obstructed(
    repository: Repository, before: Rendering, after: Rendering, files: Mapping[str, Entry]
) -> dict[str, Problem]:
    """Return the files that the template changes or adds, but whose place something of the user's takes.

    These are folders in the place of a file, files in the place of a folder, links, submodules,
    files that are not text, and files that git does not track.
    """
    folders = {folder for path in files for folder in _folders(path)}
    obstructed = {}
    for path in before.files.keys() | after.files.keys():
        old, new, own = before.files.get(path), after.files.get(path), files.get(path)
        generated = new or old
        if old == new or generated is None or after.is_user_owned(path):
            continue
        if own is None:
            taken = new is not None and (
                path in folders
                or any(folder in files for folder in _folders(path))
                or (old is None and os.path.lexists(repository.folder / path))
            )
        else:
            unedited = old is not None and repository.identify(old) == own
            taken = not unedited and repository.identify(generated).kind != own.kind
            if old is None and repository.identify(generated).identifier != own.identifier:
                # Without markers, git would drop one of the two files.
                taken = taken or b"\0" in repository.read(repository.head, path)
        if taken:
            obstructed[path] = Problem.OBSTRUCTED if new else Problem.DROPPED
    return obstructed


def _merge_trees(
    scratch: Scratch,
    old: Mapping[str, File],
    own: Mapping[str, Entry],
    new: Mapping[str, File],
    paths: set[str],
) -> tuple[Mapping[str, Entry], set[str]]:
    """Merge these paths of three trees; return the merged files, and the names of those with conflicts."""
    stream = io.BytesIO()
    for branch, files, parent in (
        ("last-update", old, None),
        (BEFORE, own, "refs/heads/last-update"),
        (AFTER, new, "refs/heads/last-update"),
    ):
        _write_commit(stream, branch, {path: files[path] for path in paths & files.keys()}, parent=parent)
    scratch.import_commits(stream)
    options = ("--write-tree", "--no-messages", "-z")
    printed = scratch.git("merge-tree", *options, BEFORE, AFTER, accept=(0, 1))
    tree, *records = os.fsdecode(printed).split("\0")
    conflicted = {record.split("\t", 1)[1] for record in records if record}
    return parse_tree(os.fsdecode(scratch.git("ls-tree", "-r", "-z", tree))), conflicted


def _find_dropped(
    repository: Repository,
    old: Mapping[str, File],
    own: Mapping[str, Entry],
    merged: Mapping[str, Entry],
    paths: set[str],
) -> set[str]:
    """Return the files that are not text and whose edits the merged tree lacks.

    git writes no conflict markers into such a file. When a release moves it onto another file of the
    user's, git keeps one of the two.
    """
    kept = {entry.identifier for entry in merged.values()}
    return {
        path
        for path in paths & own.keys()
        if own[path].identifier not in kept
        and not (path in old and _is_same(repository, old[path], own[path]))
        and b"\0" in repository.read(repository.head, path)
    }


def _is_same(repository: Repository, file: File, entry: Entry) -> bool:
    """Tell whether two files have the same content, whoever may execute them."""
    same = repository.identify(file)
    return (same.kind, same.identifier) == (entry.kind, entry.identifier)


def _folders(path: str) -> Iterable[str]:
    """Return the folders that contain a file."""
    return (path[:end] for end, letter in enumerate(path) if letter == "/")


def commit_changes(
    scratch: Scratch, repository: Repository, changes: Mapping[str, Entry | File | None], message: str
) -> str:
    """Commit `changes` on top of the commit that is checked out, in the scratch repository; return the commit."""
    stream = io.BytesIO()
    inside = {repository.prefix + path: file for path, file in changes.items()}
    _write_commit(
        stream, "update", inside, parent=repository.head, identity=repository.identity(), message=message, whole=False
    )
    scratch.import_commits(stream)
    return scratch.git("rev-parse", "refs/heads/update").decode().strip()


def _write_commit(
    stream: io.BytesIO,
    branch: str,
    files: Mapping[str, Entry | File | None],
    *,
    parent: str | None = None,
    identity: str = "Copier <copier@copier> 0 +0000",
    message: str = "",
    whole: bool = True,
) -> None:
    """Write a commit for `git fast-import`.

    With `whole` it contains `files` and nothing else; otherwise it changes these of its parent.
    """
    text = os.fsencode(message)
    stream.write(f"commit refs/heads/{branch}\ncommitter ".encode() + os.fsencode(identity))
    stream.write(b"\ndata %d\n%s\n" % (len(text), text))
    if parent:
        stream.write(f"from {parent}\n".encode())
        if whole:
            stream.write(b"deleteall\n")
    # Deletions first: a file may take the name of a folder.
    for path, file in sorted(files.items(), key=lambda item: item[1] is not None):
        name = b'"%s"' % _escape(os.fsencode(path))
        if file is None:
            stream.write(b"D %s\n" % name)
        elif isinstance(file, Entry):
            stream.write(f"M {file.mode} {file.identifier} ".encode() + name + b"\n")
        else:
            stream.write(f"M {file.mode} inline ".encode() + name)
            stream.write(b"\ndata %d\n%s\n" % (len(file.content), file.content))


def _escape(path: bytes) -> bytes:
    """Escape a path for a quoted string as git reads it."""
    return path.replace(b"\\", rb"\\").replace(b'"', rb"\"").replace(b"\n", rb"\n")
