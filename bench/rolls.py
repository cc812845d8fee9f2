"""Measure what each way of putting a new version into production costs the clients.

    python -m bench.rolls [--json FILE] [WAY ...]

The service is the FastAPI starter with one more path, which takes POST. Four clients send GET and
POST in turn, each request by a new connection, and repeat nothing. Each way replaces the version
three times; a bad version, which exits at once or never becomes healthy, is tried once. A roll lasts
until its command ends. Figures of a busy machine are upper bounds: run nothing else meanwhile.

`docker stack deploy` returns when Swarm has watched each new task for the time `monitor`, here 5 s,
not the 60 s of the generated file. This machine may lack ip_vs, so HAProxy stands in for Swarm's
routing mesh. Podman runs the manifests for Kubernetes; a cluster is not measured.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.measure import use_engine
from testing import ROOT
from testing.docker import get
from testing.engine import ensure_podman
from testing.load import Load
from testing.podman import Pods, load, podman
from testing.process import run
from testing.rolls import EXITS, NEWER, ORDERS, UNHEALTHY, behind_proxy, roll, take_orders, tls_load, variants
from testing.service import Service
from testing.swarm import Swarm, behind_haproxy
from testing.template import generate
from testing.waiting import wait_until

NAME = "bench-of-rolls"
# Before and after each roll, so that the load is steady.
AROUND = 100
# Each way has so many rolls; `make roll` goes on until so many requests are sent.
ROLLS = 3
ENOUGH = 5000


class Images(NamedTuple):
    """Two versions of the service, and two bad ones."""

    first: str
    newer: str
    exits: str
    unhealthy: str


class Result(NamedTuple):
    """What one way did to the clients."""

    way: str
    requests: int
    failed: int
    longest_gap: float
    rolls: list[float]
    reasons: dict[str, int]


class Bench:
    """The service in its two forms, alone and behind the proxy, and what was measured."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.results: list[Result] = []
        project = generate(folder / "alone" / NAME, service_name=NAME, targets=["swarm", "kubernetes"])
        self.alone = stack.enter_context(Service(project))
        take_orders(self.alone)
        self.alone.build()
        bad = stack.enter_context(variants(self.alone.image, newer=NEWER, exits=EXITS, unhealthy=UNHEALTHY))
        self.images = Images(self.alone.image, **bad)
        self.proxied = behind_proxy(
            generate(folder / "proxied" / NAME, service_name=NAME, targets=["proxy"]), self.alone.run_id
        )

    def measure(
        self,
        way: str,
        clients: Load,
        deploy: Callable[[str], None],
        image: str | None = None,
        requests: int = 0,
    ) -> None:
        """Replace the first version by the newer one and so on, three times and until so many requests are sent.

        With an image, deploy only this one, once.
        """
        print(way, file=sys.stderr)
        images = (image,) if image else (self.images.newer, self.images.first)
        lasted: list[float] = []
        with clients:
            clients.wait_for(AROUND)
            while len(lasted) < (1 if image else ROLLS) or clients.total < requests:
                began = time.monotonic()
                deploy(images[len(lasted) % len(images)])
                lasted.append(time.monotonic() - began)
                clients.wait_for(AROUND)
        print(f"{clients}\n", file=sys.stderr)
        reasons = dict(clients.failures)
        self.results.append(Result(way, clients.total, clients.failed, clients.longest_gap, lasted, reasons))


def compose_up(service: Service) -> Callable[[str], None]:
    """Return a function that deploys an image by the command of a service without `docker/roll.sh`."""

    def deploy(image: str) -> None:
        service.compose("up", "--detach", "--wait", check=True, **{f"{service.prefix}_IMAGE": image})

    return deploy


def replicas(service: Service) -> set[str]:
    return set(service.compose("ps", "--all", "--quiet", service.name).stdout.split())


def rolled(service: Service, status: int = 0) -> Callable[[str], None]:
    """Return a function that runs `docker/roll.sh`, which must end with `status` and leave two replicas."""

    def deploy(image: str) -> None:
        before = replicas(service)
        result = roll(service, image)
        after = replicas(service)
        if result.returncode != status or len(after) != 2 or (after == before) != bool(status):
            sys.exit(
                f"docker/roll.sh ended with status {result.returncode}, with the replicas {after}\n{result.stderr}"
            )

    return deploy


