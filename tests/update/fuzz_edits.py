"""Edits that a user makes in a project, chosen at random."""

import difflib
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fuzz_files import Tree
from testing.template import ANSWERS_FILE


@dataclass
class Editor:
    """Edits one project, and records what it did.

    `old` and `new` are what the release of the project and the target of the update render.
    `tokens` are unique texts that the edits added.
    """

    project: Path
    rng: random.Random
    old: Tree
    new: Tree
    # An answer, and the value that `edit_an_answer` gives to it.
    answer: tuple[str, str]
    tokens: list[bytes] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    answered: dict[str, str] = field(default_factory=dict)

    def edit(self) -> None:
        """Make one edit, or none if the chosen one is impossible here."""
        names = list(EDITS)
        name = self.rng.choices(names, [EDITS[name][1] for name in names])[0]
        where = EDITS[name][0](self)
        if where is not None:
            self.done.append(f"{name}: {where}")

    def token(self) -> str:
        token = f"token-{len(self.tokens)}-{self.rng.randrange(10**9)}"
        self.tokens.append(token.encode())
        return token

    def template_file(self) -> str | None:
        """Choose a file of the template that is still a file; mostly one that the target changes."""
        present = [path for path in sorted(self.old) if is_plain_file(self.project, path)]
        changed = [path for path in present if self.new.get(path) != self.old[path]]
        if changed and self.rng.random() < 0.6:
            return self.rng.choice(changed)
        return self.rng.choice(present) if present else None

    def added_file(self) -> str | None:
        """Choose a file that the target adds."""
        added = sorted(self.new.keys() - self.old.keys())
        return self.rng.choice(added) if added else None

    def write(self, path: str, content: bytes) -> str | None:
        """Write a file, unless something that is no folder is in the way."""
        file = self.project / path
        for parent in list(file.parents)[:-1]:
            if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
                return None
        if file.is_symlink() or file.is_dir():
            return None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return path


def is_plain_file(project: Path, path: str) -> bool:
    file = project / path
    parents = [project / parent for parent in Path(path).parents]
    return file.is_file() and not any(place.is_symlink() for place in (file, *parents))


def edit_lines(editor: Editor) -> str | None:
    """Insert, replace or delete a line."""
    path = editor.template_file()
    if path is None:
        return None
    file, rng = editor.project / path, editor.rng
    lines = file.read_bytes().splitlines(keepends=True)
    changed = [number for number in lines_that_change(editor, path) if number <= len(lines)]
    near = [rng.choice(changed)] if changed else []
    at = rng.choice([0, len(lines), rng.randrange(len(lines) + 1), rng.randrange(len(lines) + 1), *near * 3])
    kind = rng.choice(["insert", "insert", "replace", "delete"])
    if kind == "delete" and at < len(lines):
        del lines[at]
    else:
        text = rng.choice(["# {}\n", "{}\n", "\t{}\n", "    {}   \n", "{}\r\n", "{} grün 試験\n", "\n\n{}\n\n", "{}"])
        new = text.format(editor.token()).encode()
        if at == len(lines) and lines and not lines[-1].endswith(b"\n"):
            lines[-1] += b"\n"
        lines[at : at + (kind == "replace")] = [new if at == len(lines) or new.endswith(b"\n") else new + b"\n"]
    file.write_bytes(b"".join(lines))
    return f"{kind} line {at} of {path}"


def lines_that_change(editor: Editor, path: str) -> list[int]:
    """Return the numbers of the lines that the target of the update changes in a file."""
    if path not in editor.new:
        return []
    old, new = (tree[path].data.splitlines() for tree in (editor.old, editor.new))
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [number for tag, first, last, *_ in blocks if tag != "equal" for number in range(first, last + 1)]


