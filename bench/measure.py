"""What the measurements share."""

import subprocess
import sys
import time
from pathlib import Path

from testing.engine import EngineError, ensure_engine
from testing.service import find_certificates


def use_engine() -> None:
    """Reach a Docker Engine; exit with the reason if there is none."""
    try:
        ensure_engine()
    except EngineError as error:
        sys.exit(str(error))


def docker(*arguments: str | Path) -> str:
    """Run docker; return its standard output. Exit with its error message if it fails."""
    result = subprocess.run(["docker", *map(str, arguments)], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"docker {' '.join(map(str, arguments))}\n{result.stderr[-4000:]}")
    return result.stdout.strip()


def cpu_seconds(container: str) -> float:
    """Return the CPU seconds that a running container has used, from its control group (v1 or v2)."""
    identifier = docker("inspect", "--format", "{{.Id}}", container)
    groups = Path("/sys/fs/cgroup")
    for file in groups.glob(f"cpu*/**/{identifier}/cpuacct.usage"):
        return int(file.read_text()) / 1e9
    for file in groups.glob(f"**/*{identifier}*/cpu.stat"):
        return int(dict(line.split() for line in file.read_text().splitlines())["usage_usec"]) / 1e6
    sys.exit(f"the control group of container {identifier} is not below {groups}")


def memory_at_rest(container: str) -> int:
    """Return the bytes of memory that a running container uses, without the cache of files."""
    identifier = docker("inspect", "--format", "{{.Id}}", container)
    groups = Path("/sys/fs/cgroup")
    for file in groups.glob(f"memory*/**/{identifier}/memory.stat"):
        return int(dict(line.split() for line in file.read_text().splitlines())["total_rss"])
    for file in groups.glob(f"**/*{identifier}*/memory.stat"):
        return int(dict(line.split() for line in file.read_text().splitlines())["anon"])
    sys.exit(f"the control group of container {identifier} is not below {groups}")


def build(folder: Path, image: str, *options: str) -> float:
    """Build `folder` as `image`; return the seconds it took."""
    certificates = find_certificates()
    secret = ["--secret", f"id=ca-certificates,src={certificates}"] if certificates else []
    began = time.perf_counter()
    docker("build", "--tag", image, *secret, *options, folder)
    return time.perf_counter() - began


def rebuild(folder: Path, source: str, image: str, *options: str) -> float:
    """Change the file `source` of `folder`; return the seconds that the next build takes."""
    change(folder / source)
    return build(folder, image, *options)


def change(file: Path) -> None:
    """Add a comment to a file."""
    file.write_text(f"{file.read_text()}\n# changed at {time.time_ns()}\n")
