"""Projects with their own locks, servers and processes: `fleet adopt` and no edit, then production."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing import ROOT
from testing.answers import ADOPTED
from testing.docker import docker, get, inspect
from testing.git import commit
from testing.process import TOOLS, run
from testing.service import BaseImage, Service
from testing.template import FIXTURES, generate_from, questions, snapshot, working_clone
from testing.uv import uv, uv_environment
from testing.waiting import wait_until

PROJECTS = FIXTURES / "adopted"
FLAVORS = ("slim", "distroless")
PROBE = "/usr/local/bin/healthcheck.py"
ORDERS = {"Host": "orders.example.com", "X-Forwarded-Proto": "https"}

# What the owner of `orders` runs beside it, and what the owner sets.
STACK = """
services:
  database:
    image: postgres:17-trixie
    user: "999:999"
    tmpfs: ["/run/postgresql:uid=999,gid=999"]
    environment: {POSTGRES_HOST_AUTH_METHOD: trust}
    networks: [backend]
    healthcheck:
      test: [CMD, pg_isready, --username=postgres, --host=127.0.0.1]
      start_period: 30s
      start_interval: 1s
  redis:
    image: redis:8-trixie
    networks: [backend]
  orders-release:
    depends_on:
      database: {condition: service_healthy}
  orders-worker:
    environment: {HEARTBEAT_MAX_AGE: "5"}
    healthcheck: {interval: 1s}
"""
ENVIRONMENT = "SECRET_KEY=secret\nDATABASE_HOST=database\nBROKER_URL=redis://redis\n"


def lock(project: Path) -> None:
    """Lock a project as its owner does. The locks name the index, so this repository does not have them."""
    if project.name == "orders":
        poetry = f"poetry=={questions()['poetry_version']['default']}"
        run(
            TOOLS / "uv",
            "tool",
            "run",
            "--quiet",
            "--from",
            poetry,
            "poetry",
            "lock",
            cwd=project,
            env=uv_environment(),
        )
    elif project.name == "exporter":
        uv(
            "pip",
            "compile",
            "--quiet",
            "--python-version",
            "3.11",
            "--format",
            "pylock.toml",
            "pyproject.toml",
            "-o",
            "pylock.toml",
            cwd=project,
        )
    elif project.name in ("notes", "workspace"):
        uv("lock", "--quiet", cwd=project)


def adopt(name: str, folder: Path, **answers: str) -> Path:
    """Copy the project `name` to `folder`, lock and commit it, and run `fleet adopt`; return it."""
    project = folder / name
    shutil.copytree(PROJECTS / name, project, ignore=shutil.ignore_patterns("__pycache__"))
    lock(project)
    commit(project)
    data = [word for answer in answers.items() for word in ("--data", "=".join(answer))]
    command = (sys.executable, "-m", "fleet", "adopt", project, "--yes", "--template", snapshot(), *data)
    run(*command, env={"PYTHONPATH": str(ROOT)})
    return project


@pytest.fixture(scope="module", params=FLAVORS)
def orders(request: pytest.FixtureRequest, engine: None, folder: Path) -> Iterator[Service]:
    """Django with Celery, Poetry's lock and assets that Node builds, beside PostgreSQL and Redis."""
    for image in ("node", "postgres", "redis"):
        run(ROOT / "engine" / f"build-{image}")
    project = adopt("orders", folder / f"orders-{request.param}", flavor=request.param)
    (project / ".env").write_text(ENVIRONMENT)
    (project / "stack.yml").write_text(STACK)
    with Service(project) as service:
        service.bake("image")
        with service.second_stack(project / "stack.yml") as stack, stack.production():
            yield stack


