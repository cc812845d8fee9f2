"""Services, generated, built and running, shared by the tests of a session."""

import contextlib
import functools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from groups import STARTER_SERVICES, services
from service import BaseImage, Service, eventually, free_port, get
from support import generate


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("services")


@pytest.fixture(scope="session")
def default(engine: None, folder: Path) -> Iterator[Service]:
    """The service of the default answers, built."""
    with Service(generate(folder / "default")) as service:
        service.build()
        yield service


@pytest.fixture(scope="session")
def least_usual(engine: None, folder: Path) -> Iterator[Service]:
    """pip, no bytecode, a driver compiled from source, its library at run time; built."""
    project = generate(
        folder / "least-usual",
        service_name="least-usual",
        installer="pip",
        bytecode=False,
        build_packages="libpq-dev",
        runtime_packages="libpq5",
        port=9000,
        health_path="/alive",
        cpu_limit="0.5",
        memory_limit="192m",
        pids_limit=64,
    )
    with (project / "requirements.in").open("a") as requirements:
        requirements.write("psycopg2==2.9.10\n")
    with Service(project) as service:
        service.make("lock")
        service.build()
        yield service


@pytest.fixture(scope="session")
def registry(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry on this machine, empty; its host and port."""
    folder = tmp_path_factory.mktemp("registry")
    port = free_port()
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: 127.0.0.1:{port}}}\n"
    )
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        eventually(lambda: get(f"http://127.0.0.1:{port}/v2/")[0] == 200)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def base(registry: str, folder: Path) -> Iterator[BaseImage]:
    """The base image of the default answers, built, pushed, and gone from the engine: to be pulled."""
    with BaseImage(generate(folder / "base", kind="base-image", registry=registry)) as image:
        image.make("build")
        image.publish()
        yield image


def standing_on(base: BaseImage, folder: Path, flavor: str) -> Path:
    """A service on a flavor of the base, with a driver that is compiled from source."""
    project = generate(
        folder / flavor,
        base="shared",
        flavor=flavor,
        base_image=base.name,
        build_packages="libpq-dev",
        runtime_packages="libpq5",
    )
    with (project / "requirements.in").open("a") as requirements:
        requirements.write("psycopg2==2.9.10\n")
    return project


@pytest.fixture(scope="session")
def slim(base: BaseImage, folder: Path) -> Iterator[Service]:
    with Service(standing_on(base, folder, "slim")) as service:
        service.make("lock")
        service.build()
        yield service


@pytest.fixture(scope="session")
def distroless(base: BaseImage, folder: Path, slim: Service) -> Iterator[Service]:
    with Service(standing_on(base, folder, "distroless")) as service:
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
    """Gives a service, by name, that is built, once.

    pytest ends a parametrized fixture at every change of its parameter: too soon for an image.
    """
    with contextlib.ExitStack() as stack:

        @functools.cache
        def build(name: str) -> Service:
            if name not in STARTER_SERVICES:
                return request.getfixturevalue(name)
            answers = STARTER_SERVICES[name]
            if "base" in answers:
                answers = answers | {"base_image": request.getfixturevalue("base").name}
            service = stack.enter_context(Service(generate(folder / name, service_name=f"{name}-service", **answers)))
            service.build()
            return service

        yield build


@pytest.fixture(scope="session", params=services("default", "slim", "distroless", *STARTER_SERVICES))
def production(request: pytest.FixtureRequest, built: Callable[[str], Service]) -> Iterator[Service]:
    """A service that runs as in production, and is healthy."""
    with built(request.param).production() as service:
        yield service
