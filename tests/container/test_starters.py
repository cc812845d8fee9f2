"""What each starter other than FastAPI promises beside the layout."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.answers import STARTERS
from testing.docker import docker, get, inspect
from testing.service import Service
from testing.template import generate
from testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("starters")


@pytest.fixture(scope="module", params=STARTERS)
def starter(request: pytest.FixtureRequest, engine: None, folder: Path) -> Iterator[Service]:
    name = request.param
    with Service(generate(folder / f"{name}-starter", service_name=f"{name}-starter", framework=name)) as service:
        service.build()
        yield service


def test_its_tests_pass_inside_the_image(starter: Service):
    (starter.project / "tests" / "test_one_more.py").write_text(
        f"def test_one_more():\n    assert {starter.run_id!r}\n"
    )
    assert " passed in " in starter.make("test").stderr


def test_a_bad_setting_ends_the_start_with_a_line_that_names_it(starter: Service):
    options = ("--env", "LOG_LEVEL=loud")
    result = starter.sandbox(*starter.start_command, user="10001", options=options, check=False)
    assert result.returncode, result
    assert "LOG_LEVEL" in (result.stdout + result.stderr).strip().splitlines()[-1], result


@pytest.mark.parametrize("init", [True, False], ids=["init", "no-init"])
def test_a_stop_ends_with_status_0(starter: Service, init: bool):
    """Kubernetes runs containers without an init: the service is process 1, and its handler must exist."""
    options = ("--init",) if init else ()
    container = docker("run", "--detach", "--read-only", "--tmpfs", "/tmp", *options, starter.image)
    try:
        wait_until("it is healthy", lambda: inspect(container)["State"]["Health"]["Status"] == "healthy")
        docker("stop", container)
        assert inspect(container)["State"]["ExitCode"] == 0, docker("logs", container)
    finally:
        docker("rm", "--force", container)


@pytest.fixture(scope="module")
def django(engine: None, folder: Path) -> Iterator[Service]:
    with Service(generate(folder / "django-site", service_name="django-site", framework="django")) as service:
        service.build()
        yield service


def test_django_is_clean_when_it_is_deployed(django: Service):
    check = ("check", "--deploy", "--fail-level", "WARNING")
    options = ("--env", "HTTPS_ONLY=true", "--read-only", "--tmpfs", "/tmp")
    said = django.sandbox("python", "manage.py", *check, user="10001", options=options)
    assert "no issues" in said.stdout


def test_django_serves_the_static_files_that_were_collected_at_build_time(django: Service):
    with django.production():
        status, page = get(django.url("/"))
        assert status == 200
        link = page.partition('href="/static/')[2].partition('"')[0]
        assert get(django.url(f"/static/{link}"))[0] == 200
        assert f"/app/static/{link}" in django.listing


def test_django_is_migrated_once_by_hand_and_not_at_the_start(django: Service):
    migrate = f"{django.name}-migrate"
    with django.production():
        assert migrate not in django.compose("ps", "--all", "--services").stdout
        said = django.compose("run", "--rm", migrate)
        assert "Applying auth.0001_initial... OK" in said.stdout, said


# Takes three jobs, of which the first one is slow, and writes the finished ones to standard output.
RECEIVE = """

jobs = iter(["first", "second", "third"])


def receive():
    return next(jobs, None)


def handle(job):
    logger.info("%s begins", job)
    time.sleep(3)
    logger.info("%s is done", job)
"""


def test_a_stopped_worker_finishes_its_current_job_and_starts_no_other(engine: None, folder: Path, tmp_path: Path):
    with Service(generate(folder / "orderly", service_name="orderly", framework="worker")) as service:
        service.build()
        source = service.project / "src" / service.package / "main.py"
        main = tmp_path / "main.py"
        main.write_text(source.read_text() + RECEIVE)
        main.chmod(0o644)
        override = tmp_path / "override.yml"
        override.write_text(
            "services:\n  orderly:\n"
            "    command: [python, --check-hash-based-pycs, always, /opt/server/start.py]\n"
            f"    volumes: ['{main}:/app/{service.package}/main.py:ro']\n"
        )
        with service.second_stack(override) as worker:
            worker.compose("up", "--detach")
            wait_until("the worker begins a job", lambda: "first begins" in worker.logs(), worker.logs)
            docker("stop", worker.container)
            assert worker.state["ExitCode"] == 0
            assert "first is done" in worker.logs() and "second" not in worker.logs(), worker.logs()