@pytest.mark.xdist_group("orders")
class TestOrders:
    def test_the_release_command_has_migrated_the_database_before_the_others_start(self, orders: Service):
        assert get(orders.url("/orders/"), ORDERS)[0] == 200
        times = {}
        for name in ("orders-release", "orders", "orders-worker", "orders-beat"):
            state = inspect(orders.compose("ps", "--all", "--quiet", name).stdout.strip())["State"]
            times[name] = state
        assert times["orders-release"]["ExitCode"] == 0
        finished = times.pop("orders-release")["FinishedAt"]
        assert all(finished < state["StartedAt"] for state in times.values())

    def test_a_request_becomes_a_job_that_the_worker_does_and_beat_runs_its_schedule(self, orders: Service):
        assert get(orders.url("/order/tea/"), ORDERS)[0] == 200

        def done() -> bool:
            found = json.loads(get(orders.url("/orders/"), ORDERS)[1])
            return "tea" in found["sent"] and found["ticks"] > 0

        wait_until("the job is done", done, orders.logs)

    def test_what_it_writes_outlives_its_containers(self, orders: Service):
        assert get(orders.url("/order/coffee/"), ORDERS)[0] == 200
        orders.compose("up", "--detach", "--wait", "--force-recreate", "orders")
        assert "coffee" in json.loads(get(orders.url("/orders/"), ORDERS)[1])["invoices"]

    def test_the_build_has_collected_what_node_built(self, orders: Service):
        status, text = get(orders.url("/static/dist/app.js"), ORDERS)
        assert status == 200 and "orders" in text and "//" not in text  # no comments: it is minified
        assert not [path for path in orders.listing if "node_modules" in path or path.startswith("/app/frontend")]

    @pytest.mark.parametrize(("changed", "status"), [("HEALTH_HOST", "400"), ("HEALTH_HTTPS", "301")])
    def test_the_health_check_needs_the_host_and_the_scheme(self, orders: Service, changed: str, status: str):
        assert orders.health == "healthy"
        probe = f"import os, runpy; os.environ['{changed}'] = ''; runpy.run_path('{PROBE}', run_name='__main__')"
        refused = orders.python(probe, check=False)
        assert refused.returncode == 1 and status in refused.stdout

    def test_processes_listen_on_nothing_and_are_confined_like_the_service(self, orders: Service):
        for name in ("orders-worker", "orders-beat"):
            container = inspect(orders.compose("ps", "--quiet", name).stdout.strip())
            assert not container["NetworkSettings"]["Ports"].get("8000/tcp")
            assert container["HostConfig"]["ReadonlyRootfs"] and container["HostConfig"]["CapDrop"] == ["ALL"]
            status = docker("exec", container["Id"], "python", "-c", "print(open('/proc/1/status').read())")
            assert "CapBnd:\t0000000000000000" in status and "NoNewPrivs:\t1" in status

    def test_a_stop_lets_every_process_end_by_itself(self, orders: Service):
        # Not the broker at the same time: Celery would wait for it to come back.
        own = ("orders", "orders-worker", "orders-beat")
        orders.compose("stop", *own)
        for name in own:
            container = orders.compose("ps", "--all", "--quiet", name).stdout.strip()
            assert inspect(container)["State"]["ExitCode"] == 0, name
        orders.compose("up", "--detach", "--wait")

    def test_the_worker_is_unhealthy_without_its_broker_and_recovers(self, orders: Service):
        worker = orders.compose("ps", "--quiet", "orders-worker").stdout.strip()

        def health() -> str:
            return inspect(worker)["State"]["Health"]["Status"]

        assert health() == "healthy"
        orders.compose("stop", "redis")
        wait_until("the worker is unhealthy", lambda: health() == "unhealthy", orders.logs)
        orders.compose("start", "redis")
        wait_until("the worker is healthy", lambda: health() == "healthy", orders.logs)


@pytest.fixture(scope="module", params=FLAVORS)
def notes(request: pytest.FixtureRequest, engine: None, folder: Path) -> Iterator[Service]:
    """FastAPI in a package with a console script, locked by uv, with an extra and a group."""
    with Service(adopt("notes", folder / f"notes-{request.param}", flavor=request.param)) as service:
        service.bake("image")
        yield service


@pytest.mark.xdist_group("adopted")
class TestNotes:
    def test_the_project_is_installed_and_its_data_stays(self, notes: Service):
        with notes.production():
            assert notes.health == "healthy"
            assert get(notes.url("/add/*tea*"))[0] == 200
            notes.compose("up", "--detach", "--wait", "--force-recreate")
            assert json.loads(get(notes.url("/"))[1]) == {"version": "2.1.0", "notes": ["<p><em>tea</em></p>"]}

    def test_the_image_has_neither_its_source_twice_nor_what_development_needs(self, notes: Service):
        found = [path for path in notes.listing if path.endswith("notes/main.py")]
        assert len(found) == 1 and found[0].startswith("/opt/venv/")
        assert not [path for path in notes.listing if "site-packages/pytest" in path or path.endswith("/bin/uv")]

    def test_a_code_change_leaves_the_layer_of_the_requirements(self, notes: Service):
        before = inspect(notes.image)["RootFS"]["Layers"]
        source = notes.project / "src" / "notes" / "main.py"
        source.write_text(source.read_text() + "\nCHANGED = True\n")
        notes.bake("image")
        after = inspect(notes.image)["RootFS"]["Layers"]
        assert len(set(before) - set(after)) == 1 and len(before) == len(after)
        assert notes.sandbox("python", "-c", "import notes.main; print(notes.main.CHANGED)").stdout == "True\n"