def measure_compose(bench: Bench) -> None:
    with bench.alone.production() as service:
        clients = Load(service.url(""), ORDERS)
        bench.measure("Compose, one container: `docker compose up`", clients, compose_up(service))


def measure_proxy(bench: Bench) -> None:
    with bench.proxied.production() as service:
        clients = tls_load(service, ORDERS)
        way = "Compose, two replicas behind HAProxy: `docker compose up`"
        bench.measure(way, clients, compose_up(service))


def measure_roll(bench: Bench) -> None:
    with bench.proxied.production() as service:
        way = "Compose, two replicas behind HAProxy: `make roll`"
        bench.measure(way, tls_load(service, ORDERS), rolled(service), requests=ENOUGH)
        for bad, image in (("exits", bench.images.exits), ("is never healthy", bench.images.unhealthy)):
            bench.measure(f"the same, an image that {bad}", tls_load(service, ORDERS), rolled(service, 1), image)


def measure_swarm(bench: Bench) -> None:
    service, name = bench.alone, f"app_{NAME}"
    files = behind_haproxy(service, start_period=20)
    with Swarm(1) as swarm:
        swarm.load("haproxy:3.0-trixie", *bench.images)
        swarm.create_secret(f"{NAME}-api-token")
        url = f"http://{swarm.address()}:8080"

        def deploy(image: str, state: str = "completed") -> None:
            swarm.deploy("app", files, {f"{service.prefix}_IMAGE": image, f"{service.prefix}_PORT": "0"})
            if state and swarm.update_state(name) != state:
                sys.exit(f"the update ended as {swarm.update_state(name)}, not {state}")

        def measure(way: str, image: str | None = None, state: str = "completed") -> None:
            wait_until("Swarm's service answers", lambda: get(url)[0] == 200)
            bench.measure(way, Load(url, ORDERS), lambda image: deploy(image, state), image)

        deploy(bench.images.first, state="")
        measure("Swarm, two tasks, start-first: `docker stack deploy`")
        for bad, image in (("exits", bench.images.exits), ("is never healthy", bench.images.unhealthy)):
            measure(f"the same, an image that {bad}", image, state="rollback_completed")
        stack = files[0]
        stack.write_text(stack.read_text().replace("order: start-first", "order: stop-first"))
        deploy(bench.images.first)
        measure("Swarm, two tasks, stop-first")
        stack.write_text(stack.read_text().replace("replicas: 2", "replicas: 1"))
        deploy(bench.images.first)
        measure("Swarm, one task, stop-first")


def measure_podman(bench: Bench) -> None:
    ensure_podman()
    service = bench.alone
    pods = Pods(service)
    load(bench.images.newer)
    url = service.url("")

    def deploy(image: str) -> None:
        pods.pin(image)
        pods.play()

    try:
        pods.play()
        wait_until("the pod answers", lambda: get(url)[0] == 200, pods.logs)
        bench.measure("Podman: `podman kube play --replace`", Load(url, ORDERS), deploy)
    finally:
        pods.remove()
        podman("image", "rm", "--force", bench.images.newer, check=False)


WAYS = {
    "compose": measure_compose,
    "proxy": measure_proxy,
    "roll": measure_roll,
    "swarm": measure_swarm,
    "podman": measure_podman,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rolls", description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"one of: {', '.join(WAYS)} (default: all)")
    parser.add_argument("--json", type=Path, help="write all values to this file")
    options = parser.parse_args()
    if unknown := set(options.ways) - set(WAYS):
        parser.error(f"unknown way: {', '.join(sorted(unknown))}")

    use_engine()
    run(ROOT / "engine" / "build-haproxy")
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        bench = Bench(Path(temporary), stack)
        try:
            for name in options.ways or WAYS:
                WAYS[name](bench)
        finally:
            # Also those before a way that did not end as it should.
            report(bench.results, busy, options.json)


def report(results: list[Result], busy: float, file: Path | None) -> None:
    """Print a Markdown table, and write all values to a file."""
    if file:
        values = {"load average before": busy, "ways": [result._asdict() for result in results]}
        file.write_text(json.dumps(values, indent=1) + "\n")
    print("| way | requests | failed | longest gap | duration of each roll |")
    print("|---|---|---|---|---|")
    for result in results:
        rolls = ", ".join(f"{seconds:.0f}" for seconds in result.rolls)
        print(f"| {result.way} | {result.requests} | {result.failed} | {result.longest_gap:.2f} s | {rolls} s |")


if __name__ == "__main__":
    main()
