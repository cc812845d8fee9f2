"""What the fleet is made of: services found below folders, their templates, a report on each."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from packaging.version import InvalidVersion, Version

ANSWERS_FILE = ".copier-answers.yml"
# What never holds a service of its own, and may be large.
NOT_SEARCHED = {"node_modules", "venv", "__pycache__"}


class Broken(Exception):
    """What a person must look at, in one sentence."""


def git(folder: Path, *arguments: str | Path, accept: tuple[int, ...] = (0,)) -> str:
    """Run git in `folder`; return what it prints.

    Broken, with git's reason, where its exit status is none of `accept`.
    """
    result = subprocess.run(
        ["git", "-C", folder, *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        stdin=subprocess.DEVNULL,
    )
    if result.returncode not in accept:
        raise Broken(reason(result.stderr) or f"git {arguments[0]} failed with status {result.returncode}")
    return result.stdout


def reason(text: str) -> str:
    """The line of `text`, an error's message, that says why; the first line, if none does."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if line.startswith(("fatal: ", "error: ")):
            return line.partition(": ")[2]
    return lines[0] if lines else ""


@dataclass(frozen=True)
class Service:
    """A folder with an answers file, or the problem that keeps it from being one."""

    folder: Path
    answers: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def name(self) -> str:
        return str(self.answers.get("service_name") or self.folder.name)


@dataclass
class Report:
    """What is known of one service; `state` sums it up.

    Of a status: current, behind or broken. Of an update: current, updated, waiting (its
    branch is there since an earlier run), conflict, dirty or broken.
    """

    name: str
    path: Path
    state: str = "broken"
    version: str | None = None
    newest: str | None = None
    behind: int | None = None
    dirty: bool | None = None
    edited: list[str] | None = None
    branch: str | None = None
    conflicts: list[str] = field(default_factory=list)
    message: str = ""
    seconds: float = 0.0


def read_answers(text: str | bytes) -> dict[str, Any]:
    """The answers in `text`. Broken, if it is not what Copier writes, or lacks what an update needs."""
    try:
        answers = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Broken(f"{ANSWERS_FILE} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(answers, dict):
        raise Broken(f"{ANSWERS_FILE} holds no answers")
    for key in ("_src_path", "_commit"):
        if not isinstance(answers.get(key), str):
            raise Broken(f"{ANSWERS_FILE} does not say {key}, so there is nothing to update from")
    return answers


def find_services(roots: Iterable[Path], depth: int) -> list[Service]:
    """The services in and below each of `roots`, at most `depth` levels down, in order of their paths.

    A root that is no folder, or holds no service, is one with a problem. Links and hidden
    folders are not followed.
    """
    services: dict[Path, Service] = {}
    for root in roots:
        root = root.resolve()
        found = list(_answered(root, depth)) if root.is_dir() else []
        for folder in found:
            try:
                services[folder] = Service(folder, read_answers((folder / ANSWERS_FILE).read_bytes()))
            except (Broken, OSError) as error:
                services[folder] = Service(folder, problem=str(error))
        if not found:
            missing = f"there is no {ANSWERS_FILE} in it" if root.is_dir() else "there is no such folder"
            services.setdefault(root, Service(root, problem=missing))
    return [services[folder] for folder in sorted(services)]


def _answered(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    if any(entry.name == ANSWERS_FILE for entry in entries):
        yield folder
    if depth:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and entry.name[0] != "." and entry.name not in NOT_SEARCHED:
                yield from _answered(Path(entry.path), depth - 1)


@dataclass(frozen=True)
class Template:
    """A template, and the repository on this machine that has its releases.

    `url` is what git fetched it from, or nothing where `source` is a folder here.
    """

    source: str
    repository: Path
    url: str = ""

    @cached_property
    def releases(self) -> list[str]:
        """The tags that are PEP 440 versions and no pre-releases, oldest first."""
        found = []
        for tag in git(self.repository, "tag").splitlines():
            try:
                version = Version(tag)
            except InvalidVersion:
                continue
            if not version.is_prerelease:
                found.append((version, tag))
        return [tag for _, tag in sorted(found)]

    def behind(self, version: str) -> int:
        """How many releases are newer than `version`, a tag or what `git describe` says of a commit.

        Broken, if the template has no such version.
        """
        if version in self.releases:
            return len(self.releases) - 1 - self.releases.index(version)
        if version.startswith("-"):
            raise Broken(f"{version} is no version")
        try:
            lacking = set(git(self.repository, "tag", "--no-merged", version).splitlines())
        except Broken as error:
            raise Broken(f"the template at {self.source} has no version {version}") from error
        return sum(tag in lacking for tag in self.releases) if self.releases[-1] in lacking else 0


def open_template(source: str, mirror: Path) -> Template:
    """The template at `source`, a folder or what git can clone; `mirror` is where a clone may go.

    Broken, if it cannot be reached, or has no release.
    """
    path = Path(source).expanduser()
    if path.is_dir() and path.is_absolute():
        if git(path, "rev-parse", "--show-prefix").strip():
            raise Broken(f"the template at {source} is not a git repository")
        template = Template(source, path)
    elif ":" not in source and not path.is_absolute():
        raise Broken(f"{ANSWERS_FILE} gives the template as a relative path, {source}: name it with --template")
    else:
        from copier._vcs import get_repo  # what turns gh:owner/name into a URL; slow to import

        url = str(get_repo(source) or source)
        try:
            git(Path(), "clone", "--quiet", "--mirror", "--", url, mirror)
        except Broken as error:
            raise Broken(f"the template at {source} cannot be reached: {error}") from error
        template = Template(source, mirror, url)
    if not template.releases:
        raise Broken(f"the template at {source} has no release: no tag is a PEP 440 version")
    return template
