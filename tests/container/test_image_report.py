"""`make report` of a distroless and of a slim service, against what the engine says of their images."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groups import GROUPS, services
from testing import ROOT
from testing.contents import INSTALLED, normalize, read_installed
from testing.docker import docker, image_size
from testing.fleet import command
from testing.process import run
from testing.service import Service

DISTROLESS = pytest.mark.xdist_group(GROUPS["default"])
PLANTED = 5_000_000
KINDS = PYTHON_PACKAGE, DEBIAN_PACKAGE = "Python package", "Debian package"


@pytest.fixture(scope="module", params=services("default", "least_usual"))
def reported(request: pytest.FixtureRequest) -> tuple[Service, dict[str, Any]]:
    """Return a service, and the report on its image."""
    service: Service = request.getfixturevalue(request.param)
    return service, json.loads(run(*command("report", "--json", service.image), cwd=ROOT).stdout)


@pytest.fixture
def fleet(tmp_path: Path) -> str:
    """Return a program that runs `fleet` of this checkout."""
    program = tmp_path / "fleet"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {sys.executable} -m fleet "$@"\n')
    program.chmod(0o755)
    return str(program)


def history(image: str) -> list[int]:
    """Return the sizes of an image's layers that have files, as the engine reports them."""
    sizes = docker("history", "--human=false", "--format", "{{.Size}}", image).splitlines()
    return [int(size) for size in reversed(sizes) if int(size)]


def test_the_sums_are_those_of_the_engine(reported: tuple[Service, dict[str, Any]]):
    service, report = reported
    sizes = [layer["size"] for layer in report["layers"] if layer["size"]]
    # Of the layers of RUN, the engine counts the lengths of symbolic links, too.
    links = [there - here for here, there in zip(sizes, history(service.image), strict=True)]
    assert all(0 <= length < 20_000 for length in links), links
    assert report["size"] + sum(links) == image_size(service.image)
    assert sum(part["size"] for part in report["parts"]) + report["hidden"] == report["size"]

    count = "import os; print(sum(os.lstat(os.path.join(f, n)).st_size for f, _, ns in os.walk('/opt') for n in ns))"
    in_opt = int(service.sandbox("python", "-c", count).stdout)
    in_packages = sum(part["size"] for part in report["parts"] if part["kind"] == PYTHON_PACKAGE)
    assert 0 <= in_opt - in_packages < 100_000, "all of /opt but the server's few files is in packages"


def test_every_package_that_is_installed_has_a_size(reported: tuple[Service, dict[str, Any]]):
    service, report = reported
    installed = read_installed(service.sandbox("python", "-c", INSTALLED).stdout)
    python, debian = ({normalize(p["name"]) for p in report["parts"] if p["kind"] == kind} for kind in KINDS)
    assert installed["pypi"] == python
    assert debian <= installed["deb"] and len(debian) > len(installed["deb"]) / 2


def test_a_slim_image_has_the_layers_of_its_base_and_a_distroless_one_has_none(
    reported: tuple[Service, dict[str, Any]],
):
    service, report = reported
    base = json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", report["base"]))
    of_base = [layer["digest"] for layer in report["layers"] if layer["of_base"]]
    assert of_base == (base if service.answers["flavor"] == "slim" else [])


@pytest.fixture
def planted(default: Service, tmp_path: Path) -> Iterator[str]:
    """Return the version of an image with one more file."""
    (tmp_path / "data.bin").write_bytes(bytes(PLANTED))
    (tmp_path / "Dockerfile").write_text(f"FROM {default.image}\nCOPY data.bin /app/\n")
    version = f"{default.version}-planted"
    docker("build", "--quiet", "--tag", f"{default.name}:{version}", tmp_path)
    yield version
    docker("image", "rm", f"{default.name}:{version}")


@DISTROLESS
def test_a_file_that_somebody_added_shows_up_in_the_difference(default: Service, planted: str, fleet: str):
    printed = default.make("report", FLEET=fleet, VERSION=planted, AGAINST=default.image).stdout
    (default.project / "report.svg").unlink()
    size = f"{(image_size(default.image) + PLANTED) / 1e6:.1f} MB"
    assert [size] == [line[6:16].strip() for line in printed.splitlines() if line.startswith("all ")]
    changed = printed.partition("what changed\n")[2].splitlines()
    assert [line.split() for line in changed] == [["+5.0", "MB", "/app/data.bin", "(added)"]]


@DISTROLESS
def test_a_missing_fleet_and_a_missing_image_are_one_sentence(default: Service, fleet: str):
    def refused(**env: str) -> subprocess.CompletedProcess[str]:
        ended = default.make("report", check=False, **env)
        assert ended.returncode and not (default.project / "report.svg").exists()
        return ended

    assert refused(FLEET="no-such-program").stderr.splitlines()[0] == "no-such-program is not installed."
    first = refused(FLEET=fleet, VERSION="never-built").stderr.splitlines()[0]
    assert first.startswith("fleet: docker image pull: "), first
