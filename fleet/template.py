"""A template: where it is, and its releases."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from .answers import ANSWERS_FILE
from .errors import FleetError
from .git import GitEnvironment, git, git_text


@dataclass(frozen=True)
class Template:
    """A template, and a repository on this machine that has its releases.

    `releases` are the tags that are versions and the commit of each, oldest first.
    """

    source: str
    repository: Path
    releases: Mapping[str, str]

    @property
    def newest(self) -> str:
        return list(self.releases)[-1]

    def count_newer(self, environment: GitEnvironment, version: str) -> int:
        """Count the releases that are newer than `version`, a tag or what `git describe` prints for a commit.

        Tags of one commit are one release. Raise FleetError if the template has no such version.
        """
        if version in self.releases:
            commits = list(dict.fromkeys(self.releases.values()))
            return len(commits) - 1 - commits.index(self.releases[version])
        message = f"the template at {self.source} has no version {version}"
        try:
            if version.startswith("-"):
                raise FleetError("version-unknown", message)
            listed = git_text(environment, self.repository, "tag", "--no-merged", f"{version}^{{commit}}")
        except FleetError as error:
            hint = f"record a version that it has as _commit in {ANSWERS_FILE}"
            raise FleetError("version-unknown", message, hint) from error
        absent = {self.releases[tag] for tag in listed.splitlines() if tag in self.releases}
        return len(absent) if self.releases[self.newest] in absent else 0

    def check_out(self, environment: GitEnvironment, version: str, folder: Path) -> None:
        """Check a version of the template out in `folder`, which does not exist."""
        environment = environment.with_plain_checkout()
        git(environment, folder.parent, "clone", "--quiet", "--shared", "--no-checkout", "--", self.repository, folder)
        git(environment, folder, "checkout", "--quiet", "--detach", f"{version}^{{commit}}")
        git(environment, folder, "submodule", "update", "--quiet", "--init", "--recursive")


def open_template(environment: GitEnvironment, source: str, mirror: Path) -> Template:
    """Open the template at `source`, a folder or something that git can clone; a clone goes to `mirror`.

    Raise FleetError if it cannot be reached, or has no release.
    """
    path = Path(source).expanduser()
    if path.is_dir() and path.is_absolute():
        if git(environment, path, "rev-parse", "--show-prefix").strip():
            raise FleetError("template-not-git", f"the template at {source} is not a git repository")
        repository = path
    elif ":" not in source and not path.is_absolute():
        raise FleetError(
            "template-relative",
            f"{ANSWERS_FILE} gives the template as a relative path, {source}",
            "name the template with --template",
        )
    else:
        from .rendering import expand_source  # imports Copier, which is slow

        try:
            git(environment, Path(), "clone", "--quiet", "--mirror", "--", expand_source(source), mirror)
        except FleetError as error:
            message = f"the template at {source} cannot be reached: {error}"
            raise FleetError("template-unreachable", message, "if it has moved, name it with --template") from error
        repository = mirror
    releases = dict(_read_releases(environment, repository))
    if not releases:
        message = f"the template at {source} has no release: no tag is a PEP 440 version"
        raise FleetError("template-unreleased", message, "tag a release in the template's repository")
    return Template(source, repository, releases)


def _read_releases(environment: GitEnvironment, repository: Path) -> Iterable[tuple[str, str]]:
    """Return the tags that are PEP 440 versions and not pre-releases, oldest first, and the commit of each."""
    # An annotated tag has an object of its own, and `*` tells of the commit.
    listed = git(
        environment, repository, "for-each-ref", "--format=%(refname:strip=2) %(*objectname) %(objectname)", "refs/tags"
    )
    found = []
    for line in os.fsdecode(listed).splitlines():
        tag, commit, *_ = line.split()
        try:
            version = Version(tag)
        except InvalidVersion:
            continue
        if not version.is_prerelease:
            found.append((version, tag, commit))
    return [(tag, commit) for _, tag, commit in sorted(found)]
