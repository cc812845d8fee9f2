"""Build and run each app in each layout, and write what was measured to bench/results/APP.json.

    python -m bench.run [--app NAME] [--rounds N] [--cold N] [--results FOLDER]

- A cold build uses no layer and no cache of packages from before; the base image is on the machine.
- The later builds, of which each adds something to the one before: nothing changed, one source file
  changed, one package added.
- A start lasts from `docker run` to the first 200, in seconds, and in CPU seconds of the container's
  control group. Health checks are off, because only some layouts have one.
- The layouts take turns in each round. A build that takes longer than SLOW seconds is measured once.
- With two cold builds, the second one is of another service with the same packages: its layers tell
  which ones two services share.
"""

import argparse
import datetime
import http.client
import json
import os
import platform
import re
import shutil
import socket
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.images import Layer, describe, loaded, pushed, to_layers
from bench.layouts import APPS, LAYOUTS, SOURCE, TAG, locked, remove_bases, use_own_caches
from bench.measure import build, change, cpu_seconds, docker, memory_at_rest, rebuild, use_engine
from fleet.image.contents import read_image
from testing.process import run

RESULTS = Path(__file__).parent / "results"
REQUESTS = 1000
SLOW = 20
# How many containers start at a time with so many CPUs: together they use less than the machine has.
AT_A_TIME = {"2": 1, "0.5": 2, "0.2": 4}
PACKAGE = ("itsdangerous", "flask")


class Measured:
    """A layout of an app: its folders, its image, and the values of each figure."""

    def __init__(self, name: str, number: int, folder: Path, run_id: str) -> None:
        self.name = name
        self.folders = [folder / f"{number}-{service}" for service in "ab"]
        self.run_id = f"{run_id}-{number}"
        # By this label, images are found that have lost their name to a newer one.
        self.label = f"--label={TAG}={run_id}"
        self.image = f"{TAG}:{number}"
        self.images = [self.image, f"{self.image}-second"]
        self.values: dict[str, list[float]] = defaultdict(list)
        self.services: list[list[Layer]] = []
        self.estimates: dict[str, int] = {}

    def prepare(self, app: str) -> None:
        first, second = self.folders
        LAYOUTS[self.name].prepare(app, first)
        shutil.copytree(first, second, symlinks=True)
        change(second / SOURCE)
        for folder, service in zip(self.folders, "ab", strict=True):
            use_own_caches(folder, f"{self.run_id}{service}")

    def build_cold(self, turn: int) -> None:
        """Build one of the two services without a cache."""
        seconds = build(self.folders[turn], self.images[turn], self.label, "--no-cache")
        self.values["cold build, s"].append(seconds)

    def measure_builds(self) -> None:
        folder = self.folders[0]
        self.values["no change, s"].append(build(folder, self.image, self.label))
        if self.is_due("code-only build, s"):
            self.values["code-only build, s"].append(rebuild(folder, SOURCE, self.image, self.label))
            if "pushed, MB" not in self.values:
                layers = to_layers(read_image(self.image, self.estimates))
                self.values["pushed, MB"].append(pushed(self.services[0], layers) / 1e6)
        if self.is_due("one package more, s"):
            requirements = folder / "requirements.txt"
            text = requirements.read_text()
            requirements.write_text(text + locked(*PACKAGE))
            seconds = rebuild(folder, "requirements.txt", f"{self.image}-more", self.label)
            self.values["one package more, s"].append(seconds)
            requirements.write_text(text)

    def is_due(self, figure: str) -> bool:
        return not self.values[figure] or max(self.values[figure]) < SLOW

    def start(self, cpus: str, path: str | None = None) -> None:
        """Start the image; with a path, measure memory and requests, too."""
        began = time.perf_counter()
        options = ("--detach", "--no-healthcheck", "--cpus", cpus, "--memory", "1g", "--publish", "127.0.0.1::8000")
        container = docker("run", *options, self.image)
        try:
            port = wait_for_200(container, began)
            found = {f"start, {cpus} CPU, s": time.perf_counter() - began}
            found[f"start, {cpus} CPU, CPU s"] = cpu_seconds(container)
            if path:
                time.sleep(1)
                found["memory, MB"] = memory_at_rest(container) / 1e6
                found["requests per CPU s"] = request(port, path, container)
            for name, value in found.items():
                self.values[name].append(value)
        finally:
            docker("rm", "--force", container)

    def to_json(self) -> dict[str, Any]:
        return {
            "figures": {name: [round(value, 4) for value in values] for name, values in self.values.items()},
            "services": [[[digest[7:19], *sizes] for digest, *sizes in layers] for layers in self.services],
        }


def wait_for_200(container: str, began: float) -> int:
    """Wait until the service in the container answers; return the port of this machine."""
    port = int(docker("port", container, "8000").rpartition(":")[2])
    while time.perf_counter() - began < 120:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                if b" 200 " in connection.recv(64):
                    return port
        except OSError:
            pass
        time.sleep(0.005)
    sys.exit(f"the container did not answer:\n{docker('logs', container)}")


