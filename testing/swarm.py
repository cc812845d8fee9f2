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
from testing.waiting import wait_until

SWARM_UP = ROOT / "engine" / "swarm-up"


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
