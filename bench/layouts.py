"""Measure image size, start, load and rebuild of one app in several container layouts.

    python -m bench.layouts [--app NAME] [--rounds N] [--cpus N] [--pull] [--json FILE] [LAYOUT ...]

All layouts have the same app: a folder of bench/apps, or a starter of this template with the start
command that the folder adds. `before` and `uv-multistage` are built from bench/dockerfiles; the
others are services of this template that contain the app.

Sizes are those that the engine reports for the image, in MB of 10^6 bytes; with --pull also
those of its compressed layers. A start lasts from `docker run` to the first 200, in seconds and in CPU
seconds of the container. The layouts take turns; a figure is the median of N rounds, with the
minimum and the maximum. Compare figures of one run only.
"""

import argparse
import gzip
import http.client
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

from bench.measure import build, cpu_seconds, docker, memory_at_rest, rebuild, use_engine
from testing.docker import image_size
from testing.template import generate

HERE = Path(__file__).parent
SOURCE = "src/field_app/__main__.py"
REQUESTS = 2000
TAG = "bench-of-layouts"


class App(NamedTuple):
    """What the layouts contain: the starter that the services are generated with, and its answers."""

    starter: str
    packages: dict[str, str]
    path: str


LIBPQ = {"build_packages": "libpq-dev", "runtime_packages": "libpq5"}
APPS = {
    "small": App("fastapi", {}, "/"),
    "typical": App("fastapi", LIBPQ, "/items"),
    "django": App("django", {}, "/healthz"),
    "heavy": App("fastapi", {}, "/items"),
}


def generate_with(app: str, folder: Path, **answers: object) -> None:
    """Generate a service that contains the app."""
    starter, packages, _ = APPS[app]
    generate(folder, service_name="field-app", framework=starter, **packages, **answers)
    own = HERE / "apps" / app
    if (own / "requirements.txt").exists():
        shutil.rmtree(folder / "src")
        shutil.copy(own / "requirements.txt", folder)
    shutil.copytree(own / "src", folder / "src", dirs_exist_ok=True)


def written_by_hand(name: str) -> Callable[[str, Path], None]:
    def prepare(app: str, folder: Path) -> None:
        generate_with(app, folder.with_name(f"{folder.name}-generated"))
        folder.mkdir()
        for part in ("src", "requirements.txt"):
            shutil.move(folder.with_name(f"{folder.name}-generated") / part, folder)
        shutil.copy(HERE / "dockerfiles" / f"{name}.Dockerfile", folder / "Dockerfile")

    return prepare


def generated(**answers: object) -> Callable[[str, Path], None]:
    return lambda app, folder: generate_with(app, folder, **answers)


def on_shared_base(flavor: str) -> Callable[[str, Path], None]:
    def prepare(app: str, folder: Path) -> None:
        if not docker("image", "ls", "--quiet", f"{TAG}-base"):
            base = folder.with_name("base")
            generate(base, kind="base-image", image_name=f"{TAG}-base")
            subprocess.run(["make", "-C", base, "build"], check=True, capture_output=True)
        generate_with(app, folder, base="shared", base_image=f"{TAG}-base", flavor=flavor)

    return prepare