def request(port: int, path: str, container: str) -> float:
    """Send requests one after the other; return how many the container answers in a CPU second."""
    before = cpu_seconds(container)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(REQUESTS):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            sys.exit(f"{path} answers {answer.status}")
    connection.close()
    return REQUESTS / (cpu_seconds(container) - before)


def describe_machine(image: str) -> dict[str, Any]:
    """Return what the figures depend on: the processor, the engine and the versions in the images."""
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)", text, re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    version, driver = docker("info", "--format", "{{.ServerVersion}} {{.Driver}}").split()
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory, GB": round(memory / 1e9),
        "Linux": ".".join(platform.release().split(".")[:2]),
        "Docker Engine": version.partition("+")[0],
        "storage driver": driver,
        "Python": docker("run", "--rm", "--entrypoint", "python", image, "-V").split()[1],
        "Debian": docker("run", "--rm", "--entrypoint", "cat", image, "/etc/debian_version"),
    }


def read(images: list[str]) -> tuple[dict[str, float], list[list[Layer]], dict[str, int]]:
    """Return the figures of the first image, the layers of each one, and the compressed sizes of the layers."""
    estimates: dict[str, int] = {}
    contents = [read_image(image, estimates) for image in images]
    return describe(images[0], contents[0]), [to_layers(image) for image in contents], estimates


def measure(app: str, rounds: int, cold: int, folder: Path, results: Path) -> None:
    """Measure an app in all layouts; write the results after each round."""
    run_id = f"bench-{uuid.uuid4().hex[:8]}"
    all_of_them = [Measured(name, number, folder, run_id) for number, name in enumerate(LAYOUTS)]
    began, busy = time.monotonic(), [os.getloadavg()[0]]
    try:
        for layout in all_of_them:
            layout.prepare(app)
        for turn in range(cold):
            for layout in all_of_them:
                say(f"{app}: cold build {turn + 1} of {layout.name}")
                layout.build_cold(turn)
        if not cold:
            for layout in all_of_them:
                say(f"{app}: build of {layout.name}")
                build(layout.folders[0], layout.image, layout.label)
        say(f"{app}: reading the images")
        with ProcessPoolExecutor(2) as pool:
            found = pool.map(read, [layout.images[: max(cold, 1)] for layout in all_of_them])
            for layout, (figures, layout.services, layout.estimates) in zip(all_of_them, found, strict=True):
                layout.values |= {name: [value] for name, value in figures.items()}
        slim = next(layout for layout in all_of_them if layout.name == "ours, slim")
        header = {
            "app": app,
            "description": APPS[app].description,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": describe_machine(slim.image),
            "floor, MB": round(loaded(slim.image, APPS[app].imports) / 1e6, 3),
        }
        for layout in all_of_them:  # fills the disk cache
            layout.start("2")
            layout.values = defaultdict(list, {k: v for k, v in layout.values.items() if not k.startswith("start")})
        for turn in range(rounds):
            say(f"{app}: round {turn + 1} of {rounds}")
            busy.append(os.getloadavg()[0])
            measure_round(all_of_them, APPS[app].path)
            course = {
                "rounds": turn + 1,
                "minutes": round((time.monotonic() - began) / 60, 1),
                "load average before each round": [round(value, 2) for value in busy],
            }
            layouts = {"layouts": {layout.name: layout.to_json() for layout in all_of_them}}
            write(header | course | layouts, results)
    finally:
        for layout in all_of_them:
            for image in (*layout.images, f"{layout.image}-more"):
                run("docker", "image", "rm", "--force", image, check=False)
        run("docker", "image", "prune", "--force", "--filter", f"label={TAG}={run_id}", check=False)
        # The caches of packages are of this run alone.
        run("docker", "buildx", "prune", "--force", "--filter", f'description~="{run_id}"', check=False)


def measure_round(layouts: list[Measured], path: str) -> None:
    for layout in layouts:
        layout.start("2", path)
    for cpus in ("0.5", "0.2"):
        with ThreadPoolExecutor(AT_A_TIME[cpus]) as pool:
            list(pool.map(Measured.start, layouts, [cpus] * len(layouts)))
    for layout in layouts:
        layout.measure_builds()


def say(text: str) -> None:
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", file=sys.stderr)


def write(found: dict[str, Any], folder: Path) -> None:
    """Write the results of an app, with each list of values in one line."""
    text = json.dumps(found, indent=1)
    text = re.sub(r"\[\s+[^][{}]*?\s+\]", lambda match: " ".join(match[0].split()), text)
    folder.mkdir(exist_ok=True)
    (folder / f"{found['app']}.json").write_text(text + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__.splitlines()[0])
    parser.add_argument("--app", choices=APPS, help="default: all, one after the other")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", type=int, choices=(0, 1, 2), help="cold builds of each layout (default: by app)")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()

    use_engine()
    try:
        for app in [options.app] if options.app else APPS:
            with tempfile.TemporaryDirectory() as temporary:
                cold = APPS[app].cold if options.cold is None else options.cold
                measure(app, options.rounds, cold, Path(temporary), options.results)
    finally:
        remove_bases()


if __name__ == "__main__":
    main()
