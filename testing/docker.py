"""Run docker, and talk to what it runs."""

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from testing.process import run


def docker(*arguments: str | Path, check: bool = True) -> str:
    """Run docker; return its standard output."""
    return run("docker", *arguments, check=check).stdout.strip()


def inspect(thing: str) -> dict[str, Any]:
    """Return what docker knows of an image, a container or a network."""
    return json.loads(docker("inspect", thing))[0]


def image_size(image: str) -> int:
    """Return the size of an image in bytes, as the engine reports it."""
    return int(docker("image", "inspect", "--format", "{{.Size}}", image))


def free_port() -> int:
    """Return a TCP port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url: str, headers: dict[str, str] | None = None, timeout: float = 30) -> tuple[int, str]:
    """GET `url`; return the status and the body, or 0 and the reason if nothing answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)
