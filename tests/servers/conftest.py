"""Fixtures for the services that docker/start.py starts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("process")

from process import Process, Service  # noqa: E402 - asserts in it explain themselves after the line above

Start = Callable[..., Process]


@pytest.fixture(scope="module")
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Return the generated service; FRAMEWORK in the test's module says which."""
    framework = request.module.FRAMEWORK
    return Service(tmp_path_factory.mktemp(framework), framework)


@pytest.fixture
def edited(service: Service, tmp_path: Path) -> Service:
    """Return a copy of the service whose files the test may edit."""
    return service.copy(tmp_path)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a service; its processes end with the test."""
    started: list[Process] = []

    def start(service: Service, *options: str, **variables: str) -> Process:
        started.append(Process(service, tmp_path, *options, **variables))
        return started[-1]

    yield start
    for process in started:
        process.kill()
