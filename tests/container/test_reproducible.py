"""Two clean builds of one commit, a day apart by the clock that the build sees, give the same image."""

import json
import shlex
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testing import ROOT
from testing.git import commit, git
from testing.process import run
from testing.service import find_certificates
from testing.swarm import Swarm
from testing.template import generate

pytestmark = pytest.mark.xdist_group("reproducible")

FLAVORS = ("distroless", "slim")


class Engine(Swarm):
    """An engine with a store that can rewrite times, whose builds see a clock that is some days ahead."""

    def __init__(self, days: int) -> None:
        super().__init__(1, options="--feature containerd-snapshotter=true")
        exports = run(ROOT / "engine" / "moved-clock", str(days)).stdout
        self.env |= dict([shlex.split(exports)[1].split("=", 1)])

    def build(self, project: Path, archive: Path) -> str:
        """Build without a cache what `make release` pushes, for this platform; return the digest of the manifest."""
        certificates = find_certificates()
        env = {"SSL_CERT_FILE": certificates, "EPOCH": git(project, "log", "-1", "--format=%ct")}
        bake = ("buildx", "bake", "--file", project / "docker-bake.hcl")
        targets: dict[str, Any] = json.loads(self.docker(*bake, "--print", "release", env=env))["target"]
        (release,) = targets["release"]["output"]
        attributes = {key: value for key, value in release.items() if key not in ("type", "push", "store")}
        output = ",".join(["type=oci", f"dest={archive}", *(f"{key}={value}" for key, value in attributes.items())])
        allowed = [f"fs.read={certificates}", f"fs.read={project}", f"fs.write={archive.parent}"]
        self.docker(
            *bake,
            "--no-cache",
            *(word for what in allowed for word in ("--allow", what)),
            *("--set", f"image.context={project}", "--set", f"image.output={output}", "image"),
            env=env,
        )
        with tarfile.open(archive) as image:
            index = image.extractfile("index.json")
            assert index
            return json.load(index)["manifests"][0]["digest"]


@pytest.fixture(scope="module")
def engines(engine: None) -> Iterator[tuple[Engine, Engine]]:
    with Engine(0) as today, Engine(1) as tomorrow:
        for one in (today, tomorrow):
            one.load("python:3.13-slim-trixie")
        yield today, tomorrow


def digests(engines: tuple[Engine, Engine], project: Path) -> list[str]:
    return [one.build(project, project.parent / f"{number}.tar") for number, one in enumerate(engines)]


@pytest.fixture(params=FLAVORS)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return commit(generate(tmp_path / "service", service_name="hello-service", flavor=request.param))


def test_two_builds_give_the_same_digest(engines: tuple[Engine, Engine], project: Path):
    first, second = digests(engines, project)
    assert first == second


@pytest.mark.parametrize("project", ["slim"], indirect=True)
def test_a_build_date_in_a_file_is_noticed(engines: tuple[Engine, Engine], project: Path):
    """The negative control: the two builds do see different days."""
    dockerfile = project / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("useradd", "date +%F >/built && SOURCE_DATE_EPOCH=1 useradd"))
    first, second = digests(engines, project)
    assert first != second
