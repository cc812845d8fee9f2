"""What each starter other than FastAPI promises beside the layout."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.answers import STARTERS
from testing.docker import docker, get
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


def test_a_bad_setting_ends_the_start_with_one_clear_line(starter: Service):
    options = ("--env", "LOG_LEVEL=loud")
    result = starter.sandbox("python", "-m", starter.package, user="10001", options=options, check=False)
    lines = (result.stdout + result.stderr).strip().splitlines()
    assert result.returncode == 1 and len(lines) == 1 and "LOG_LEVEL" in lines[0], result


@pytest.fixture(scope="module")
def django(engine: None, folder: Path) -> Iterator[Service]:
    with Service(generate(folder / "django-site", service_name="django-site", framework="django")) as service:
        service.build()
        yield service


def test_django_is_clean_when_it_is_deployed(django: Service):
    check = ("check", "--deploy", "--fail-level", "WARNING")
    options = ("--env", "HTTPS_ONLY=true", "--read-only", "--tmpfs", "/tmp")
    said = django.sandbox("python", "-m", django.package, *check, user="10001", options=options)
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


def test_a_worker_told_to_stop_finishes_the_job_in_hand_and_loses_none(engine: None, folder: Path, tmp_path: Path):
    """A volume holds three jobs, of which the first one is slow."""
    with Service(generate(folder / "orderly", service_name="orderly", framework="worker")) as service:
        service.build()
        source = service.project / "src" / service.package / "jobs.py"
        slow = tmp_path / "jobs.py"
        slow.write_text(source.read_text().replace("    job = ", "    __import__('time').sleep(3)\n    job = "))
        assert "sleep(3)" in slow.read_text()
        slow.chmod(0o644)
        spool = tmp_path / "spool"
        spool.mkdir()
        spool.chmod(0o777)
        for number in range(3):
            (spool / f"{number}.json").write_text("{}")
            (spool / f"{number}.json").chmod(0o666)
        override = tmp_path / "override.yml"
        override.write_text(
            f"services:\n  orderly:\n    command: [python, --check-hash-based-pycs, always, -m, {service.package}]\n"
            f"    volumes: ['{slow}:/app/{service.package}/jobs.py:ro', '{spool}:/jobs']\n"
            "    environment: {JOBS_DIR: /jobs}\n"
        )
        with service.second_stack(override) as worker:
            worker.compose("up", "--detach")
            wait_until("the worker waits for jobs", lambda: "Waiting for jobs" in worker.logs(), worker.logs)
            docker("stop", worker.container)
            assert worker.state["ExitCode"] == 0
            assert len(list(spool.glob("[0-9].json"))) == 2, worker.logs()
