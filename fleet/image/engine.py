"""What the engine and a registry know of an image."""

import json
import subprocess
from typing import IO, Any

from ..errors import FleetError

# A registry may not answer: then the report goes on without what it knows.
SECONDS_FOR_REGISTRY = 30


def docker(*arguments: str, output: IO[bytes] | int = subprocess.PIPE, seconds: float | None = None) -> bytes:
    """Run docker; return its output, or raise FleetError with the last line of its messages."""
    command = f"docker {' '.join(arguments[:2])}"
    try:
        ended = subprocess.run(
            ["docker", *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, timeout=seconds
        )
    except FileNotFoundError:
        raise FleetError("docker-missing", "docker is not installed") from None
    except subprocess.TimeoutExpired:
        raise FleetError("docker-timeout", f"{command}: no answer in {seconds} s") from None
    if ended.returncode:
        lines = ended.stderr.decode(errors="replace").split("\n")
        reason = next((line.strip() for line in reversed(lines) if line.strip()), f"status {ended.returncode}")
        raise FleetError("docker-failed", f"{command}: {reason}")
    return ended.stdout or b""


def find_image(name: str) -> dict[str, Any]:
    """Return what the engine knows of an image; pull it first if it is not there."""
    try:
        found = docker("image", "inspect", "--", name)
    except FleetError:
        docker("image", "pull", "--quiet", "--", name)
        found = docker("image", "inspect", "--", name)
    image: dict[str, Any] = json.loads(found)[0]
    return image


def find_layers(name: str, platform: str) -> list[str] | None:
    """Return the digests of an image's unpacked layers, from the engine or else from the registry."""
    try:
        layers: list[str] = json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", "--", name))
        return layers
    except FleetError:
        pass
    try:
        found = _inspect_in_registry("--format", "{{json .Image}}", name)
        layers = found.get(platform, found)["rootfs"]["diff_ids"]
    except (FleetError, KeyError, ValueError):
        return None
    return layers


def find_pull_sizes(name: str, platform: str) -> list[int] | None:
    """Return the sizes of an image's layers in the registry, or None if they cannot be known."""
    try:
        manifest = _inspect_in_registry("--raw", name)
        for entry in manifest.get("manifests", ()):
            if f"{entry['platform']['os']}/{entry['platform']['architecture']}" == platform:
                manifest = _inspect_in_registry("--raw", f"{name.partition('@')[0]}@{entry['digest']}")
                break
        return [layer["size"] for layer in manifest["layers"]]
    except (FleetError, KeyError, ValueError):
        return None


def _inspect_in_registry(*arguments: str) -> Any:
    return json.loads(docker("buildx", "imagetools", "inspect", *arguments, seconds=SECONDS_FOR_REGISTRY))
