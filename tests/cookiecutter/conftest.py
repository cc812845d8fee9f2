import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from repositories import commit, git
from support import ROOT, snapshot

sys.path.insert(0, str(ROOT / "tests" / "render"))  # the matrix is in there

DOOR = ("cookiecutter.json", "hooks", "{{cookiecutter.__folder}}")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where cookiecutter and Copier keep things of their own while these tests run."""
    home = tmp_path_factory.mktemp("home")
    (home / "temporary").mkdir()
    (home / "cookiecutterrc").write_text(
        yaml.safe_dump(
            {
                "cookiecutters_dir": str(home / "cookiecutters"),
                "replay_dir": str(home / "replay"),
                "abbreviations": {"ours": f"git+file://{home}/{{}}"},
            }
        )
    )
    return home


@pytest.fixture(autouse=True)
def surroundings(home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    monkeypatch.setenv("COOKIECUTTER_CONFIG", str(home / "cookiecutterrc"))
    monkeypatch.setenv("COPIER_CACHE_DIR", str(home / "copier"))
    monkeypatch.setenv("TMPDIR", str(home / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    # Compiled once: half of the time, where the environment has no bytecode.
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(shared / "bytecode"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it lies here, with its door for cookiecutter and without its history."""
    template = tmp_path_factory.mktemp("plain") / "template"
    shutil.copytree(snapshot(), template)
    for name in DOOR:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, template / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, template)
    return template


@pytest.fixture(scope="session")
def released(home: Path, template: Path) -> Path:
    """A repository with the template in it: 1.0.0, then 2.0.0 with one line more, then work that is no release."""
    released = home / "released"
    shutil.copytree(template, released)
    git(released, "init", "--quiet", "--initial-branch=main")
    for tag, line in {"1.0.0": "/from-1/\n", "2.0.0": "/new-in-2/\n", "draft": "/not-released-yet/\n"}.items():
        (ignored,) = (released / "template").glob("*.gitignore*")
        with ignored.open("a") as file:
            file.write(line)
        commit(released)
        git(released, "tag", tag)
    return released
