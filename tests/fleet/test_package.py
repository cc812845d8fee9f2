"""`fleet` is installed from this repository by pipx and uvx, and runs without the checkout."""

import tomllib
import zipfile
from pathlib import Path

import pytest

from testing import ROOT
from testing.fleet import generate_service
from testing.git import commit, git
from testing.process import run
from testing.template import copy_from_checkout
from testing.uv import uv

pytestmark = pytest.mark.xdist_group("fleet")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build an sdist, and a wheel from it, from a copy of the checkout; return their folder."""
    folder = tmp_path_factory.mktemp("package")
    names = ("fleet", "testing", "tests", "pyproject.toml", "README.md", "LICENSE")
    uv("build", "--quiet", "--out-dir", folder / "dist", copy_from_checkout(folder / "checkout", names))
    return folder / "dist"


def test_the_wheel_has_fleet_and_nothing_else(distributions: Path):
    (wheel,) = distributions.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"fleet/cli.py", "fleet/adopt/debian-packages.toml"} <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"fleet", "copier_python_service"}


def test_an_installed_fleet_runs_anywhere(distributions: Path, template: Path, tmp_path: Path):
    commit(generate_service(template, tmp_path / "services" / "one"))
    (wheel,) = distributions.glob("*.whl")
    uv("venv", "--quiet", tmp_path / "venv")
    uv("pip", "install", "--quiet", "--python", tmp_path / "venv" / "bin" / "python", wheel)
    fleet = tmp_path / "venv" / "bin" / "fleet"
    assert "exit status:" in run(fleet, "--help", cwd=tmp_path).stdout
    status = run(fleet, "status", "services", cwd=tmp_path, check=False)
    assert status.returncode == 1, status.stderr
    assert "1 services in" in status.stdout and "1 behind" in status.stdout


def test_the_version_is_that_of_the_newest_release():
    newest = git(ROOT, "log", "-1", "--format=%s", "--grep=^Release [0-9]").removeprefix("Release ")
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == newest
