"""What a branch with an update must contain, computed without fleet: `git merge-file` for each file."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from fuzz_files import File, Tree, git_bytes
from fuzz_release import is_user_owned
from testing.template import ANSWERS_FILE

MARKER = re.compile(rb"^(<<<<<<< |>>>>>>> )", re.MULTILINE)
# From this similarity on an edit must follow a moved file; below the other it must not.
CERTAIN, POSSIBLE = 70, 35


@dataclass(frozen=True)
class Merged:
    """A merged file. Of text that is not `text`, the user's is kept."""

    file: File
    conflicted: bool = False


@dataclass
class Oracle:
    """Compares a branch with what it must contain; `problems` says how it differs.

    `head` is what the user has committed, `old` and `new` are what the template renders for both
    versions, `untracked` are the files of the checkout that are not in `head`, `moves` gives for a
    file of `old` the similar file of `new` and the similarity in per cent, and `moved` the files
    that the release certainly moved.
    """

    head: Tree
    old: Tree
    new: Tree
    branch: Tree
    listed: set[str]
    untracked: set[str]
    moves: dict[str, tuple[str, int]]
    moved: dict[str, str]
    scratch: Path
    problems: list[str] = field(default_factory=list)
    must_list: set[str] = field(default_factory=set)
    may_list: set[str] = field(default_factory=set)
    checked: set[str] = field(default_factory=set)
    # How many files git merge-tree merges in another way than git merge-file.
    differing: int = 0

    def check(self) -> list[str]:
        for path in sorted(self.old.keys() - self.new.keys()):
            self.check_deleted(path)
        for path in sorted(self.new.keys() - self.checked):
            self.check_rendered(path)
        for path in sorted(self.head.keys() - self.checked - {ANSWERS_FILE}):
            self.expect(path, self.head[path], "which the template does not have")
        self.problems += [
            f"{path}: nobody added it" for path in sorted(self.branch.keys() - self.checked - {ANSWERS_FILE})
        ]
        self.check_list()
        return self.problems

    def check_list(self) -> None:
        """Check that exactly the conflicts are listed."""
        for path in sorted(self.must_list - self.listed):
            self.problems.append(f"{path}: a conflict without a mark: it is not listed")
        for path in sorted(self.listed - self.must_list - self.may_list):
            self.problems.append(f"{path}: it is listed, without a conflict")
        for path, file in sorted(self.branch.items()):
            before = self.head.get(path)
            if MARKER.search(file.data) and path not in self.listed and not (before and MARKER.search(before.data)):
                self.problems.append(f"{path}: a conflict without a mark: it has markers, and is not listed")

    def expect(self, path: str, *allowed: File | Merged | str | None) -> None:
        """Check one file of the branch; the last argument may be a remark."""
        remark = next((value for value in allowed if isinstance(value, str)), "")
        found = self.branch.get(path)
        self.checked.add(path)
        if not any(matches(found, value) for value in allowed if not isinstance(value, str)):
            wanted = " or ".join(describe(value) for value in allowed if not isinstance(value, str))
            self.problems.append(f"{path}: it is {describe(found)}, not {wanted}; a file {remark}")

    def is_blocked(self, path: str) -> bool:
        """Return whether the user has a folder of that name, or a file where the path needs a folder."""
        parents = [str(parent) for parent in Path(path).parents][:-1]
        return any(parent in self.head for parent in parents) or any(name.startswith(f"{path}/") for name in self.head)

    def check_rendered(self, path: str) -> None:
        """Check a file of the new version."""
        old, new, head = self.old.get(path), self.new[path], self.head.get(path)
        if head is None and self.is_blocked(path):
            self.expect(path, None, "where the user has a folder or a file")
            if old is None:
                self.must_list.add(path)
            else:
                self.may_list.add(path)
        elif head is None and old is not None:
            self.expect(path, None, "that the user deleted")
        elif head is None and path in self.untracked:
            self.expect(path, None, "that the user has, untracked")
            self.must_list.add(path)
        elif head is None:
            self.expect(path, new, "that the release adds")
        elif head == old:
            self.expect(path, new, "that is not edited")
        elif new == old or head.data == new.data:
            modes = {head.mode, new.mode} if old is None else {merge_modes(head, old, new)}
            if len(modes) > 1:
                self.may_list.add(path)  # git sees a conflict in the modes
            self.expect(path, *(File(mode, head.data) for mode in sorted(modes)), "that the release does not change")
        else:
            self.expect_merge(path, head, old, new, "that both changed" if old else "that both added")

    def expect_merge(self, path: str, head: File, old: File | None, new: File, remark: str) -> None:
        merged = [merge(self.scratch, head, old, new)]
        if not matches(self.branch.get(path), merged[0]) and head.is_regular:
            merged += merge_as_trees(self.scratch, head, old, new)
        self.expect(path, *merged, remark)
        accepted = next((value for value in merged if matches(self.branch.get(path), value)), merged[0])
        self.differing += accepted is not merged[0]
        if accepted.conflicted:
            self.must_list.add(path)

    def check_deleted(self, path: str) -> None:
        """Check a file of the old version that the new version does not have, or has elsewhere."""
        old, head = self.old[path], self.head.get(path)
        target, similarity = self.moves.get(path, ("", 0))
        if head is None:
            self.expect(path, None, "that the user and the release deleted")
            if self.is_blocked(path):
                self.may_list.add(path)
            if target and target not in self.head and not self.is_blocked(target) and target not in self.untracked:
                self.expect(target, None, self.new[target], "to which the release moved what the user deleted")
            return
        if head == old:
            self.expect(path, None, "that is not edited, and that the release deletes")
            return
        occupied = target in self.head or self.is_blocked(target) or target in self.untracked
        certain = self.moved.get(path) == target and similarity >= CERTAIN and old.data and not occupied
        if path in self.branch:
            if certain and head.is_regular and b"\0" not in head.data:
                self.problems.append(f"{path}: its edits do not follow it to {target} ({similarity} % similar)")
            self.expect(path, head, "that is edited, and that the release deletes")
            self.must_list.add(path)
            # The kept file may be listed with the place to which the release moved it.
            self.may_list.add(target)
            return
        self.checked.add(path)
        if similarity < POSSIBLE:
            self.problems.append(f"{path}: it is edited, and the update deletes it")
        elif occupied:
            self.checked.add(target)
            self.must_list.add(target)
        elif not head.is_regular:
            self.expect(target, head, "that the user replaced, and the release moved")
            self.must_list.add(target)
        else:
            self.expect_merge(target, head, old, self.new[target], f"that the release moved from {path}")