def change_bytes(change: Callable[[Editor, bytes], bytes]) -> Callable[[Editor], str | None]:
    """Return an edit that changes the whole content of a file of the template."""

    def edit(editor: Editor) -> str | None:
        path = editor.template_file()
        if path is None:
            return None
        file = editor.project / path
        file.write_bytes(change(editor, file.read_bytes()))
        return path

    return edit


def indent_a_line(editor: Editor, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    if lines:
        at = editor.rng.randrange(len(lines))
        lines[at] = b"\t" + lines[at]
    return b"".join(lines)


def trail_white_space(editor: Editor, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    if lines:
        at = editor.rng.randrange(len(lines))
        lines[at] = lines[at].rstrip(b"\n") + b" \t \n"
    return b"".join(lines)


def delete(editor: Editor) -> str | None:
    path = editor.template_file()
    if path is not None:
        (editor.project / path).unlink()
    return path


def move(editor: Editor) -> str | None:
    path = editor.template_file()
    if path is None:
        return None
    target = editor.rng.choice([f"{path}.orig", f"own/{path}", f"docker/own-{Path(path).name}"])
    content = (editor.project / path).read_bytes()
    if editor.write(target, content) is None:
        return None
    (editor.project / path).unlink()
    return f"{path} to {target}"


def move_folder(editor: Editor) -> str | None:
    folder = editor.project / "docker"
    if not folder.is_dir() or folder.is_symlink() or (editor.project / "container").exists():
        return None
    folder.rename(editor.project / "container")
    return "docker to container"


def replace_by_a_symlink(editor: Editor) -> str | None:
    path = editor.template_file()
    if path is not None:
        (editor.project / path).unlink()
        (editor.project / path).symlink_to(f"elsewhere/{editor.token()}")
    return path


def replace_by_a_folder(editor: Editor) -> str | None:
    path = editor.template_file()
    if path is None:
        return None
    (editor.project / path).unlink()
    return editor.write(f"{path}/inside.txt", f"{editor.token()}\n".encode())


def replace_a_folder_by_a_file(editor: Editor) -> str | None:
    """Put a file where the template, or what it adds, has a folder."""
    folders = {path.split("/")[0] for path in (*editor.old, *editor.new) if "/" in path}
    path = editor.rng.choice(sorted(folders))
    if (editor.project / path).is_symlink() or (editor.project / path).is_file():
        return None
    if (editor.project / path).is_dir():
        shutil.rmtree(editor.project / path)
    return editor.write(path, f"{editor.token()}\n".encode())


def make_executable(editor: Editor) -> str | None:
    path = editor.template_file()
    if path is not None:
        (editor.project / path).chmod(0o755)
    return path


def own_file(editor: Editor) -> str | None:
    name = editor.rng.choice(
        ["own.txt", "größe-ß.txt", "größe/own.txt", "docker/own.py", "docker/ownů.yml", "own file.md", "caf\udce9.txt"]
    )
    return editor.write(name, f"{editor.token()}\n".encode())


def own_file_that_is_added(editor: Editor) -> str | None:
    """Write a file that the target adds too: with other lines, with the same and one more, or the same."""
    path = editor.added_file()
    if path is None:
        return None
    added = editor.new[path].data
    kind = editor.rng.choice(["other", "more", "same", "binary"])
    content = {
        "other": lambda: f"{editor.token()}\n".encode(),
        "more": lambda: added + f"{editor.token()}\n".encode(),
        "same": lambda: added,
        "binary": lambda: f"{editor.token()}\0\n".encode(),
    }[kind]()
    return editor.write(path, content) and f"{path} ({kind})"


def ignored_file_that_is_added(editor: Editor) -> str | None:
    """Write a file that the target adds too, and ignore it, so that git does not have it."""
    path = editor.added_file()
    if path is None or editor.write(path, f"{editor.token()}\n".encode()) is None:
        return None
    return ignore(editor, f"/{path}")


def ignore_what_is_added(editor: Editor) -> str | None:
    path = editor.added_file()
    if path is None:
        return None
    name = Path(path)
    return ignore(editor, editor.rng.choice([f"/{path}", f"*{name.suffix or name.name}", f"/{name.parts[0]}"]))


def ignore(editor: Editor, pattern: str) -> str | None:
    if (editor.project / ".gitignore").is_symlink() or (editor.project / ".gitignore").is_dir():
        return None
    file = editor.project / ".gitignore"
    before = file.read_bytes() if file.exists() else b""
    file.write_bytes(before + f"{pattern}\n".encode())
    return pattern


def users_file(editor: Editor) -> str | None:
    """Edit or delete a file that the user owns."""
    files = [path for path in sorted(editor.project.glob("src/**/*.py")) if path.is_file()]
    files += [
        path for name in ("README.md", "pyproject.toml", "requirements.in") if (path := editor.project / name).is_file()
    ]
    if not files:
        return None
    file = editor.rng.choice(files)
    if editor.rng.random() < 0.2:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes() + f"# {editor.token()}\n".encode())
    return str(file.relative_to(editor.project))


def comment_the_answers(editor: Editor) -> str | None:
    """Add a comment to the answers file, on a line of its own or at the end of one."""
    file = editor.project / ANSWERS_FILE
    lines = file.read_text(encoding="utf-8").splitlines()
    at = editor.rng.randrange(len(lines) + 1)
    following = lines[at + 1] if at + 1 < len(lines) else ""
    if at < len(lines) and re.match(r"\w+: [^>|]", lines[at]) and not following.startswith((" ", "-")):
        lines[at] += f"  # {editor.token()}"
    else:
        # Not inside of a value that goes over several lines.
        while at < len(lines) and lines[at].startswith((" ", "-")):
            at += 1
        lines.insert(at, f"# {editor.token()}")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"line {at}"


def edit_an_answer(editor: Editor) -> str | None:
    name, value = editor.answer
    file = editor.project / ANSWERS_FILE
    before = file.read_text(encoding="utf-8")
    after = re.sub(rf"(?m)^{name}: [^#\n]*?(?=  #|$)", f"{name}: '{value}'", before)
    if after == before:
        return None
    file.write_text(after, encoding="utf-8")
    editor.answered[name] = value
    return f"{name}: {value}"


# The edits, and how often each is chosen.
EDITS: dict[str, tuple[Callable[[Editor], str | None], float]] = {
    "edit lines": (edit_lines, 12),
    "no newline at the end": (change_bytes(lambda editor, content: content.rstrip(b"\n")), 0.5),
    "CRLF": (change_bytes(lambda editor, content: content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")), 0.5),
    "indent": (change_bytes(indent_a_line), 1),
    "trailing white space": (change_bytes(trail_white_space), 1),
    "UTF-16": (change_bytes(lambda editor, content: content + utf_16(editor)), 1),
    "a NUL byte": (change_bytes(lambda editor, content: f"{editor.token()}\0\n".encode() + content), 0.5),
    "delete": (delete, 1.5),
    "move": (move, 1.5),
    "move a folder": (move_folder, 0.4),
    "a symlink": (replace_by_a_symlink, 0.7),
    "a folder": (replace_by_a_folder, 0.5),
    "a file for a folder": (replace_a_folder_by_a_file, 0.4),
    "executable": (make_executable, 1),
    "own file": (own_file, 2),
    "own file that is added": (own_file_that_is_added, 1.5),
    "ignored file that is added": (ignored_file_that_is_added, 0.7),
    "ignore": (ignore_what_is_added, 1),
    "the user's file": (users_file, 1.5),
    "comment": (comment_the_answers, 1.5),
    "answer": (edit_an_answer, 1),
}


def utf_16(editor: Editor) -> bytes:
    """Return a line as PowerShell's `>>` writes it."""
    token = editor.token().encode("utf-16-le")
    editor.tokens[-1] = token
    return token + "\r\n".encode("utf-16-le")
