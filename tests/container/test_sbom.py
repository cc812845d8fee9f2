"""`make sbom` lists exactly what is installed in an image, without a registry."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.contents import INSTALLED, read_installed, read_sbom
from testing.docker import docker
from testing.process import TOOLS
from testing.service import Service

PATH = {"PATH": f"{TOOLS}:{os.environ['PATH']}"}


def stated(service: Service, **env: str) -> dict[str, set[str]]:
    service.make("sbom", **PATH, **env)
    file = service.project / "sbom.spdx.json"
    try:
        return read_sbom(json.loads(file.read_text()))
    finally:
        file.unlink()


def test_the_sbom_lists_what_is_installed(service: Service):
    sbom = stated(service)
    assert sbom == read_installed(service.sandbox("python", "-c", INSTALLED).stdout)
    assert len(sbom["pypi"]) > 5 and "libc6" in sbom["deb"]


@pytest.fixture
def planted(default: Service, tmp_path: Path) -> Iterator[str]:
    """Return the version of an image with a distribution that no lock names."""
    (tmp_path / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    prefix = default.sandbox("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    (tmp_path / "Dockerfile").write_text(f"FROM {default.image}\nCOPY METADATA {prefix}/planted-1.0.dist-info/\n")
    version = f"{default.version}-planted"
    docker("build", "--quiet", "--tag", f"{default.name}:{version}", tmp_path)
    yield version
    docker("image", "rm", f"{default.name}:{version}")


@pytest.mark.xdist_group("production")
def test_a_distribution_that_somebody_added_is_listed(default: Service, planted: str):
    assert stated(default, VERSION=planted)["pypi"] - stated(default)["pypi"] == {"planted"}


@pytest.mark.xdist_group("production")
def test_a_missing_program_is_named(default: Service):
    refused = default.make("sbom", check=False, SYFT="no-such-program")
    assert refused.returncode and refused.stderr.splitlines()[0] == "no-such-program is not installed."
