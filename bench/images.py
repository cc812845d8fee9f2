"""What an image contains: figures that do not change from one round to the next."""

import json
import posixpath
import stat
from typing import NamedTuple

from bench.measure import docker
from fleet.image.contents import Image
from fleet.image.packages import DEBIAN_PACKAGE, KINDS, PYTHON_PACKAGE
from testing.service import CONTENTS

SHELLS = {"ash", "bash", "busybox", "dash", "fish", "ksh", "mksh", "rbash", "sh", "zsh"}
# Prints the size of the files that a process has loaded: what is mapped, and the bytecode of its modules.
LOADED = """
import os, sys
files = {line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps") if " /" in line}
for module in list(sys.modules.values()):
    spec = getattr(module, "__spec__", None)
    file = spec and (spec.cached if spec.cached and os.path.exists(spec.cached) else spec.origin)
    if file and os.path.isfile(file):
        files.add(os.path.realpath(file))
print(sum(os.path.getsize(file) for file in files if os.path.isfile(file)))
"""


class Layer(NamedTuple):
    """A layer: its digest, and its bytes unpacked and compressed."""

    digest: str
    size: int
    pull: int


def to_layers(image: Image) -> list[Layer]:
    return [Layer(layer.digest, layer.size, layer.pull) for layer in image.layers]


def describe(name: str, image: Image) -> dict[str, float]:
    """Return the figures of an image."""
    command = ("--rm", "--user", "0", "--env", "PYTHONDONTWRITEBYTECODE=1", "--entrypoint", "python3", name)
    contents = json.loads(docker("run", *command, "-c", CONTENTS))
    modes = {path: entry[0] for path, entry in contents["files"].items()}
    files = {path: mode for path, mode in modes.items() if stat.S_ISREG(mode)}
    packages = {kind: {part.name for part, _ in image.parts if part.kind == kind} for kind in KINDS}
    return {
        "image, MB": image.size / 1e6,
        "pull, MB": image.pull / 1e6,
        "layers": len(image.layers),
        "files": len(files),
        "Debian packages": len(packages[DEBIAN_PACKAGE]),
        "Python packages": len(packages[PYTHON_PACKAGE]),
        "shells": sum(posixpath.basename(path) in SHELLS and bool(mode & 0o111) for path, mode in files.items()),
        "setuid files": sum(bool(mode & 0o6000) for mode in files.values()),
        "world-writable paths": sum(bool(mode & 0o002) for mode in modes.values()),
        "tools": len(contents["programs"]),
    }


def pushed(before: list[Layer], after: list[Layer]) -> int:
    """Return the compressed bytes of the layers that an image has and an earlier one lacks."""
    known = {layer.digest for layer in before}
    return sum(layer.pull for layer in after if layer.digest not in known)


def loaded(image: str, imports: str) -> int:
    """Return the bytes of the files that the app has loaded when it can answer."""
    return int(docker("run", "--rm", "--entrypoint", "python", image, "-c", imports + LOADED).splitlines()[-1])