@pytest.mark.xdist_group("adopted")
@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_member_of_a_workspace_brings_its_siblings_and_nothing_of_the_others(
    engine: None, tmp_path: Path, flavor: str
):
    with Service(adopt("workspace", tmp_path, flavor=flavor, workspace_member="api")) as service:
        service.bake("image")
        with service.production():
            assert get(service.url("/you")) == (200, "Hello, you!")
        packages = " ".join(service.listing)
        assert "site-packages/greetings/" in packages
        assert "site-packages/unrelated" not in packages and "site-packages/colorama" not in packages


@pytest.mark.xdist_group("adopted")
@pytest.mark.parametrize("flavor", FLAVORS)
def test_requirements_that_include_others_a_build_command_and_a_signal_of_its_own(
    engine: None, tmp_path: Path, flavor: str
):
    with Service(adopt("reports", tmp_path, flavor=flavor)) as service:
        service.bake("image")
        with service.production():
            assert get(service.url("/")) == (200, "Noch keine Berichte")
            docker("stop", service.container)
            assert service.state["ExitCode"] == 0
        assert "site-packages/pytest" not in " ".join(service.listing)


@pytest.mark.xdist_group("adopted")
@pytest.mark.parametrize(("flavor", "python"), [("slim", "3.13"), ("distroless", "3.11")])
def test_an_exporter_with_a_pylock(engine: None, tmp_path: Path, flavor: str, python: str):
    with Service(adopt("exporter", tmp_path, flavor=flavor, python_version=python)) as service:
        service.bake("image")
        with service.production():
            status, text = get(service.url("/metrics"))
            assert status == 200 and "\ndisk_free_bytes " in text
            assert f'minor="{python[2:]}"' in text


@pytest.mark.xdist_group("adopted")
def test_a_lock_that_does_not_fit_its_project_ends_the_build(engine: None, tmp_path: Path):
    project = adopt("notes", tmp_path)
    metadata = project / "pyproject.toml"
    metadata.write_text(metadata.read_text().replace('"fastapi>=0.115,<1"', '"fastapi>=0.115,<1", "httpx"'))
    refused = Service(project).bake("image", check=False)
    assert refused.returncode and "The lockfile at `uv.lock` needs to be updated" in refused.stderr


@pytest.mark.xdist_group("shared")
@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_project_on_the_shared_base_installs_its_lock_and_itself(base: BaseImage, tmp_path: Path, flavor: str):
    project = adopt("notes", tmp_path, base="shared", base_image=base.name, flavor=flavor)
    with Service(project) as service:
        service.bake("image")
        with service.production():
            assert get(service.url("/add/tea"))[0] == 200
            assert json.loads(get(service.url("/"))[1]) == {"version": "2.1.0", "notes": ["<p>tea</p>"]}


# What the engine knows of an image or a container, and the update may not change. The labels have the version.
CONFIG = ("User", "ExposedPorts", "Env", "Cmd", "Entrypoint", "WorkingDir", "StopSignal", "Healthcheck", "Volumes")
HOST_CONFIG = ("NanoCpus", "Memory", "MemorySwap", "PidsLimit", "Ulimits", "CapDrop", "SecurityOpt", "Tmpfs", "Binds")


@pytest.mark.xdist_group("existing")
def test_a_service_that_0_3_0_adopted_does_the_same_after_the_update(engine: None, tmp_path: Path):
    template = working_clone(tmp_path / "template", ["0.3.0"], "99.0.0")
    project = tmp_path / "site"
    shutil.copytree(FIXTURES / "site", project, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("Dockerfile", "README.md"):
        (project / file).unlink(missing_ok=True)
    answers = {"source": "existing", "service_name": "site"} | ADOPTED["site"]
    generate_from(template, project, "0.3.0", **answers)
    commit(project)
    seen = []
    for _ in range(2):
        with Service(project) as service:
            service.bake("image")
            with service.production():
                status, page = get(service.url("/healthz/"))
                container = inspect(service.container)
                docker("stop", service.container)
                code = service.state["ExitCode"]
            config = {key: container["Config"].get(key) for key in CONFIG}
            config["Env"] = sorted(line for line in config["Env"] if not line.startswith("SERVICE_VERSION="))
            host = {key: container["HostConfig"].get(key) for key in HOST_CONFIG}
            host["Ulimits"].sort(key=lambda limit: limit["Name"])
            code_of_the_app = sorted(path for path in service.listing if path.startswith("/app/"))
            seen.append((status, page, code, config, host, code_of_the_app))
        if len(seen) == 1:
            command = (sys.executable, "-m", "copier", "update", "--defaults", "--vcs-ref", "99.0.0", "--quiet")
            run(*command, cwd=project)
            commit(project)
    assert seen[0] == seen[1]
