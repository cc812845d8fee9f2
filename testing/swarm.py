"""A Docker Swarm of several nodes on this machine, which engine/swarm-up runs."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from testing import ROOT
from testing.engine import EngineError
from testing.process import run
from testing.service import Service
from testing.waiting import wait_until

SWARM_UP = ROOT / "engine" / "swarm-up"

# Swarm's routing mesh needs a kernel with ip_vs, which test machines may lack. So HAProxy stands
# in for it: it forwards connections, and never repeats a request. The service's own published
# port 0 is any free port of the node.
OVERRIDE = """
services:
  {name}:
    healthcheck: {{interval: 1s, start_period: {start_period}s}}
    ports: [{{mode: host, published: 0, target: 8000}}]
    deploy: {{endpoint_mode: dnsrr, update_config: {{monitor: 5s}}, rollback_config: {{monitor: 1s}}}}
  proxy:
    image: haproxy:3.0-trixie
    configs: [{{source: haproxy, target: /usr/local/etc/haproxy/haproxy.cfg}}]
    ports: [{{mode: host, published: 8080, target: 8080}}]
    networks: [frontend]
    deploy: {{endpoint_mode: dnsrr, placement: {{constraints: [node.role == manager]}}}}
configs:
  haproxy: {{file: ./haproxy.cfg}}
"""
HAPROXY = """
defaults
    mode tcp
    timeout connect 1s
    timeout client 20s
    timeout server 20s
    timeout queue 500ms
    retries 1
    option redispatch 1
frontend published
    bind :8080
    default_backend tasks
backend tasks
    balance roundrobin
    server-template task 1-8 {name}:8000 resolvers docker init-addr none
resolvers docker
    nameserver docker 127.0.0.11:53
    resolve_retries 1
    timeout resolve 500ms
    timeout retry 500ms
    hold valid 500ms
    hold obsolete 0s
"""


class Swarm(contextlib.AbstractContextManager["Swarm"]):
    """A Swarm whose node 1 is the manager. On exit its nodes and all their data are removed.

    Several can run at the same time: each has a folder, a network and names of its own.
    """

    def __init__(self, nodes: int = 3, options: str = "--no-new-privileges") -> None:
        """Each of the `nodes` runs dockerd with these options."""
        self.nodes = nodes
        number = random.randint(1, 254)
        # In memory: on a disk, removing the nodes' images takes as long as all tests.
        self.home = Path(tempfile.mkdtemp(prefix="swarm-", dir="/dev/shm"))
        self.env = {
            "SWARM_HOME": str(self.home),
            "SWARM_NET": f"10.213.{number}",
            "SWARM_PREFIX": f"swarm{number}",
            "SWARM_DOCKERD": options,
        }

    def __enter__(self) -> Self:
        started = run(SWARM_UP, str(self.nodes), env=self.env, check=False)
        if started.returncode:
            self.__exit__()
            raise EngineError(started.stderr.strip().splitlines()[-1])
        return self

    def __exit__(self, *_: object) -> None:
        run(SWARM_UP, "down", env=self.env, check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def docker(self, *arguments: str | Path, node: int = 1, env: dict[str, str] | None = None) -> str:
        """Run docker on a node; return its standard output."""
        host = f"unix://{self.home}/{node}/docker.sock"
        return run("docker", "--host", host, *arguments, env=env).stdout.strip()

    def load(self, *images: str) -> None:
        """Copy images from the engine to every node."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as save:
            subprocess.run([SWARM_UP, "load"], stdin=save.stdout, env=os.environ | self.env, check=True)
        assert save.returncode == 0

    def address(self, node: int = 1) -> str:
        return run(SWARM_UP, "address", str(node), env=self.env).stdout.strip()

    def kill(self, node: int) -> None:
        run(SWARM_UP, "kill", str(node), env=self.env)

    def start(self, node: int) -> None:
        run(SWARM_UP, "start", str(node), env=self.env)

    # Stacks

    def deploy(self, stack: str, files: Sequence[Path], env: dict[str, str], *, detach: bool = False) -> None:
        """Deploy a stack; unless `detach` is set, return when docker has watched its tasks for the time `monitor`."""
        options = [word for file in files for word in ("--compose-file", file)]
        # The images come from no registry.
        self.docker("stack", "deploy", f"--detach={detach}", "--resolve-image=never", *options, stack, env=env)

    def update_state(self, service: str) -> str:
        return self.docker("service", "inspect", "--format", "{{.UpdateStatus.State}}", service)

    def tasks(self, service: str) -> list[tuple[int, str]]:
        """Return the node and the container of each running task that is not being stopped."""
        ids = self.docker("service", "ps", "--filter", "desired-state=running", "--quiet", service).split()
        if not ids:
            return []
        tasks = json.loads(self.docker("inspect", "--type", "task", *ids))
        nodes = {node["ID"]: node["Hostname"] for node in self.list_nodes()}
        # The host name of node 2 ends with -2.
        return [
            (int(nodes[task["NodeID"]].rpartition("-")[2]), task["Status"]["ContainerStatus"]["ContainerID"])
            for task in tasks
            if task["Status"]["State"] == "running"
        ]

    def list_nodes(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.docker("node", "ls", "--format", "{{json .}}").splitlines()]

    def wait_for_tasks(self, service: str, count: int, seconds: float = 120) -> list[tuple[int, str]]:
        """Return the tasks of a service when `count` of them run, and so are healthy."""
        return wait_until(
            f"{count} tasks of {service} run",
            lambda: found if len(found := self.tasks(service)) == count else [],
            lambda: self.docker("service", "ps", "--no-trunc", service),
            seconds,
            every=1,
        )

    def python(self, service: str, code: str) -> str:
        """Run Python code in a task of a service; return its standard output."""
        node, container = self.tasks(service)[0]
        return self.docker("exec", container, "python", "-c", code, node=node)

    def create_secret(self, name: str) -> None:
        (self.home / "secret").write_text("a secret")
        self.docker("secret", "create", name, self.home / "secret")


def behind_haproxy(service: Service, start_period: int = 3) -> list[Path]:
    """Return the stack file of a service, and an override by which HAProxy publishes it on port 8080.

    Failed health checks count when a task is `start_period` seconds old.
    """
    deploy = service.project / "deploy"
    (deploy / "override.yml").write_text(OVERRIDE.format(name=service.name, start_period=start_period))
    (deploy / "haproxy.cfg").write_text(HAPROXY.format(name=service.name))
    return [deploy / "docker-stack.yml", deploy / "override.yml"]
