"""A service and a base image for arm64, built and started on an amd64 machine through QEMU."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing import ROOT
from testing.docker import docker, get, inspect
from testing.process import run
from testing.service import Service, find_certificates
from testing.template import generate

pytestmark = pytest.mark.xdist_group("arm64")

OFFICIAL = ("debian:trixie-slim", "python:3.13-slim-trixie")


@pytest.fixture(scope="module", autouse=True)
def arm64(engine: None) -> Iterator[None]:
    """Let this machine run arm64 programs, and build the official images for them."""
    build = ROOT / "engine" / "build-arm64"
    run(build)
    yield
    run(build, "down")


def build(project: Path, tag: str, *options: str) -> None:
    """Build an image for arm64 with the official images of that platform."""
    bases = [word for name in OFFICIAL for word in ("--build-context", f"{name}=docker-image://{name}-arm64")]
    certificates = find_certificates()
    secret = ("--secret", f"id=ca-certificates,src={certificates}") if certificates else ()
    run("docker", "buildx", "build", "--platform=linux/arm64", "--tag", tag, *bases, *secret, *options, project)


def test_a_service_answers_is_healthy_and_stops_with_0(folder: Path):
    with Service(generate(folder / "arm64", service_name="arm64-service")) as service:
        build(service.project, service.image, f"--build-arg=VERSION={service.version}")
        assert inspect(service.image)["Architecture"] == "arm64"
        with service.production():
            assert service.health == "healthy"
            assert service.python("import platform; print(platform.machine())").stdout.strip() == "aarch64"
            assert service.version in get(service.url("/"))[1]
            assert get(service.url("/healthz"))[0] == 200
            service.compose("stop")
            assert service.state["ExitCode"] == 0


@pytest.mark.parametrize("flavor", ["slim", "distroless"])
def test_a_base_image_starts(flavor: str, folder: Path):
    project = generate(folder / f"arm64-{flavor}", kind="base-image")
    version = docker("run", "--rm", "python:3.13-slim-trixie", "printenv", "PYTHON_VERSION")
    image = f"arm64-base:{os.getpid()}-{flavor}"
    try:
        build(project, image, f"--target={flavor}", f"--build-arg=PYTHON_VERSION={version}")
        code = "import ctypes, platform, sqlite3, ssl; print(platform.machine(), platform.python_version())"
        assert docker("run", "--rm", "--platform=linux/arm64", image, "python", "-c", code) == f"aarch64 {version}"
    finally:
        docker("image", "rm", "--force", image, check=False)
