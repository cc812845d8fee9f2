"""Services that are generated, built and running, shared by the tests of a session."""

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groups import FIXTURES, services
from testing.answers import BUILT
from testing.docker import free_port, get
from testing.service import BaseImage, Service
from testing.template import generate
from testing.waiting import wait_until

collect_ignore = []
# `make reproducible` runs it: of a slim image, two builds differ now and then.
if not os.environ.get("REPRODUCIBLE"):
    collect_ignore.append("test_reproducible.py")
# `make arm64` runs it: it takes minutes, and changes which programs the machine runs.
if not os.environ.get("ARM64"):
    collect_ignore.append("test_arm64.py")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("services")


@pytest.fixture(scope="session")
def default(engine: None, folder: Path) -> Iterator[Service]:
    """Build the service of the default answers."""
    with Service(generate(folder / "default", service_name="hello-service")) as service:
        service.build()
        yield service


@pytest.fixture(scope="session")
def least_usual(engine: None, folder: Path) -> Iterator[Service]:
    """Build a service with every answer other than the default, and a driver that is compiled from source."""
    project = generate(folder / "least-usual", **BUILT["least_usual"])
    with (project / "requirements.in").open("a") as requirements:
        requirements.write("psycopg2==2.9.10\n")
    with Service(project) as service:
        service.make("lock")
        service.build()
        yield service


@pytest.fixture(scope="session")
def registry(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start an empty registry on this machine; return its host and port."""
    folder = tmp_path_factory.mktemp("registry")
    port = free_port()
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: 127.0.0.1:{port}}}\n"
    )
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        wait_until(
            "the registry answers", lambda: get(f"http://127.0.0.1:{port}/v2/")[0] == 200, (folder / "log").read_text
        )
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def base(registry: str, folder: Path) -> Iterator[BaseImage]:
    """Build the base image of the default answers and push it; services pull it."""
    with BaseImage(generate(folder / "base", kind="base-image", registry=registry)) as image:
        image.make("build")
        image.publish()
        yield image


def generate_on(base: BaseImage, folder: Path, flavor: str) -> Path:
    """Generate a service on a flavor of the base image, with a driver that is compiled from source."""
    project = generate(folder / flavor, **BUILT[flavor], base_image=base.name)
    with (project / "requirements.in").open("a") as requirements:
        requirements.write("psycopg2==2.9.10\n")
    return project


@pytest.fixture(scope="session")
def slim(base: BaseImage, folder: Path) -> Iterator[Service]:
    with Service(generate_on(base, folder, "slim")) as service:
        service.make("lock")
        service.build()
        yield service


@pytest.fixture(scope="session")
def distroless(base: BaseImage, folder: Path, slim: Service) -> Iterator[Service]:
    with Service(generate_on(base, folder, "distroless")) as service:
        for lock in ("requirements.txt", "requirements-dev.txt"):
            shutil.copy(slim.project / lock, service.project / lock)
        service.build()
        yield service


@pytest.fixture(scope="session", params=services("default", "least_usual", "slim", "distroless"))
def service(request: pytest.FixtureRequest) -> Service:
    """A service that is built."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def built(request: pytest.FixtureRequest, engine: None, folder: Path) -> Iterator[Callable[[str], Service]]:
    """Return a function that builds a service by its name, once.

    pytest ends a parametrized fixture at every change of its parameter, which would build again.
    """
    with contextlib.ExitStack() as stack:

        @functools.cache
        def build(name: str) -> Service:
            if name in FIXTURES:
                return request.getfixturevalue(name)
            answers = BUILT[name]
            if "base" in answers:
                answers = answers | {"base_image": request.getfixturevalue("base").name}
            service = stack.enter_context(Service(generate(folder / name, service_name=f"{name}-service", **answers)))
            service.build()
            return service

        yield build


@pytest.fixture(scope="session", params=services(*BUILT))
def production(request: pytest.FixtureRequest, built: Callable[[str], Service]) -> Iterator[Service]:
    """Start a service as in production; it is healthy."""
    with built(request.param).production() as service:
        yield service
