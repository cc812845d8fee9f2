"""Services, generated, built and running, shared by the tests of a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from service import Service
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
def production(default: Service) -> Iterator[Service]:
    """The same one, running by its production compose file, and healthy."""
    with default.production():
        yield default


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
