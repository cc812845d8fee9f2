"""Generate projects from the template as it is in this checkout."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from copier import run_copy

from testing import ROOT
from testing.answers import ADOPTED
from testing.git import commit, git
from testing.process import run

# What Copier reads of this repository.
TEMPLATE = ("copier.yml", "questions", "template", "base-image", "includes", "locks")
# What cookiecutter reads besides.
COOKIECUTTER = ("cookiecutter.json", "hooks", "{{cookiecutter.__folder}}")
FIXTURES = ROOT / "tests" / "fixtures"
ANSWERS_FILE = ".copier-answers.yml"


def copy_from_checkout(folder: Path, names: tuple[str, ...]) -> Path:
    """Copy files and folders of this checkout, uncommitted changes included, to `folder`; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / name)
    return folder


@functools.cache
def snapshot() -> Path:
    """Return a copy of the template, uncommitted changes included, that is not a git repository.

    Copier clones a repository for each copy, which takes time, and records the commit in the
    answers. It does neither for a plain folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="template-"))
    atexit.register(shutil.rmtree, folder)
    return copy_from_checkout(folder, TEMPLATE)


def working_clone(folder: Path, releases: list[str], current: str) -> Path:
    """Clone this repository to `folder`; return it.

    Each of the `releases` has its tag, found by its commit `Release VERSION`, because not every
    clone has the tags. The tag `current` is one commit more: this checkout, uncommitted changes
    included.
    """
    git(ROOT, "clone", "--quiet", "--no-tags", ROOT, folder)
    for version in releases:
        git(folder, "tag", version, git(folder, "log", "--format=%H", f"--grep=^Release {version}$"))
    for path in git(folder, "ls-files", "-z").strip("\0").split("\0"):
        (folder / path).unlink()
    for path in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").strip("\0").split("\0"):
        if (ROOT / path).exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)
    commit(folder, "The working tree")
    git(folder, "tag", current)
    return folder


def generate(destination: Path, **answers: Any) -> Path:
    """Generate a project in `destination` with `answers`, and the defaults for the rest; return it."""
    run_copy(str(snapshot()), destination, data=answers, defaults=True, quiet=True)
    return destination


def generate_from(template: Path | str, destination: Path, version: str | None = None, **answers: Any) -> Path:
    """Generate a project from another template, a release of it if `version` is given; return it."""
    run_copy(str(template), destination, data=answers, vcs_ref=version, defaults=True, quiet=True)
    return destination


def adopt(name: str, destination: Path, **answers: Any) -> Path:
    """Copy the service `name` of tests/fixtures to `destination`, and give it the container layout."""
    shutil.copytree(FIXTURES / name, destination, ignore=shutil.ignore_patterns("__pycache__"))
    own = {"source": "existing", "service_name": name} | ADOPTED[name] | answers
    run_copy(str(snapshot()), destination, data=own, defaults=True, overwrite=True, quiet=True)
    return destination


def copier(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Copier's command line; return what it did, even if it failed."""
    return run(sys.executable, "-m", "copier", *arguments, cwd=cwd, check=False)


def isolate_copier(folder: Path) -> None:
    """Make every Copier that this process starts use settings and a cache in `folder`, not the user's."""
    settings = folder / "copier-settings.yml"
    settings.write_text("{}\n")
    os.environ |= {"COPIER_SETTINGS_PATH": str(settings), "COPIER_CACHE_DIR": str(folder / "copier-cache")}


def read_answers(project: Path) -> dict[str, Any]:
    """Return the answers that a generated project records."""
    return yaml.safe_load((project / ANSWERS_FILE).read_text())


def files(directory: Path) -> dict[str, bytes]:
    """Return the content of every file below `directory` by its relative path."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def questions() -> dict[str, Any]:
    """Return the template's questions, asked or computed, by name."""
    found: dict[str, Any] = {}
    for path in sorted((ROOT / "questions").glob("*.yml")):
        found |= yaml.safe_load(path.read_text()) or {}
    return found
