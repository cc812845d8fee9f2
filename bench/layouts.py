"""Measure image size, start and rebuild of one app in several container layouts.

    python -m bench.layouts [--rounds N] [--cpus N] [LAYOUT ...]

All layouts have the same app, bench/app. `before` and `uv-multistage` are built from
bench/dockerfiles; the others are services of this template that contain the app. Sizes are
those that the engine reports for the image, in MB of 10^6 bytes. A start lasts from
`docker run` to the first 200, in seconds and in CPU seconds of the container; the figure is
the median of N rounds, in which the layouts take turns. A rebuild follows a change of one
source file. Compare figures of one run only.
"""

import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.measure import build, cpu_seconds, docker, rebuild, use_engine
from testing.docker import image_size
from testing.template import generate

HERE = Path(__file__).parent
APP = HERE / "app"
SOURCE = "src/field_app/main.py"
PACKAGES = {"build_packages": "libpq-dev", "runtime_packages": "libpq5"}
TAG = "bench-of-layouts"


def written_by_hand(name: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        shutil.copytree(APP, folder)
        shutil.copy(HERE / "dockerfiles" / f"{name}.Dockerfile", folder / "Dockerfile")

    return prepare


def generated(**answers: object) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        generate(folder, service_name="field-app", **PACKAGES, **answers)
        shutil.rmtree(folder / "src")
        shutil.copytree(APP / "src", folder / "src")
        shutil.copy(APP / "requirements.txt", folder)

    return prepare


def on_shared_base(**answers: object) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        if not docker("image", "ls", "--quiet", f"{TAG}-base"):
            base = folder.with_name("base")
            generate(base, kind="base-image", image_name=f"{TAG}-base")
            subprocess.run(["make", "-C", base, "build"], check=True, capture_output=True)
        generated(base="shared", base_image=f"{TAG}-base", **answers)(folder)

    return prepare


LAYOUTS = {
    "before": written_by_hand("before"),
    "uv-multistage": written_by_hand("uv-multistage"),
    "upstream, slim": generated(flavor="slim"),
    "upstream, distroless": generated(),
    "shared, slim": on_shared_base(flavor="slim"),
    "shared, distroless": on_shared_base(),
}


def start(image: str, cpus: str) -> tuple[float, float]:
    """Return the seconds from `docker run` to the first 200 with `cpus` CPUs, and the CPU seconds."""
    began = time.perf_counter()
    options = ("--detach", "--cpus", cpus, "--memory", "512m", "--publish", "127.0.0.1::8000")
    container = docker("run", *options, image)
    try:
        port = int(docker("port", container, "8000").rpartition(":")[2])
        while time.perf_counter() - began < 120:
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as connection:
                    connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                    if b" 200 " in connection.recv(64):
                        return time.perf_counter() - began, cpu_seconds(container)
            except OSError:
                pass
            time.sleep(0.005)
        sys.exit(f"{image} did not answer:\n{docker('logs', container)}")
    finally:
        docker("rm", "--force", container)


def spread(values: tuple[float, ...]) -> str:
    """Return the median of some seconds, with the minimum and the maximum."""
    return f"{statistics.median(values):.2f} s ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.layouts", description=__doc__.splitlines()[0])
    parser.add_argument("layouts", nargs="*", help=f"one of: {', '.join(LAYOUTS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cpus", default="0.5")
    options = parser.parse_args()
    if unknown := set(options.layouts) - set(LAYOUTS):
        parser.error(f"unknown layout: {', '.join(sorted(unknown))}")

    use_engine()
    names = options.layouts or list(LAYOUTS)
    images = {name: f"{TAG}:{number}" for number, name in enumerate(names)}
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / str(number) for number, name in enumerate(names)}
        try:
            sizes: dict[str, int] = {}
            starts: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
            rebuilds: dict[str, float] = {}
            for name in names:
                print(f"building {name}", file=sys.stderr)
                LAYOUTS[name](folders[name])
                build(folders[name], images[name])
                sizes[name] = image_size(images[name])
            for turn in range(options.rounds + 1):
                print(f"starting, round {turn} of {options.rounds}", file=sys.stderr)
                for name in names:
                    times = start(images[name], options.cpus)
                    if turn:  # the first round only fills the disk cache
                        starts[name].append(times)
            for name in names:
                print(f"rebuilding {name}", file=sys.stderr)
                rebuilds[name] = statistics.median(rebuild(folders[name], SOURCE, images[name]) for _ in range(3))
        finally:
            base = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"{TAG}-base").split()
            for image in [*images.values(), *base]:
                subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True)

    first = names[0]
    heading = f"start at {options.cpus} CPU"
    print(f"\n{'layout':24} {'image':>9} {'ratio':>6} {heading:>19} {'CPU':>19} {'rebuild':>9}")
    for name in names:
        seconds, cpu = (spread(values) for values in zip(*starts[name], strict=True))
        size = f"{sizes[name] / 1e6:6.0f} MB {sizes[name] / sizes[first]:6.2f}"
        print(f"{name:24} {size} {seconds:>19} {cpu:>19} {rebuilds[name]:7.2f} s")
    print(f"\nThe ratio is the size relative to {first}. A start is the median of {options.rounds} (minimum-maximum).")


if __name__ == "__main__":
    main()
