"""docker-compose.yml: the same image, with the checkout's source and live reload."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groups import services
from testing import ROOT
from testing.debugger import Debugger
from testing.docker import free_port, get, inspect
from testing.process import run
from testing.service import Service
from testing.waiting import wait_until

# The development files publish fixed ports, which may be taken on this machine.
PORTS = """
services:
  {service.name}:
    ports: !override
      - 127.0.0.1:{service.port}:8000
      - 127.0.0.1:{debugger}:5678
"""


@pytest.fixture(scope="session")
def postgres(engine: None) -> None:
    """Make the database's image available."""
    run(ROOT / "engine" / "build-postgres")


@pytest.mark.xdist_group("production")
def test_a_changed_source_file_is_live_without_a_build(default: Service, tmp_path: Path):
    with default.second_stack(compose_files=["docker-compose.yml", tmp_path / "ports.yml"]) as service:
        # The development file publishes a fixed port, which may be taken here.
        (tmp_path / "ports.yml").write_text(
            f"services:\n  {service.name}:\n    ports: !override\n      - 127.0.0.1:{service.port}:8000\n"
        )
        files = [str(word) for file in service.compose_files for word in ("--file", file)]
        with (tmp_path / "log").open("w") as log:
            watch = subprocess.Popen(
                ["docker", "compose", *files, "up", "--build", "--watch"],
                cwd=service.project,
                env=os.environ | service.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        source = service.project / "src" / service.package / "main.py"
        text = source.read_text()
        try:
            log_text = (tmp_path / "log").read_text
            wait_until(
                "the service answers",
                lambda: get(service.url("/"))[0] == 200 or watch.poll() is not None,
                log_text,
                seconds=120,
            )
            assert watch.poll() is None, log_text()
            assert inspect(service.container)["HostConfig"]["ReadonlyRootfs"]
            wait_until("compose watches the source", lambda: "Watch enabled" in log_text(), log_text)
            source.write_text(text.replace('@app.get("/")', '@app.get("/new")'))
            wait_until("the change is live", lambda: get(service.url("/new"))[0] == 200, log_text)
        finally:
            source.write_text(text)
            watch.terminate()
            watch.wait()


VIEWS = {"default": ("main.py", '@app.get("/")'), "flask": ("app.py", '@app.get("/")'), "django": ("views.py", "def ")}


@pytest.mark.parametrize("name", services("default", "flask", "django"))
def test_a_breakpoint_is_hit(built: Callable[[str], Service], postgres: None, tmp_path: Path, name: str):
    """`make debug`, with the ports of this test."""
    image = built(name)
    file, marker = VIEWS[name]
    files = ["docker-compose.yml", "docker/debug.yml", tmp_path / "ports.yml"]
    with image.second_stack(compose_files=files) as service:
        debugger_port = free_port()
        (tmp_path / "ports.yml").write_text(PORTS.format(service=service, debugger=debugger_port))
        lines = (service.project / "src" / service.package / file).read_text().splitlines()
        line = next(
            n for n, text in enumerate(lines, 1) if text.startswith("    return ") and n > lines_before(lines, marker)
        )
        service.compose("up", "--build", "--detach")
        wait_until("the service answers", lambda: get(service.url("/"))[0] == 200, service.logs, seconds=120)
        with Debugger(debugger_port) as debugger:
            debugger.attach(f"/app/{service.package}/{file}", line)
            request = threading.Thread(target=get, args=(service.url("/"),))
            request.start()
            stopped = debugger.wait_for("stopped")
            assert stopped["reason"] == "breakpoint"
            assert debugger.location(stopped["threadId"]) == (f"/app/{service.package}/{file}", line)
            debugger.send("disconnect")
            debugger.wait_for("disconnect")
            request.join()


def lines_before(lines: list[str], marker: str) -> int:
    """Return the number of the first line that starts with the marker."""
    return next(number for number, text in enumerate(lines, 1) if text.startswith(marker))


@pytest.fixture
def django(built: Callable[[str], Service], postgres: None, tmp_path: Path) -> Iterator[Service]:
    """A copy of the Django service, which a test may edit, with a development stack of its own."""
    project = shutil.copytree(built("django").project, tmp_path / "django")
    service = Service(project)
    service.compose_files = ["docker-compose.yml", tmp_path / "ports.yml"]
    (tmp_path / "ports.yml").write_text(PORTS.format(service=service, debugger=free_port()))
    # What the Makefile sets.
    service.env["DEVELOPMENT_USER"] = f"{os.getuid()}:{os.getgid()}"
    try:
        yield service
    finally:
        service.compose("down", "--volumes", "--rmi", "local", "--timeout", "1", check=False)


MODEL = """from django.db import models


class Note(models.Model):
    text = models.TextField()
"""


@pytest.mark.xdist_group("starters")
def test_djangos_migrations_are_in_the_checkout_and_its_data_outlives_a_restart(django: Service):
    def manage(*arguments: str) -> str:
        return django.compose("exec", django.name, "python", "manage.py", *arguments).stdout

    django.compose("up", "--build", "--detach")
    (django.project / "src" / django.package / "models.py").write_text(MODEL)
    manage("makemigrations")
    migration = django.project / "src" / django.package / "migrations" / "0001_initial.py"
    assert migration.stat().st_uid == os.getuid()
    assert "0001_initial... OK" in manage("migrate")
    add = f"from {django.package}.models import Note; Note.objects.create(text='kept')"
    manage("shell", "--command", add)
    django.compose("restart", "--timeout", "1")
    read = f"from {django.package}.models import Note; print('read', Note.objects.get().text)"
    assert "read kept" in manage("shell", "--command", read)
    django.compose("down", "--timeout", "1")
    django.compose("up", "--detach")
    assert "read kept" in manage("shell", "--command", read)
