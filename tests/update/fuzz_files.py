"""The files of a project, in a folder or in a commit."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

LINK, GITLINK = "120000", "160000"


class File(NamedTuple):
    """The mode of a file as git writes it, and its content; of a link, its target."""

    mode: str
    data: bytes

    @property
    def is_regular(self) -> bool:
        return self.mode not in (LINK, GITLINK)


# By path; bytes that are not UTF-8 are surrogates, as in os.fsdecode.
Tree = dict[str, File]


def git_bytes(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git; return its output as bytes."""
    command = ["git", "-C", os.fsencode(folder), *map(os.fsencode, arguments)]
    result = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert result.returncode == 0, f"{arguments}: {result.stderr.decode(errors='replace')}"
    return result.stdout


def read_folder(folder: Path) -> Tree:
    """Return the files below a folder."""
    found: Tree = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = File(LINK, os.fsencode(path.readlink()))
        elif path.is_file():
            found[name] = File("100755" if path.stat().st_mode & 0o100 else "100644", path.read_bytes())
    return found


def read_commit(repository: Path, commit: str, prefix: str) -> Tree:
    """Return the files of a commit below `prefix`, which is empty or ends with a slash."""
    tree = f"{commit}:{prefix.rstrip('/')}" if prefix else commit
    entries = []
    for entry in git_bytes(repository, "ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]:
        description, name = entry.split(b"\t", 1)
        mode, kind, hash_ = description.decode().split()
        entries.append((os.fsdecode(name), mode, kind, hash_))
    blobs = [hash_ for _, _, kind, hash_ in entries if kind == "blob"]
    output = git_bytes(repository, "cat-file", "--batch", stdin="".join(f"{hash_}\n" for hash_ in blobs).encode())
    contents: dict[str, bytes] = {}
    at = 0
    for hash_ in blobs:
        end = output.index(b"\n", at)
        size = int(output[at:end].split()[2])
        contents[hash_] = output[end + 1 : end + 1 + size]
        at = end + size + 2
    return {name: File(mode, contents.get(hash_, hash_.encode())) for name, mode, _, hash_ in entries}