def matches(found: File | None, wanted: File | Merged | None) -> bool:
    if not isinstance(wanted, Merged):
        return found == wanted
    if found is None or found.mode != wanted.file.mode:
        return False
    return found == wanted.file or (wanted.conflicted and sides(found.data) == sides(wanted.file.data))


def sides(content: bytes) -> tuple[bytes, bytes]:
    """Return the text with all conflicts resolved to the one and to the other side.

    git versions join neighbouring conflicts differently.
    """
    ours, theirs = [], []
    inside = ""
    for line in content.splitlines(keepends=True):
        if line.startswith(b"<<<<<<< before updating") and not inside:
            inside = "ours"
        elif line.rstrip() == b"=======" and inside == "ours":
            inside = "theirs"
        elif line.startswith(b">>>>>>> after updating") and inside == "theirs":
            inside = ""
        else:
            if inside != "theirs":
                ours.append(line)
            if inside != "ours":
                theirs.append(line)
    # A marker needs a line of its own, so a last line without a newline gets one.
    return b"".join(ours).rstrip(b"\r\n"), b"".join(theirs).rstrip(b"\r\n")


def describe(value: File | Merged | None) -> str:
    if value is None:
        return "absent"
    file, conflicted = (value.file, value.conflicted) if isinstance(value, Merged) else (value, False)
    return f"{'conflicted ' if conflicted else ''}{file.mode} {len(file.data)} bytes"


