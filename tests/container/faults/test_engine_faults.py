"""Faults of the engine, on an engine of the tests' own: `make faults` alone runs them.

The docstring of a test is its row of the fault table.
"""

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

    def logged(self) -> int:
        return len(self.swarm.docker("logs", self.container).splitlines())


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
        subprocess.run(["umount", "--quiet", data], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture
def remote(swarm: Swarm, faulty: Faulty) -> Iterator[Remote]:
    """The service of this test, as in production, without faults of its own."""
    service = faulty.service
    swarm.load(service.image)
    address = {f"{service.prefix}_ADDRESS": swarm.address(), "DOCKER_HOST": f"unix://{swarm.home}/1/docker.sock"}
    try:
        with service.second_stack(compose_files=["docker-compose.prod.yml"], **address) as stack:
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
    requests = (Request(path="/missing", status=404),)
    lines = remote.logged()
    try:
        with full.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1024 * 1024)):
                    pass
            except OSError as error:
                assert error.strerror == "No space left on device"
        if remote.is_web:
            with Load(remote.url, requests, clients=2, pause=0.02) as clients:
                time.sleep(5)
            assert clients.failed == 0, str(clients)
            lost = clients.total - (remote.logged() - lines)
            assert lost > 0
        else:
            time.sleep(5)
        assert remote.is_up()
    finally:
        full.unlink()
    if not remote.is_web:
        figure("healthy")
        return
    lines = remote.logged()
    with Load(remote.url, requests, clients=1) as after:
        after.wait_for(10)
    wait_until("the lines are logged", lambda: remote.logged() >= lines + after.total, remote.logged)
    figure(f"{seen(clients)}; {lost} log lines lost; with space again, none")
