import os
import shutil
import tempfile
from pathlib import Path

import pytest
import yaml

from testing.git import commit, git
from testing.template import COOKIECUTTER, TEMPLATE, copy_from_checkout


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for what cookiecutter and Copier store during these tests."""
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
    # Share the bytecode of all processes: compiling takes half of the time if the environment has none.
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(shared / "bytecode"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the template with what cookiecutter reads, which is not a git repository."""
    return copy_from_checkout(tmp_path_factory.mktemp("plain") / "template", (*TEMPLATE, *COOKIECUTTER))


@pytest.fixture(scope="session")
def released(home: Path, template: Path) -> Path:
    """Return a repository with the template: 1.0.0, 2.0.0 with one more line, then a commit that is not released."""
    released = home / "released"
    shutil.copytree(template, released)
    for tag, line in {"1.0.0": "/from-1/\n", "2.0.0": "/new-in-2/\n", "draft": "/not-released-yet/\n"}.items():
        (ignored,) = (released / "template").glob("*.gitignore*")
        with ignored.open("a") as file:
            file.write(line)
        commit(released)
        git(released, "tag", tag)
    return released
