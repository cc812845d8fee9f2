"""A template: its releases, and what it generates."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from .answers import ANSWERS_FILE, Answers
from .errors import FleetError
from .repository import GitEnvironment, git

# The content of a file and whether it is executable; the target of a link; None if there is neither.
Content = tuple[bytes, bool] | str | None


@dataclass(frozen=True)
class Template:
    """A template, and a repository on this machine that has its releases.

    `url` is where git cloned it from; it is empty if `source` is a folder on this machine.
    """

    source: str
    repository: Path
    url: str
    releases: tuple[str, ...]

    @property
    def newest(self) -> str:
        return self.releases[-1]

    def count_newer(self, environment: GitEnvironment, version: str) -> int:
        """Count the releases that are newer than `version`, a tag or what `git describe` prints for a commit.

        Raise FleetError if the template has no such version.
        """
        if version in self.releases:
            return len(self.releases) - 1 - self.releases.index(version)
        if version.startswith("-"):
            raise FleetError("version-unknown", f"{version} is not a version")
        try:
            absent = set(git(environment, self.repository, "tag", "--no-merged", version).splitlines())
        except FleetError as error:
            message = f"the template at {self.source} has no version {version}"
            raise FleetError("version-unknown", message) from error
        return sum(tag in absent for tag in self.releases) if self.newest in absent else 0


@dataclass(frozen=True)
class Rendering:
    """What a template generates for some answers: its files by name, without the answers file.

    `is_user_owned` tells of a name whether the template leaves the file to the user after the
    first copy.
    """

    files: dict[str, Content]
    is_user_owned: Callable[[str], bool]


def open_template(environment: GitEnvironment, source: str, mirror: Path) -> Template:
    """Open the template at `source`, a folder or something that git can clone; a clone goes to `mirror`.

    Raise FleetError if it cannot be reached, or has no release.
    """
    path = Path(source).expanduser()
    if path.is_dir() and path.is_absolute():
        if git(environment, path, "rev-parse", "--show-prefix").strip():
            raise FleetError("template-not-git", f"the template at {source} is not a git repository")
        repository, url = path, ""
    elif ":" not in source and not path.is_absolute():
        raise FleetError(
            "template-relative",
            f"{ANSWERS_FILE} gives the template as a relative path, {source}",
            "name the template with --template",
        )
    else:
        from copier._vcs import get_repo  # expands gh:owner/name; slow to import

        with environment.for_copier():
            url = str(get_repo(source) or source)
        try:
            git(environment, Path(), "clone", "--quiet", "--mirror", "--", url, mirror)
        except FleetError as error:
            message = f"the template at {source} cannot be reached: {error}"
            raise FleetError("template-unreachable", message, "if it has moved, name it with --template") from error
        repository = mirror
    releases = _read_releases(environment, repository)
    if not releases:
        message = f"the template at {source} has no release: no tag is a PEP 440 version"
        raise FleetError("template-unreleased", message, "tag a release in the template's repository")
    return Template(source, repository, url, releases)


def _read_releases(environment: GitEnvironment, repository: Path) -> tuple[str, ...]:
    """Return the tags that are PEP 440 versions and not pre-releases, oldest first."""
    found = []
    for tag in git(environment, repository, "tag").splitlines():
        try:
            version = Version(tag)
        except InvalidVersion:
            continue
        if not version.is_prerelease:
            found.append((version, tag))
    return tuple(tag for _, tag in sorted(found))


@contextmanager
def render(source: str, answers: Answers) -> Iterator[Rendering]:
    """Generate a project from the template at `source`, with the recorded answers and version."""
    from copier import Settings, run_copy  # slow to import

    with tempfile.TemporaryDirectory(prefix="generated-") as scratch:
        folder = Path(scratch, "service")
        worker = run_copy(
            source,
            folder,
            data=answers.values,
            vcs_ref=answers.version,
            settings=Settings(),  # trust no template, whatever the user's settings say
            defaults=True,
            quiet=True,
        )
        files = {
            path.relative_to(folder).as_posix(): read_content(path)
            for path in sorted(folder.rglob("*"))
            if path.is_symlink() or path.is_file()
        }
        files.pop(ANSWERS_FILE, None)
        # Not documented: how Copier itself evaluates _skip_if_exists.
        yield Rendering(files, lambda name: bool(worker.match_skip(Path(name))))


def read_content(path: Path) -> Content:
    """Return the content of a file, or the target of a link."""
    if path.is_symlink():
        return str(path.readlink())
    try:
        return path.read_bytes(), bool(path.stat().st_mode & 0o100)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
