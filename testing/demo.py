"""Generate a service from this checkout, build it, start it as in production, and call it.

    python -m testing.demo

`make demo` runs this. Each run starts from the beginning. The environment variable
HELLO_SERVICE_PORT sets the port on which the service is published (8000).
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from testing import ROOT
from testing.docker import docker, get, image_size
from testing.engine import EngineError, ensure_engine

SERVICE = "hello-service"
FOLDER = Path("build") / SERVICE
VERSION = "0.0.0-demo"
IMAGE = f"{SERVICE}:{VERSION}"
BASE = "python:3.13-slim-trixie"
# Not the default, the folder's name: `docker compose down` would stop any project of that name.
PROJECT = "copier-python-service-demo"
COMPOSE = ("docker", "compose", "--file", "docker-compose.prod.yml")
START_SECONDS = 90


class DemoError(Exception):
    """Why the demo cannot continue, in one sentence."""


def main() -> None:
    port = os.environ.setdefault("HELLO_SERVICE_PORT", "8000")
    os.environ |= {"COMPOSE_PROJECT_NAME": PROJECT, "VERSION": VERSION, "HELLO_SERVICE_IMAGE": IMAGE}
    os.chdir(ROOT)
    environment_changed = ensure_engine()
    docker("compose", "--project-name", PROJECT, "down", "--remove-orphans", check=False)
    require_free_port(int(port))

    heading(f"Generating {FOLDER}")
    shutil.rmtree(FOLDER, ignore_errors=True)
    # `HEAD` also takes changes that are not committed; the default is the newest release.
    data = ("--data", f"service_name={SERVICE}")
    step(
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "copier",
        "copy",
        "--quiet",
        "--defaults",
        "--vcs-ref=HEAD",
        *data,
        ".",
        FOLDER,
    )
    os.chdir(FOLDER)
    print(*sorted(path.name for path in Path().iterdir()), sep="\n")

    heading("Building the image (make build)")
    step("make", "--no-print-directory", "build")

    heading(f"Starting docker-compose.prod.yml as the compose project {PROJECT}")
    url = f"http://127.0.0.1:{port}"
    answered, healthy = start(f"{url}/healthz")
    print(f"healthy after {healthy:.1f} s; the first answer came after {answered:.1f} s")
    for path in ("/", "/healthz"):
        status, body = get(url + path)
        print(f"GET {url + path:35} {status} {body}")
    print(f"image {IMAGE}: {megabytes(IMAGE)}, of which its base {BASE}: {megabytes(BASE)}")

    heading("The service keeps running. To stop it:")
    if environment_changed:
        print('    eval "$(engine/docker-up)"    # lets this shell reach the engine')
    print(f"    docker compose --project-name {PROJECT} down")
    if environment_changed:
        print("    engine/docker-down            # stops the engine too")


def heading(text: str) -> None:
    print(f"\n--- {text}", flush=True)


def step(*command: str | Path) -> None:
    """Run a command whose output the user sees."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise DemoError(f"`{Path(command[0]).name}` failed with exit status {result.returncode}; its output is above")


def require_free_port(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise DemoError(
                f"port {port} is in use by another program; choose another one: HELLO_SERVICE_PORT={port + 1} make demo"
            )


def start(url: str) -> tuple[float, float]:
    """Start the compose file; return the seconds until `url` answers 200, and until the container is healthy."""
    began = time.monotonic()
    up = subprocess.Popen([*COMPOSE, "--progress", "quiet", "up", "--detach"], stdin=subprocess.DEVNULL)
    answered = None
    status = "no container"
    while (seconds := time.monotonic() - began) < START_SECONDS and not up.poll():
        if answered is None and get(url, timeout=1)[0] == 200:
            answered = time.monotonic() - began
        if up.poll() == 0 and (container := docker(*COMPOSE[1:], "ps", "--all", "--quiet", check=False)):
            status = docker("inspect", "--format", "{{.State.Health.Status}}", container, check=False)
            if status == "healthy" and answered is not None:
                return answered, seconds
            if status == "unhealthy":
                break
        time.sleep(0.02)
    up.wait()
    subprocess.run([*COMPOSE, "logs"], stdin=subprocess.DEVNULL)
    raise DemoError(f"the service is not healthy after {seconds:.0f} s ({status}); its logs are above")


def megabytes(image: str) -> str:
    return f"{image_size(image) / 1e6:.0f} MB"


if __name__ == "__main__":
    try:
        main()
    except (DemoError, EngineError) as error:
        sys.exit(f"make demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
