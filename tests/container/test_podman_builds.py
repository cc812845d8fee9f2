"""Podman and Buildah build and run what the template generates, by the commands of docs/podman.md."""

import contextlib
import functools
import json
import os
import re
import subprocess
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from testing import ROOT
from testing.answers import ADOPTED, STARTERS
from testing.docker import get
from testing.engine import EngineError, ensure_podman
from testing.podman import load, podman
from testing.process import run
from testing.service import CONTENTS, Service, find_certificates
from testing.template import adopt, generate
from testing.waiting import wait_until

# One process at a time uses Podman: the other tests with it are in this group, too.
pytestmark = pytest.mark.xdist_group("kubernetes")

GUIDE = (ROOT / "docs" / "podman.md").read_text()
FLAVORS = ("slim", "distroless")
OFFICIAL = ("python:3.13-slim-trixie", "debian:trixie-slim")
KINDS: dict[str, dict[str, Any]] = {
    f"{starter}-{flavor}": {"framework": starter, "flavor": flavor}
    for starter in ("fastapi", *STARTERS)
    for flavor in FLAVORS
}
KINDS |= {f"shared-{flavor}": {"base": "shared", "flavor": flavor} for flavor in FLAVORS}
KINDS |= {f"adopted-{name}": {} for name in ADOPTED}

# `make test` builds two of them, `make podman` all.
ALL = os.environ.get("PODMAN") == "all"
CHOSEN = list(KINDS) if ALL else ["fastapi-distroless", "shared-distroless"]
BASES = ("builder", "slim", "distroless", "debug") if ALL else ("builder", "distroless")
slow = pytest.mark.skipif(not ALL, reason="another build by Podman: make podman runs it")


def read_guide(section: str) -> list[str]:
    """Return the indented blocks of a section of the guide."""
    text = GUIDE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [textwrap.dedent(block) for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, flags=re.MULTILINE)]


def follow(script: str, folder: Path, **replacements: str) -> str:
    """Run a block of the guide in a folder, with this machine's CA certificates; return its output."""
    for old, new in replacements.items():
        script = script.replace(old, new)
    script = script.replace("/etc/ssl/certs/ca-certificates.crt", find_certificates())
    return run("bash", "-e", "-o", "pipefail", "-c", script, cwd=folder).stdout


def is_confined(container: str) -> bool:
    """Return whether the service has neither privileges nor a way to get them, and a root that it cannot write."""
    init = podman("inspect", "--format", "{{.State.Pid}}", container)
    service = Path(f"/proc/{init}/task/{init}/children").read_text().split()[0]
    lines = Path(f"/proc/{service}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    (root,) = [
        line.split()[5] for line in Path(f"/proc/{service}/mountinfo").read_text().splitlines() if " / / " in line
    ]
    return (
        status["Uid"].split() == ["10001"] * 4
        and status["NoNewPrivs"] == "1"
        and status["CapEff"] == status["CapBnd"] == "0" * 16
        and "ro" in root.split(",")
    )


class Built:
    """An image of a project that Podman built, and one container of it."""

    def __init__(self, project: Path) -> None:
        self.service = Service(project)
        self.image = f"localhost/{self.service.image}"
        self.container = f"{self.service.name}-{self.service.run_id}"

    def build(self, script: str) -> str:
        return follow(script, self.service.project, **{"NAME": self.service.name, "1.2.3": self.service.version})

    def run(self) -> None:
        script = read_guide("Run")[0].partition("podman healthcheck")[0]
        published = f"--publish 127.0.0.1:{self.service.port}:{self.port}" if self.port else ""
        replaced = {
            "--name NAME": f"--name {self.container}",
            "--publish 127.0.0.1:8000:8000": published,
            "NAME:1.2.3": self.image,
        }
        follow(script, self.service.project, **replaced)

    @property
    def config(self) -> dict[str, Any]:
        return json.loads(podman("image", "inspect", self.image))[0]["Config"]

    @property
    def port(self) -> str:
        """The port on which the service listens; "" for a worker."""
        return next(iter(self.config.get("ExposedPorts") or {}), "").removesuffix("/tcp")

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(podman("inspect", self.container))[0]["State"]

    @property
    def contents(self) -> dict[str, Any]:
        return json.loads(podman("run", "--rm", "--user=0", "--entrypoint=python", self.image, "-c", CONTENTS))

    def wait_healthy(self) -> None:
        check = ("podman", "healthcheck", "run", self.container)
        wait_until(
            f"{self.container} is healthy",
            lambda: run(*check, check=False).returncode == 0,
            lambda: podman("logs", self.container, check=False),
            seconds=60,
            every=0.5,
        )

    def remove(self) -> None:
        podman("rm", "--force", "--time=1", self.container, check=False)
        podman("image", "rm", "--force", self.image, check=False)


@pytest.fixture(scope="module", autouse=True)
def official(engine: None) -> Iterator[None]:
    """Make Podman usable, and give it the official images of the engine."""
    try:
        ensure_podman()
    except EngineError as error:
        (pytest.fail if os.environ.get("REQUIRE_ENGINE") else pytest.skip)(str(error))
    # Without the images of single steps, nothing but the named images stays behind.
    os.environ["BUILDAH_LAYERS"] = "false"
    missing = [name for name in OFFICIAL if run("podman", "image", "exists", name, check=False).returncode]
    for name in missing:
        load(name)
    yield
    del os.environ["BUILDAH_LAYERS"]
    podman("image", "rm", *missing, check=False)


