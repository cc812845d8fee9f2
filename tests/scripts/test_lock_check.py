"""`make lock-check`: a lock that does not fit its input, or what the index has, is refused."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from testing.process import TOOLS, run
from testing.template import generate

REFUSAL = "{0}.txt does not match {0}.in: run make lock"


def write_wheel(folder: Path, name: str, version: str = "1.0", platform: str = "any") -> None:
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-{platform}.whl", "w") as archive:
        info = f"{name}-{version}.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-{platform}\n")
        archive.writestr(f"{info}/RECORD", "")


class Project:
    """A service whose packages come from a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "service"
        self.wheels = folder / "wheels"

    def create(self) -> None:
        generate(self.folder)
        self.wheels.mkdir()
        for name in ("first", "second", "tool"):
            write_wheel(self.wheels, name)
        (self.folder / ".venv" / "bin").mkdir(parents=True)
        (self.folder / ".venv" / "bin" / "uv").symlink_to(TOOLS / "uv")
        for name in ("requirements.txt", "requirements-dev.txt"):
            (self.folder / name).unlink()
        (self.folder / "requirements-dev.in").write_text("-r requirements.txt\ntool\n")

    def require(self, *requirements: str) -> None:
        (self.folder / "requirements.in").write_text("\n".join(requirements) + "\n")

    def make(self, target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run make, which would install uv: the one of this environment is the same version."""
        env = {
            "UV_FIND_LINKS": str(self.wheels),
            "UV_DEFAULT_INDEX": self.wheels.as_uri(),
            "PATH": f"{TOOLS}:/usr/bin:/bin",
        }
        return run("make", "--old-file=.venv/bin/uv", target, *arguments, cwd=self.folder, env=env, check=False)

    def lock(self, *arguments: str) -> None:
        locked = self.make("lock", *arguments)
        assert locked.returncode == 0, locked.stderr

    def check(self) -> list[str]:
        """Return what `make lock-check` says; nothing if the locks are right."""
        checked = self.make("lock-check")
        assert bool(checked.returncode) == bool(checked.stderr)
        return checked.stderr.splitlines()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a service whose lock is right."""
    folder = tmp_path_factory.mktemp("locked")
    project = Project(folder)
    project.create()
    project.require("first")
    project.lock()
    assert project.check() == []
    return folder


@pytest.fixture
def project(locked: Path, tmp_path: Path) -> Project:
    shutil.copytree(locked, tmp_path, symlinks=True, dirs_exist_ok=True)
    return Project(tmp_path)


def test_a_lock_that_lacks_a_requirement_is_refused(project: Project):
    project.require("first", "second")
    assert project.check()[0] == REFUSAL.format("requirements")


def test_a_lock_with_more_than_its_input_is_refused(project: Project):
    (project.folder / "requirements-dev.in").write_text("-r requirements.txt\n")
    assert project.check()[0] == REFUSAL.format("requirements-dev")


def test_a_newer_version_does_not_make_a_lock_stale(project: Project):
    write_wheel(project.wheels, "first", version="2.0")
    assert project.check() == []


def test_a_lock_for_more_versions_of_python_is_right(project: Project):
    """The lock of a new service is for every version that the template knows."""
    project.require("first", "second ; python_version < '3.12'")
    project.lock("lock=.venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version=3.11")
    assert "second==1.0" in (project.folder / "requirements.txt").read_text()
    assert project.check() == []


def test_a_wrong_hash_is_refused(project: Project):
    lock = project.folder / "requirements.txt"
    lock.write_text(re.sub("sha256:[0-9a-f]+", f"sha256:{'0' * 64}", lock.read_text()))
    refused = project.check()
    assert any("Hash mismatch for `first==1.0`" in line for line in refused), refused


def test_a_package_without_a_wheel_for_a_platform_is_refused(project: Project):
    write_wheel(project.wheels, "compiled", platform="manylinux_2_28_x86_64")
    project.require("first", "compiled")
    project.lock()
    refused = "\n".join(project.check())
    assert "compiled==1.0" in refused and "platform" in refused, refused
