"""Services that were written before this template: adopted, and their own files left alone."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.answers import ADOPTED
from testing.docker import docker, get, inspect
from testing.service import Service
from testing.template import FIXTURES, adopt, files
from testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("existing")

# What the layout brings; of these, what a service had already is replaced, and nothing else.
LAYOUT = {
    ".compose-lint.yml",
    ".copier-answers.yml",
    ".dockerignore",
    "Dockerfile",
    "docker-bake.hcl",
    "docker-compose.prod.yml",
    "docker-compose.yml",
    ".hadolint.yaml",
    "docker/container-layout.md",
    "docker/healthcheck.py",
}


@pytest.fixture(scope="module", params=ADOPTED)
def adopted(request: pytest.FixtureRequest, engine: None, folder: Path) -> Iterator[Service]:
    with Service(adopt(request.param, folder / request.param)) as service:
        service.bake("image")
        yield service


def test_its_own_files_are_untouched(adopted: Service):
    before, after = files(FIXTURES / adopted.name), files(adopted.project)
    assert after.keys() - before.keys() <= LAYOUT
    assert {path for path in before if after[path] != before[path]} <= LAYOUT
    assert {"README.md", "Makefile", "requirements.txt"} & before.keys()


def test_it_is_healthy_in_production_form(adopted: Service):
    with adopted.production():
        assert adopted.health == "healthy"
        container = inspect(adopted.container)
        assert container["HostConfig"]["ReadonlyRootfs"] and container["Config"]["User"] == "10001:10001"
        if adopted.answers["port"]:
            assert get(adopted.url(adopted.answers["health_path"]))[0] == 200
        docker("stop", adopted.container)
        assert adopted.state["ExitCode"] == 0


def test_its_source_is_where_the_start_command_expects_it(adopted: Service):
    for path in adopted.answers["app_dir"].split():
        assert f"/app/{path}" in adopted.listing
    assert not {"/app/tests", "/app/README.md", "/app/Makefile", "/app/requirements.txt"} & adopted.listing.keys()


def test_a_consumer_without_a_port_is_unhealthy_once_its_heart_stops(engine: None, folder: Path, tmp_path: Path):
    with Service(adopt("consumer", tmp_path / "consumer")) as service:
        service.bake("image")
        override = tmp_path / "override.yml"
        override.write_text(
            "services:\n  consumer:\n    healthcheck: {interval: 1s}\n    environment: {HEARTBEAT_MAX_AGE: '3'}\n"
        )
        with service.second_stack(override) as consumer, consumer.production():
            assert "8000" not in json.dumps(inspect(consumer.container)["NetworkSettings"]["Ports"])
            process = consumer.python("print(open('/proc/1/task/1/children').read())").stdout.split()[0]
            consumer.python(f"import os, signal; os.kill({process}, signal.SIGSTOP)")
            wait_until("it is unhealthy", lambda: consumer.health == "unhealthy", lambda: consumer.state)
            assert "/tmp/consumer.alive: last seen" in consumer.state["Health"]["Log"][-1]["Output"]
            consumer.python(f"import os, signal; os.kill({process}, signal.SIGCONT)")


@pytest.mark.parametrize(
    ("missing", "named"), [("requirements.txt", "requirements.txt"), ("shop", "/shop")], ids=["requirements", "app"]
)
def test_what_is_not_there_is_told_at_build_time(engine: None, tmp_path: Path, missing: str, named: str):
    service = Service(adopt("shop", tmp_path / "shop"))
    gone = service.project / missing
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    refused = service.bake("image", check=False)
    assert refused.returncode
    (line,) = {line for line in refused.stderr.splitlines() if line.startswith("ERROR: ")}
    assert f'{named}": not found' in line
