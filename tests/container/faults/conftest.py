"""Services that misbehave, and the table of what was measured of them.

`make test` runs the quick faults on one service of each framework, `make faults` all faults on
every service.
"""

from collections.abc import Callable, Iterator

import pytest

from faulty import ALL, SERVICES, Faulty, build_dependencies, start, start_badly
from groups import services
from testing.service import Service

if not ALL:
    collect_ignore = ["test_rare_faults.py", "test_engine_faults.py"]


@pytest.fixture(scope="session", params=services(*SERVICES))
def faulty(
    request: pytest.FixtureRequest, built: Callable[[str], Service], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faulty]:
    """A service that runs as in production, can misbehave, and is healthy when a test begins."""
    build_dependencies()
    with start(built(request.param), tmp_path_factory.mktemp("faulty")) as stack:
        yield stack


@pytest.fixture(scope="session")
def failing(faulty: Faulty, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The same service with a bad setting. It starts before the tests, which take as long as it is watched."""
    with start_badly(faulty.service, tmp_path_factory.mktemp("failing")) as stack:
        yield stack


@pytest.fixture(autouse=True)
def healthy(faulty: Faulty, failing: Service) -> None:
    faulty.wait_healthy()
    if not faulty.is_web:
        faulty.redis("DEL", "jobs", "results")


@pytest.fixture
def figure(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Return a function that records a cell of the fault table."""
    row = (request.function.__doc__ or request.function.__name__).strip().splitlines()[0].rstrip(".")
    column = request.node.callspec.params["faulty"]
    record_property("fault", (row, column, ""))
    return lambda text: record_property("fault", (row, column, text))