def merge_modes(head: File, old: File | None, new: File) -> str:
    return new.mode if old and head.mode == old.mode else head.mode


def merge(scratch: Path, head: File, old: File | None, new: File) -> Merged:
    """Merge one file with `git merge-file`; of what is no text, keep the user's."""
    if old and head.data == old.data:
        return Merged(File(merge_modes(head, old, new), new.data))
    if old and new.data == old.data and head.is_regular:
        return Merged(File(merge_modes(head, old, new), head.data))
    contents = (head.data, old.data if old else b"", new.data)
    if not head.is_regular or any(b"\0" in content for content in contents):
        return Merged(head, conflicted=True)
    names = [str(scratch / name) for name in ("head", "old", "new")]
    for name, content in zip(names, contents, strict=True):
        Path(name).write_bytes(content)
    labels = ["-L", "before updating", "-L", "the old version", "-L", "after updating"]
    # The configuration of the user must not matter: this runs outside of the repository.
    result = subprocess.run(["git", "merge-file", "-p", *labels, *names], cwd=scratch, capture_output=True, check=False)
    assert result.returncode < 128, result.stderr
    return Merged(File(merge_modes(head, old, new), result.stdout), conflicted=result.returncode > 0)


def merge_as_trees(scratch: Path, head: File, old: File | None, new: File) -> list[Merged]:
    """Merge one file with `git merge-tree`.

    It compares by another algorithm than `git merge-file`, so that it can find another, also
    correct, result.
    """
    repository = scratch / "merge.git"
    if not repository.exists():
        git_bytes(scratch, "init", "--quiet", "--bare", str(repository))
    commits: list[str] = []
    for file in (old, head, new):
        entry = b""
        if file:
            blob = (
                git_bytes(repository, "hash-object", "-w", "--stdin", "--no-filters", stdin=file.data).decode().strip()
            )
            entry = f"{file.mode} blob {blob}\tfile\n".encode()
        tree = git_bytes(repository, "mktree", stdin=entry).decode().strip()
        parents = ["-p", commits[0]] if commits else []
        commits.append(git_bytes(repository, "commit-tree", *parents, "-m", "x", tree).decode().strip())
    command = ["git", "-C", repository, "merge-tree", "--write-tree", "--no-messages", *commits[1:]]
    result = subprocess.run(command, capture_output=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    tree = result.stdout.decode().split()[0]
    data = git_bytes(repository, "cat-file", "blob", f"{tree}:file")
    for label, commit in ((b"before updating", commits[1]), (b"after updating", commits[2])):
        data = data.replace(commit.encode(), label)
    return [Merged(File(merge_modes(head, old, new), data), conflicted=result.returncode == 1)]


def find_moves(old: Path, new: Path) -> dict[str, tuple[str, int]]:
    """Return for each file that is only in the folder `old` the similar file that is only in `new`."""
    command = ["git", "diff", "--no-index", "--no-ext-diff", "-M1%", "-l0", "--raw", "-z", "old", "new"]
    assert old.parent == new.parent and (old.name, new.name) == ("old", "new")
    result = subprocess.run(command, cwd=old.parent, capture_output=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    fields = result.stdout.decode().split("\0")
    found: dict[str, tuple[str, int]] = {}
    while len(fields) > 1:
        status = fields.pop(0).split()[-1]
        before = fields.pop(0)
        if status.startswith("R"):
            after = fields.pop(0)
            found[before.removeprefix("old/")] = (after.removeprefix("new/"), int(status[1:]))
    return found


def owned_by_template(tree: Tree) -> Tree:
    return {path: file for path, file in tree.items() if not is_user_owned(path) and path != ANSWERS_FILE}
