"""A synthetic next release of the template: files added, deleted, moved, renamed and changed at random."""

import random
import re
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError

from testing.git import commit, git

# Text that users' repositories contain, and templates too.
WORDS = ("one", "two", "three", "größer", "four  ", "\tfive", "six = 6", "seven: 7")


@dataclass(frozen=True)
class Synthetic:
    """What the release did: the moved files by their old paths in a project, and a description."""

    moved: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)


def path_in_project(path: str) -> str | None:
    """Return the path that a file of the template has in a project; None if answers decide its name."""
    parts = Path(path).parts[1:]
    if parts and re.fullmatch(r"\{\{ for_\w+ \}\}", parts[0]):
        parts = parts[1:]
    rendered = "/".join(parts).removesuffix(".jinja")
    return None if "{{" in rendered or not rendered else rendered


def is_user_owned(path: str) -> bool:
    """Return whether a file of a project belongs to the user, by docs/ownership.md."""
    return path in ("README.md", "pyproject.toml") or path.startswith(("requirements", "src/", "tests/"))


def template_owned(template: Path) -> list[str]:
    """Return the files from which the template renders what it owns, except the answers file."""
    names = git(template, "ls-files", "-z", "template", "base-image").strip("\0").split("\0")
    return [name for name in names if (path := path_in_project(name)) and not is_user_owned(path)]


def make_release(template: Path, version: str, rng: random.Random) -> Synthetic:
    """Commit and tag a release that differs from the newest one at random; describe it."""
    names = template_owned(template)
    rng.shuffle(names)
    done: list[str] = []
    moved: dict[str, str] = {}
    for name in [names.pop() for _ in range(rng.randint(2, 4))]:
        target = move(template, name, rng)
        moved[str(path_in_project(name))] = str(path_in_project(target))
        done.append(f"move {name} to {target}")
    if rng.random() < 0.15:
        done.append(move_folder(template, "docker", "server", moved))
    for name in [names.pop() for _ in range(rng.randint(1, 3))]:
        if (template / name).exists():
            (template / name).unlink()
            done.append(f"delete {name}")
    done += [add(template, rng) for _ in range(rng.randint(2, 4))]
    present = [name for name in template_owned_now(template) if (template / name).is_file()]
    for name in rng.sample(present, min(len(present), rng.randint(10, 20))):
        for _ in range(rng.randint(1, 3)):
            change_line(template / name, rng)
        done.append(f"change {name}")
    commit(template, f"Release {version}")
    git(template, "tag", version)
    return Synthetic(moved, done)


def template_owned_now(template: Path) -> list[str]:
    git(template, "add", "--all")
    return template_owned(template)


def move(template: Path, name: str, rng: random.Random) -> str:
    """Move or rename a file of the template, and change a line of it in some cases; return the new name."""
    old = Path(name)
    # The folder that a condition names stays, so that the same projects have the file.
    top = Path(*old.parts[:2]) if len(old.parts) > 2 and old.parts[1].startswith("{{") else Path(old.parts[0])
    below = old.relative_to(top)
    stem, dot, suffix = below.name.partition(".") if not below.name.startswith(".") else (below.name, "", "")
    renamed = f"{stem}-renamed{dot}{suffix}" if dot else f"{below.name}-renamed"
    new = top / rng.choice([below.with_name(renamed), Path("moved", below), Path("docker", "moved", below.name)])
    (template / new).parent.mkdir(parents=True, exist_ok=True)
    (template / old).rename(template / new)
    if rng.random() < 0.5:
        change_line(template / new, rng)
    return str(new)


def move_folder(template: Path, old: str, new: str, moved: dict[str, str]) -> str:
    """Move all files of a folder, in each folder of the template that a condition names."""
    for folder in sorted(template.glob(f"template/*/{old}")):
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            target = folder.with_name(new) / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target)
            before = path_in_project(str(file.relative_to(template)))
            after = path_in_project(str(target.relative_to(template)))
            # A file that was moved to this folder before has its old path in the table.
            origin = next((path for path, place in moved.items() if place == before), before)
            if origin and after:
                moved[origin] = after
    return f"move {old}/ to {new}/"


def add(template: Path, rng: random.Random) -> str:
    """Add a file that no release has."""
    number = rng.randrange(10**6)
    place = rng.choice(["", "docker/", f"folder-{number}/", "größe/", f"docker/deep/er-{number}/", "scripts/"])
    name = rng.choice([f"added-{number}.txt", f"added-{number}.yml", f".added-{number}", f"zusätzlich-{number}.md"])
    path = Path(rng.choice(["template", "template", "template", "base-image"]), f"{place}{name}")
    (template / path).parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{rng.choice(WORDS)} {rng.randrange(10**6)}\n" for _ in range(rng.randint(1, 30))]
    (template / path).write_text("".join(lines), encoding="utf-8")
    if rng.random() < 0.3:
        (template / path).chmod(0o755)
    return f"add {path}"


def change_line(file: Path, rng: random.Random) -> None:
    """Insert, replace or delete a line, unless the template would not compile any more."""
    before = file.read_bytes()
    lines = before.decode().splitlines(keepends=True)
    at = rng.randrange(len(lines) + 1)
    text = f"{rng.choice(WORDS)} {rng.randrange(10**6)}\n"
    kind = rng.choice(["insert", "replace", "replace", "delete", "last"])
    if kind == "insert":
        lines.insert(at, text)
    elif kind == "last":
        lines.append(text)
    elif at < len(lines) and not re.search(r"\{[%{#]|[%}#]\}", lines[at]):
        lines[at : at + 1] = [text] if kind == "replace" else []
    file.write_bytes("".join(lines).encode())
    try:
        Environment().parse(file.read_text(encoding="utf-8"))
    except TemplateSyntaxError:
        file.write_bytes(before)