LAYOUTS = {
    "before": written_by_hand("before"),
    "uv-multistage": written_by_hand("uv-multistage"),
    "upstream, slim": generated(flavor="slim"),
    "upstream, distroless": generated(flavor="distroless"),
    "shared, slim": on_shared_base("slim"),
    "shared, distroless": on_shared_base("distroless"),
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


def start(image: str, cpus: str, path: str | None = None) -> dict[str, float]:
    """Start the image with `cpus` CPUs; with a path, put it under load, too. Return the figures by name."""
    began = time.perf_counter()
    options = ("--detach", "--cpus", cpus, "--memory", "1g", "--publish", "127.0.0.1::8000")
    container = docker("run", *options, image)
    try:
        port = wait_for_200(container, began)
        figures = {"start, s": time.perf_counter() - began, "start, CPU s": cpu_seconds(container)}
        if path:
            time.sleep(2)
            figures["memory, MB"] = memory_at_rest(container) / 1e6
            before = cpu_seconds(container)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            for _ in range(REQUESTS):
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                if answer.status >= 400:
                    sys.exit(f"{path} answers {answer.status}")
            connection.close()
            figures["requests per CPU s"] = REQUESTS / (cpu_seconds(container) - before)
        return figures
    finally:
        docker("rm", "--force", container)


class Counter:
    """A file that counts what is written to it."""

    written = 0

    def write(self, data: bytes) -> int:
        self.written += len(data)
        return len(data)


def pull_sizes(image: str) -> dict[str, float]:
    """Return the MB of the image's layers, each compressed by gzip, by zstd at level 3 and at level 19."""
    sizes: dict[str, float] = defaultdict(float)
    with tempfile.NamedTemporaryFile() as archive:
        docker("save", "--output", archive.name, image)
        with tarfile.open(archive.name) as tar:
            manifest = json.load(extract(tar, "manifest.json"))[0]
            for name in manifest["Layers"]:
                counter = Counter()
                with gzip.GzipFile(fileobj=counter, mode="wb", compresslevel=6) as compressed:  # type: ignore[call-overload]
                    shutil.copyfileobj(extract(tar, name), compressed)
                sizes["pull, gzip, MB"] += counter.written / 1e6
                for level in ("3", "19"):
                    command = ["zstd", "--quiet", "--stdout", "--threads=2", f"-{level}"]
                    done = subprocess.run(command, input=extract(tar, name).read(), capture_output=True, check=True)
                    sizes[f"pull, zstd-{level}, MB"] += len(done.stdout) / 1e6
    return sizes


def extract(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    assert file, name
    return file


def summary(values: list[float]) -> str:
    """Return the median of some values, with the minimum and the maximum if there are several."""
    digits = 2 if statistics.median(values) < 20 else 0 if statistics.median(values) > 500 else 1
    shown = f"{statistics.median(values):.{digits}f}"
    return shown if len(values) == 1 else f"{shown} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def measure(
    options: argparse.Namespace, names: list[str], folders: dict[str, Path]
) -> dict[str, dict[str, list[float]]]:
    """Build and measure the layouts; return the values of each figure by layout and name."""
    images = {name: f"{TAG}:{number}" for number, name in enumerate(names)}
    found: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in names}
    try:
        for name in names:
            print(f"building {name}", file=sys.stderr)
            LAYOUTS[name](options.app, folders[name])
            build(folders[name], images[name])
            found[name]["image, MB"].append(image_size(images[name]) / 1e6)
            if options.pull:
                for figure, size in pull_sizes(images[name]).items():
                    found[name][figure].append(size)
        for turn in range(options.rounds + 1):
            print(f"round {turn} of {options.rounds}", file=sys.stderr)
            for name in names:
                figures = start(images[name], options.cpus, APPS[options.app].path if turn % 3 == 1 else None)
                figures["no change, s"] = build(folders[name], images[name])
                figures["code-only, s"] = rebuild(folders[name], SOURCE, images[name])
                if turn:  # the first round only fills the disk cache
                    for figure, value in figures.items():
                        found[name][figure].append(value)
    finally:
        base = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"{TAG}-base").split()
        for image in [*images.values(), *base]:
            subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.layouts", description=__doc__.splitlines()[0])
    parser.add_argument("layouts", nargs="*", help=f"one of: {', '.join(LAYOUTS)} (default: all)")
    parser.add_argument("--app", choices=APPS, default="typical")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cpus", default="0.5")
    parser.add_argument("--pull", action="store_true", help="compress the layers, too (needs zstd)")
    parser.add_argument("--json", type=Path, help="write all values to this file")
    options = parser.parse_args()
    if unknown := set(options.layouts) - set(LAYOUTS):
        parser.error(f"unknown layout: {', '.join(sorted(unknown))}")

    use_engine()
    names = options.layouts or list(LAYOUTS)
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(options, names, {name: Path(temporary) / str(number) for number, name in enumerate(names)})
    if options.json:
        options.json.write_text(
            json.dumps({"app": options.app, "cpus": options.cpus, "layouts": found}, indent=1) + "\n"
        )

    for name in names:
        ratio = statistics.median(found[name]["code-only, s"]) / statistics.median(found[name]["no change, s"])
        found[name]["code-only / no change"] = [ratio]
    figures = list(found[names[0]])
    print(f"\n{options.app}: medians of {options.rounds} rounds (minimum-maximum), started with {options.cpus} CPU\n")
    print(f"| {'figure':22} | {' | '.join(f'{name:22}' for name in names)} |")
    print("|" + ("-" * 24 + "|") * (len(names) + 1))
    for figure in figures:
        print(f"| {figure:22} | {' | '.join(f'{summary(found[name][figure]):22}' for name in names)} |")


if __name__ == "__main__":
    main()