@pytest.fixture(scope="module")
def base_image(official: None, folder: Path) -> Iterator[str]:
    """Build a base image by the guide; return its name."""
    name = f"base-{uuid.uuid4().hex[:8]}"
    project = generate(folder / name, kind="base-image", image_name=name)
    (script,) = read_guide("Base image")
    try:
        follow(script, project, **{"python-base": name, "builder slim distroless debug": " ".join(BASES)})
        yield f"localhost/{name}"
    finally:
        podman("image", "rm", "--force", *(f"localhost/{name}:3.13-{flavor}" for flavor in BASES), check=False)


@pytest.fixture(scope="module")
def build(request: pytest.FixtureRequest, folder: Path) -> Iterator[Callable[[str], Built]]:
    """Return a function that builds a kind of service, once."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def by_name(kind: str) -> Built:
            answers = KINDS[kind]
            if "base" in answers:
                answers = answers | {"base_image": request.getfixturevalue("base_image")}
            project = folder / f"podman-{kind}"
            if kind.startswith("adopted-"):
                adopt(kind.removeprefix("adopted-"), project)
            else:
                generate(project, service_name=kind, **answers)
            built = Built(project)
            stack.callback(built.remove)
            built.build(read_guide("Build")[0])
            return built

        yield by_name


@pytest.mark.parametrize("kind", CHOSEN)
def test_podman_builds_it_and_it_runs_confined_until_it_stops_with_0(kind: str, build: Callable[[str], Built]):
    began = time.monotonic()
    built = build(kind)
    seconds = time.monotonic() - began
    began = time.monotonic()
    built.run()
    built.wait_healthy()
    healthy = time.monotonic() - began
    assert built.state["Health"]["Status"] == "healthy"
    if built.port:
        path = dict(line.split("=", 1) for line in built.config["Env"])["HEALTH_PATH"]
        assert get(built.service.url(path), {"Host": "localhost"})[0] == 200
    assert is_confined(built.container)
    podman("stop", built.container)
    assert built.state["ExitCode"] == 0, podman("logs", built.container)
    size = int(podman("image", "inspect", "--format", "{{.Size}}", built.image)) / 1e6
    print(f"\n| {kind} | built in {seconds:.0f} s | {size:.1f} MB | healthy after {healthy:.1f} s | stopped with 0 |")


def test_the_image_has_the_files_of_one_that_docker_builds(build: Callable[[str], Built]):
    ours = build("fastapi-distroless")
    with Service(ours.service.project) as docker:
        docker.build()
        expected, actual = docker.contents, ours.contents
    # The engines mount these into a container.
    del expected["files"]["/.dockerenv"], actual["files"]["/run/.containerenv"]
    # The owner of this folder depends on Podman's cache, as the guide says.
    modes = [contents["files"].pop("/app")[0] for contents in (expected, actual)]
    assert modes[0] == modes[1] and actual == expected and len(actual["files"]) > 2000


@slow
def test_the_tests_of_a_starter_run_in_the_image(build: Callable[[str], Built]):
    tested = Built(build("fastapi-distroless").service.project)
    script = read_guide("Build")[0].replace("podman build", "podman build --target test")
    try:
        assert "4 passed" in tested.build(script)
    finally:
        tested.remove()


@slow
def test_buildah_takes_the_same_options(build: Callable[[str], Built]):
    built = Built(build("worker-slim").service.project)
    try:
        built.build(read_guide("Build")[0].replace("podman build", "buildah build --layers=false"))
        built.run()
        built.wait_healthy()
        podman("stop", built.container)
        assert built.state["ExitCode"] == 0
    finally:
        built.remove()


def test_compose_runs_the_production_file_through_the_api_of_podman(build: Callable[[str], Built], tmp_path: Path):
    built = build("fastapi-distroless")
    service = built.service
    override, script = read_guide("Compose")
    (tmp_path / "podman.yml").write_text(override.replace("NAME", service.name))
    env = {
        "DOCKER_HOST": f"unix://{tmp_path}/podman.sock",
        f"{service.prefix}_IMAGE": built.image,
        f"{service.prefix}_PORT": str(service.port),
        "COMPOSE_PROJECT_NAME": f"podman-{service.run_id}",
    }
    files = ("--file", "docker-compose.prod.yml", "--file", tmp_path / "podman.yml")
    api = subprocess.Popen(["podman", "system", "service", "--time=0", env["DOCKER_HOST"]], stdin=subprocess.DEVNULL)
    clock = subprocess.Popen([ROOT / "engine" / "podman-up", "health"], stdin=subprocess.DEVNULL)
    try:
        wait_until("Podman's API answers", (tmp_path / "podman.sock").exists)
        command = script.splitlines()[-1].replace("podman.yml", str(tmp_path / "podman.yml"))
        run("bash", "-e", "-c", command, cwd=service.project, env=env)
        assert service.version in get(service.url("/"))[1]
        (identity,) = run("docker", "compose", *files, "ps", "--quiet", cwd=service.project, env=env).stdout.split()
        assert is_confined(identity)
    finally:
        run("docker", "compose", *files, "down", "--volumes", "--timeout=1", cwd=service.project, env=env, check=False)
        for process in (clock, api):
            process.terminate()
            process.wait()
