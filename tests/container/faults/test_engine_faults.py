"""Faults of the engine, on an engine of the tests' own: `make faults` alone runs them.

The docstring of a test is its row of the fault table.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faulty import Faulty, seen
from testing.docker import get
from testing.load import Load, Request
from testing.service import Service
from testing.swarm import Swarm
from testing.waiting import wait_until

Figure = Callable[[str], None]


class Remote:
    """A service in production on the other engine."""

    def __init__(self, swarm: Swarm, stack: Service, is_web: bool) -> None:
        self.swarm = swarm
        self.stack = stack
        self.is_web = is_web
        self.container = stack.compose("ps", "--all", "--quiet", stack.name).stdout.strip()
        self.url = f"http://{swarm.address()}:{stack.port}"

    def inspect(self, field: str) -> str:
        return self.swarm.docker("inspect", "--format", f"{{{{{field}}}}}", self.container)

    def is_up(self) -> bool:
        healthy = self.inspect(".State.Running") == "true" and self.inspect(".State.Health.Status") == "healthy"
        return healthy and (not self.is_web or get(f"{self.url}/healthz")[0] == 200)

    def wait_up(self) -> None:
        wait_until("it is healthy", self.is_up, lambda: self.inspect(".State"), 60)

    def logged(self, path: str) -> int:
        """Return how often the path is in the files of the log."""
        folder = self.swarm.home / "1" / "data" / "containers" / self.container
        return sum(file.read_text().count(path) for file in folder.glob("*-json.log*"))


@pytest.fixture(scope="module")
def swarm(engine: None) -> Iterator[Swarm]:
    """An engine in a network of its own, whose disk is small."""
    one = Swarm(nodes=1)
    data = one.home / "1" / "data"
    data.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", data], check=True)
    try:
        with one:
            yield one
            one.kill(1)
            subprocess.run(["umount", data], check=True)
    finally:
        if data.is_mount():
            subprocess.run(["umount", data], check=True)


@pytest.fixture
def remote(swarm: Swarm, faulty: Faulty) -> Iterator[Remote]:
    """The service of this test, as in production, without faults of its own."""
    service = faulty.service
    swarm.load(service.image)
    environment = {
        "DOCKER_HOST": f"unix://{swarm.home}/1/docker.sock",
        f"{service.prefix}_ADDRESS": swarm.address(),
        "ALLOWED_HOSTS": swarm.address(),
    }
    try:
        with service.second_stack(compose_files=["docker-compose.prod.yml"], **environment) as stack:
            stack.compose("up", "--detach", "--wait")
            yield Remote(swarm, stack, faulty.is_web)
    finally:
        swarm.docker("image", "rm", "--force", service.image)


def test_the_engine_restarts(remote: Remote, swarm: Swarm, figure: Figure):
    """The engine is restarted, then loses its power."""
    figures = []
    for way, end in (("restart", shut_down), ("power cut", Swarm.kill)):
        end(swarm, 1)
        began = time.monotonic()
        swarm.start(1)
        remote.wait_up()
        figures.append(f"{way}: healthy after {time.monotonic() - began:.1f} s")
    figure("; ".join(figures))


def shut_down(swarm: Swarm, node: int) -> None:
    """Stop the engine of a node as the system does: it stops its containers first."""
    outer = int((swarm.home / str(node) / "pid").read_text())
    children = Path(f"/proc/{outer}/task/{outer}/children")
    os.kill(int(children.read_text().split()[0]), signal.SIGTERM)
    wait_until("the engine has stopped", lambda: not children.exists() or not children.read_text(), seconds=60)


def test_the_disk_for_logs_is_full(remote: Remote, swarm: Swarm, figure: Figure):
    """The disk of the engine is full."""
    full = swarm.home / "1" / "data" / "full"
    # Each request for a page that does not exist leaves a line in the log.
    during, after = (Request(path=path, status=404) for path in ("/during", "/after"))
    try:
        fill(full)
        if remote.is_web:
            with Load(remote.url, (during,), clients=2, pause=0.02) as clients:
                time.sleep(5)
            assert clients.failed == 0, str(clients)
            lost = clients.total - remote.logged(during.path)
            assert lost > 0
        else:
            time.sleep(5)
        assert remote.is_up()
    finally:
        full.unlink()
    if not remote.is_web:
        figure("healthy")
        return
    with Load(remote.url, (after,), clients=1) as clients_after:
        clients_after.wait_for(20)
    wait_until("the log goes on", lambda: remote.logged(after.path) >= clients_after.total)
    # The line that was cut off hides what follows it, unless docker reads from the end.
    assert after.path in swarm.docker("logs", "--tail", "5", remote.container)
    whole = after.path in swarm.docker("logs", remote.container)
    hidden = "" if whole else "; `docker logs` ends at the broken line, with --tail it does not"
    figure(f"{seen(clients)}; {lost} log lines lost; with space again, none{hidden}")


def fill(file: Path) -> None:
    """Write to a file until its disk is full."""
    with file.open("wb", buffering=0) as stream:
        for size in (1024 * 1024, 1024):
            with contextlib.suppress(OSError):
                while stream.write(bytes(size)):
                    pass
