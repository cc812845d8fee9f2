"""Print what the kernel says of a container, as JSON.

Runs in the container, or beside it: then the argument is the container's root, /proc/1/root.
"""

import contextlib
import errno
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = sys.argv[1] if len(sys.argv) > 1 else ""
PROCESS = "/proc/1" if ROOT else "/proc/self"
UNWRITABLE = ("/new", "/app/new", "/etc/new", "/home/new", "/opt/venv/new", "/var/tmp/new", "/run/new")
NO_LIMIT = -1
LOOPBACK = ("7F", "00000000000000000000000001000000")


def lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def environment(folder: Path) -> list[str] | None:
    try:
        return (folder / "environ").read_text().split("\0")
    except PermissionError:
        return None


def processes() -> dict[str, dict[str, Any]]:
    """Return what /proc says of each process but this one."""
    found: dict[str, dict[str, Any]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        # A process may end while it is read.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = dict(line.split(":\t", 1) for line in lines(f"{folder}/status") if ":\t" in line)
            if int(folder.name) != os.getpid():
                found[folder.name] = status | {"environ": environment(folder)}
    return found


def mounts() -> dict[str, dict[str, Any]]:
    found = {}
    for line in lines(f"{PROCESS}/mountinfo"):
        before, after = line.split(" - ")
        _, _, _, _, point, options, *propagation = before.split()
        kind, _, more = after.split(" ", 2)
        # The root file system is mounted read-only, while the overlay itself is writable.
        found[point] = {
            "type": kind,
            "options": options.split(","),
            "file_system": more.split(" ")[-1].split(","),
            "propagation": propagation,
        }
    return found


def control_groups() -> dict[str, float]:
    """Return the limits. Of each file, the first path is of control groups v2, the second of v1."""

    def words(*names: str) -> list[str]:
        found = (Path(f"{ROOT}/sys/fs/cgroup", name) for name in names)
        return next((path.read_text().split() for path in found if path.exists()), ["max"])

    def number(*names: str) -> int:
        word = words(*names)[0]
        # v1 writes "no limit" as -1, or as a number near 2^63.
        return NO_LIMIT if word == "max" or int(word) > 2**60 else int(word)

    memory = number("memory.max", "memory/memory.limit_in_bytes")
    # v1 limits memory and swap together.
    together = number("memory/memory.memsw.limit_in_bytes")
    quota = number("cpu.max", "cpu/cpu.cfs_quota_us")
    period = float([*words("cpu.max"), *words("cpu/cpu.cfs_period_us")][1])
    return {
        "memory": memory,
        "swap": number("memory.swap.max") if together == NO_LIMIT else together - memory,
        "pids": number("pids.max", "pids/pids.max"),
        "cpus": NO_LIMIT if quota == NO_LIMIT else quota / period,
    }


def error(action: Callable[[], None]) -> str:
    """Return the name of the error with which `action` fails; "" if it succeeds."""
    try:
        action()
    except OSError as failure:
        return errno.errorcode[failure.errno or 0]
    return ""


def write(path: str) -> None:
    Path(ROOT + path).write_text("")
    Path(ROOT + path).unlink()


def execute_in_tmp() -> None:
    program = Path(ROOT + "/tmp/program")
    program.write_text("#!/nothing\n")
    program.chmod(0o755)
    try:
        os.execv(program, [str(program)])
    finally:
        program.unlink()


def overfill_tmp() -> None:
    """Reserve one byte more than /tmp has."""
    size = os.statvfs(ROOT + "/tmp")
    path = Path(ROOT + "/tmp/full")
    with path.open("w") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size.f_blocks * size.f_frsize + 1)
        finally:
            path.unlink()


def listening() -> list[int]:
    """Return the ports on which a process listens for other containers and machines."""
    found = set()
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in lines(f"/proc/net/{name}")[1:]:
            _, local, _, state, *_ = line.split()
            address, port = local.split(":")
            # 0A is TCP's LISTEN, 07 unconnected UDP. The kernel writes 127.0.0.1 as 0100007F.
            if state in ("0A", "07") and not address.endswith(LOOPBACK):
                found.add(int(port, 16))
    return sorted(found)


def orphan_is_reaped() -> bool:
    """Leave a process that ends without its parent; return whether process 1 collects it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            os.write(writing, str(os.getpid()).encode())
            time.sleep(0.05)
        os._exit(0)
    os.waitpid(child, 0)
    orphan = os.read(reading, 20).decode()
    for _ in range(100):
        if not Path("/proc", orphan).exists():
            return True
        time.sleep(0.01)
    return False


def limits() -> dict[str, list[str]]:
    """Return the soft and the hard limits of a process by name."""
    return {line[:26].strip(): line[26:].split()[:2] for line in lines(f"{PROCESS}/limits")[1:]}


facts = {
    "processes": processes(),
    "namespaces": {name: str(Path(f"{PROCESS}/ns", name).readlink()) for name in ("net", "pid", "ipc", "uts")},
    "mounts": mounts(),
    "limits": limits(),
    "control_groups": control_groups(),
    "devices": [path.name for path in Path(ROOT + "/dev").iterdir() if not path.is_symlink() and not path.is_dir()],
    "listening": listening(),
    # Destination 0.0.0.0.
    "default_routes": [line.split()[0] for line in lines("/proc/net/route")[1:] if line.split()[1] == "00000000"],
    "write_errors": {path: error(partial(write, path)) for path in UNWRITABLE},
    "tmp_execute_error": error(execute_in_tmp),
    "tmp_overfill_error": error(overfill_tmp),
    "orphan_is_reaped": orphan_is_reaped(),
}
print(json.dumps(facts))
