"""Services that were written before this template: adopted, and their own files left alone."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.answers import ADOPTED
from testing.checklist import PIPELINE, gather, missing
from testing.docker import docker, get, inspect
from testing.service import Service
from testing.template import FIXTURES, adopt, files, generate
from testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("existing")

# The items of the checklist that are the owner's: a bot that updates the base image, and a lock with hashes.
BOT, HASHES = 35, 39
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
    *(f"docker/build/{name}" for name in ("debian-stage", "ldconfig", "stage-python", "stage-system")),
    *(f"docker/build/{name}" for name in ("venv-compile", "venv-prune")),
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


def test_it_is_healthy_and_misses_of_the_checklist_what_its_owner_decides(adopted: Service):
    with adopted.production():
        found = missing(gather(adopted))
        assert found.keys() - {BOT, HASHES} == PIPELINE, found
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


def test_variables_in_env_do_not_move_the_port_or_the_image(engine: None, tmp_path: Path):
    """Compose reads .env itself, and passes it to the service."""
    with Service(adopt("shop", tmp_path / "shop")) as shop:
        shop.bake("image")
        (shop.project / ".env").write_text("PORT=9000\nVERSION=9.9.9\nCOLOUR=red\n")
        with shop.production():
            environment = inspect(shop.container)["Config"]["Env"]
            assert "PORT=8000" in environment and "COLOUR=red" in environment
            assert shop.health == "healthy" and get(shop.url("/health"))[0] == 200
        image = shop.compose("config", "--images", **{f"{shop.prefix}_IMAGE": ""}).stdout.strip()
        assert image == "shop:0.0.0-dev"


ONE_FILE = """
import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"old")


http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


def test_development_runs_changed_code_of_an_app_in_one_file(engine: None, tmp_path: Path):
    """Python would take the bytecode beside the mounted file, which the image contains."""
    project = tmp_path / "tiny"
    project.mkdir()
    (project / "app.py").write_text(ONE_FILE)
    (project / "requirements.txt").touch()
    generate(project, source="existing", app_dir="app.py", start_command="python -m app")
    service = Service(project, compose_files=["docker-compose.yml", tmp_path / "ports.yml"])
    (tmp_path / "ports.yml").write_text(f"services:\n  tiny:\n    ports: !override ['127.0.0.1:{service.port}:8000']\n")
    try:
        service.compose("up", "--build", "--detach")
        wait_until("the old code answers", lambda: get(service.url("/")) == (200, "old"), service.logs)
        (project / "app.py").write_text(ONE_FILE.replace('b"old"', 'b"new"'))
        service.compose("restart", "--timeout", "1")
        wait_until("the new code answers", lambda: get(service.url("/")) == (200, "new"), service.logs)
    finally:
        service.compose("down", "--rmi", "local", "--timeout", "1", check=False)
