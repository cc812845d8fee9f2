"""The files of the layout: which ones the answers generate, and which ones are there already."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import yaml

from ..answers import ANSWERS_FILE
from ..errors import Failure, FleetError
from ..git import GitEnvironment, git, git_text
from .project import Project

DISTRIBUTION = "copier-python-service"
# Compose reads the first of these that exists, and no other.
SHADOWING = ("compose.yaml", "compose.yml")


@dataclass(frozen=True)
class Layout:
    """The files that are new, those that are replaced, those that Compose reads instead, and those that git ignores."""

    new: tuple[str, ...]
    replaced: tuple[str, ...]
    shadowing: tuple[str, ...]
    ignored: tuple[str, ...]


def default_template() -> str:
    """Return where the template is that this program came with; raise FleetError if that cannot be told."""
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "copier.yml").is_file():
        return str(checkout)
    try:
        origin = json.loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        origin = {}
    if "vcs_info" in origin:
        return f"{origin['vcs_info']['vcs']}+{origin['url']}"
    if str(origin.get("url", "")).startswith("file://"):
        return url2pathname(urlsplit(origin["url"]).path)
    raise FleetError(
        "template-unknown",
        "fleet was not installed from the template's repository",
        "name the template with --template",
    )


def plan(project: Project, template: str, data: Mapping[str, str], environment: GitEnvironment) -> Layout:
    """Generate the files in a temporary folder, and compare them with the project.

    Raise FleetError if the template refuses an answer, or if something of the project is in the way.
    """
    from ..rendering import copy_template  # imports Copier, which is slow

    with tempfile.TemporaryDirectory(prefix="fleet-adopt-") as scratch:
        folder = Path(scratch, project.folder.name or "service")
        try:
            copy_template(template, folder, data)
        except Exception as error:
            failure = Failure.of(error)
            raise FleetError(failure.code, failure.message, failure.hint) from error
        _check_questions(folder / ANSWERS_FILE, data)
        paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
        new, replaced = [], []
        for path in paths:
            there = project.folder / path
            _check_place(project.folder, path)
            if not there.exists():
                new.append(path)
            elif there.read_bytes() != (folder / path).read_bytes():
                replaced.append(path)
    shadowing = [name for name in SHADOWING if (project.folder / name).exists()]
    return Layout(tuple(new), tuple(replaced), tuple(shadowing), tuple(_ignored(project, environment, new)))


def _check_questions(answers_file: Path, data: Mapping[str, str]) -> None:
    recorded = yaml.safe_load(answers_file.read_text(encoding="utf-8"))
    for name in data:
        if name not in recorded:
            raise FleetError(
                "no-such-question", f"the template does not ask {name} of this service", "correct the name after --data"
            )


def _check_place(folder: Path, path: str) -> None:
    """Raise FleetError if a file cannot be written because of a folder, a file or a link in its place."""
    place = folder
    for part in Path(path).parts[:-1]:
        place /= part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            name = place.relative_to(folder).as_posix()
            raise FleetError(
                "in-the-way",
                f"the template needs a folder {name}, and the project has a file or link of this name",
                "rename it",
            )
    if (folder / path).is_symlink() or (folder / path).is_dir():
        raise FleetError(
            "in-the-way",
            f"the template has a file {path}, and the project has a folder or link of this name",
            "rename it",
        )


def _ignored(project: Project, environment: GitEnvironment, paths: list[str]) -> list[str]:
    """Return the paths that git ignores."""
    if project.repository is None or not paths:
        return []
    stdin = "\0".join(paths).encode()
    found = git(environment, project.folder, "check-ignore", "-z", "--stdin", stdin=stdin, accept=(0, 1))
    return [path for path in found.decode().split("\0") if path]


def is_dirty(project: Project, environment: GitEnvironment) -> bool:
    """Return whether git has uncommitted changes in the folder of the project, untracked files included."""
    if project.repository is None:
        return False
    return bool(git_text(environment, project.folder, "status", "--porcelain", "--", "."))


def write(project: Project, template: str, data: Mapping[str, str]) -> None:
    """Add the layout to the project; replace the files that are there already."""
    from ..rendering import copy_template

    try:
        copy_template(template, project.folder, data)
    except Exception as error:
        failure = Failure.of(error)
        raise FleetError(failure.code, failure.message, failure.hint) from error
