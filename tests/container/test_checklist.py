"""The score of every service by the checklist, and each check shown to fail."""

import copy
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testing import ROOT
from testing.checklist import ITEMS, Subject, applicable, gather, missing
from testing.checklist.facts import observe
from testing.docker import docker
from testing.score import describe_items
from testing.service import Service

REMOVED = object()
DEFAULT = pytest.mark.xdist_group("production")


def test_it_misses_nothing(production: Service, record_property):
    subject = gather(production)
    found = missing(subject)
    record_property("score", (production.name, (len(applicable(subject)), found)))
    assert found == {}


@pytest.fixture(scope="module")
def good(default: Service) -> Iterator[Subject]:
    with default.second_stack() as stack, stack.production():
        yield gather(stack)


def edit(item: int, file: str, old: str, new: str) -> Any:
    """A change in a file of the project."""
    return pytest.param(item, file, (old, new), id=f"{item}-{file}")


def line(item: int, text: str) -> Any:
    """One more instruction in the Dockerfile."""
    return edit(item, "Dockerfile", "FROM builder AS app\n", f"{text}\n\nFROM builder AS app\n")


def fact(item: int, *path: str, value: Any) -> Any:
    """Another value of a fact; the path begins with a field of Subject."""
    return pytest.param(item, path, value, id=f"{item}-{'.'.join(path)}")


def compose(item: int, key: str, value: Any) -> Any:
    """Another value in docker-compose.prod.yml."""
    return fact(item, "compose", key, value=value)


def kernel(item: int, *path: str, value: Any) -> Any:
    return fact(item, "kernel", *path, value=value)


def process(item: int, key: str, value: str) -> Any:
    return kernel(item, "processes", "1", key, value=value)


def engine(item: int, key: str, value: Any) -> Any:
    """Another setting of the container, as the engine knows it."""
    return fact(item, "container", "HostConfig", key, value=value)


def config(item: int, key: str, value: Any) -> Any:
    """Another setting of the image."""
    return fact(item, "image", "Config", key, value=value)


def file(item: int, path: str, mode: int = 0o100644, uid: int = 0) -> Any:
    """One more file in the image."""
    return fact(item, "inside", "files", path, value=[mode, uid, uid])


BIND = {"Type": "bind", "Destination": "/host", "RW": False, "Propagation": "rprivate"}
INSTALL = "apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*"
COMMAND = 'CMD ["python", "/opt/server/start.py"]\n'
HEALTHCHECK = """\
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s --start-interval=2s --retries=3 \\
    CMD ["python", "-I", "-S", "/usr/local/bin/healthcheck.py"]
"""
SHARED_MOUNT = {"type": "ext4", "options": ["ro"], "file_system": [], "propagation": ["shared:1"]}

# An item, and a defect by which a service misses this item and no other.
DEFECTS = [
    compose(1, "user", "app"),
    compose(1, "user", "0:0"),
    config(1, "User", "app"),
    process(1, "Uid", "0\t0\t0\t0"),
    process(2, "Gid", "0\t0\t0\t0"),
    process(2, "Groups", "10001 998 "),
    compose(3, "security_opt", []),
    process(3, "NoNewPrivs", "0"),
    compose(4, "cap_drop", ["NET_RAW"]),
    compose(4, "cap_add", ["NET_BIND_SERVICE"]),
    process(4, "CapBnd", "0000000000000400"),
    compose(5, "privileged", True),
    engine(5, "Privileged", True),
    compose(6, "security_opt", ["no-new-privileges:true", "seccomp:unconfined"]),
    process(6, "Seccomp", "0"),
    compose(7, "security_opt", ["no-new-privileges:true", "apparmor:unconfined"]),
    engine(7, "SecurityOpt", ["no-new-privileges:true", "label=disable"]),
    compose(8, "read_only", False),
    kernel(8, "mounts", "/", "options", value=["rw", "relatime"]),
    kernel(8, "write_errors", "/opt/venv/new", value=""),
    compose(9, "tmpfs", ["/tmp:size=16m,mode=1777,nosuid,nodev"]),
    compose(9, "tmpfs", ["/tmp:noexec,nosuid,nodev"]),
    kernel(9, "mounts", "/tmp", value=REMOVED),
    kernel(9, "mounts", "/tmp", "options", value=["rw", "noexec", "nosuid"]),
    kernel(9, "mounts", "/tmp", "file_system", value=["rw"]),
    kernel(9, "tmp_execute_error", value="ENOENT"),
    kernel(9, "tmp_overfill_error", value=""),
    file(10, "/opt/venv/lib/module.py", uid=10001),
    file(10, "/opt/venv/lib/module.py", mode=0o100664),
    fact(10, "inside", "files", value={"/usr/local/bin/healthcheck.py": [0o100644, 0, 0]}),
    file(11, "/usr/bin/su", mode=0o104755),
    file(11, "/usr/bin/ssh-agent", mode=0o102755),
    file(12, "/run/lock", mode=0o041777),
    compose(13, "network_mode", "host"),
    engine(13, "NetworkMode", "host"),
    compose(14, "pid", "host"),
    engine(14, "PidMode", "host"),
    compose(15, "ipc", "host"),
    engine(15, "IpcMode", "host"),
    compose(16, "uts", "host"),
    engine(16, "UTSMode", "host"),
    compose(17, "userns_mode", "host"),
    engine(17, "UsernsMode", "host"),
    fact(18, "container", "Mounts", value=[BIND | {"Destination": "/run/secrets/x", "Source": "/run/docker.sock"}]),
    compose(19, "volumes", [{"type": "bind", "source": "/etc", "target": "/host", "read_only": True}]),
    fact(19, "container", "Mounts", value=[BIND | {"Source": "/etc"}]),
    compose(
        20, "volumes", [{"type": "volume", "source": "data", "target": "/data", "bind": {"propagation": "rshared"}}]
    ),
    kernel(20, "mounts", "/data", value=SHARED_MOUNT),
    compose(21, "devices", [{"source": "/dev/fuse", "target": "/dev/fuse"}]),
    engine(21, "Devices", [{"PathOnHost": "/dev/fuse"}]),
    kernel(21, "devices", value=["null", "fuse"]),
    kernel(22, "control_groups", "memory", value=-1),
    engine(22, "Memory", 0),
    compose(23, "memswap_limit", "536870912"),
    kernel(23, "control_groups", "swap", value=268435456),
    engine(23, "MemorySwap", -1),
    compose(24, "cpus", 0),
    kernel(24, "control_groups", "cpus", value=-1),
    engine(24, "NanoCpus", 0),
    compose(25, "pids_limit", 0),
    kernel(25, "control_groups", "pids", value=-1),
    engine(25, "PidsLimit", None),
    compose(26, "ulimits", {"nofile": 16384, "core": {}}),
    kernel(26, "limits", "Max open files", value=["1048576", "1048576"]),
    kernel(26, "limits", "Max core file size", value=["unlimited", "unlimited"]),
    compose(27, "ports", [{"target": 8000, "published": "8000", "protocol": "tcp"}]),
    fact(27, "container", "NetworkSettings", "Ports", "8000/tcp", value=[{"HostIp": "0.0.0.0", "HostPort": "8000"}]),
    fact(27, "container", "NetworkSettings", "Ports", "5678/tcp", value=[{"HostIp": "127.0.0.1", "HostPort": "1"}]),
    kernel(28, "listening", value=[5678, 8000]),
    file(29, "/usr/sbin/sshd"),
    fact(30, "networks", value={}),
    compose(31, "restart", "always"),
    engine(31, "RestartPolicy", {"Name": "no"}),
    edit(32, "Dockerfile", HEALTHCHECK, "HEALTHCHECK NONE\n"),
    fact(32, "inside", "files", "/usr/local/bin/healthcheck.py", value=REMOVED),
    compose(33, "healthcheck", {"interval": "30s"}),
    fact(33, "container", "Config", "Healthcheck", "StartInterval", value=0),
    fact(33, "container", "Config", "Healthcheck", "Timeout", value=10**11),
    fact(33, "container", "Config", "Healthcheck", "Test", value=["CMD", "true"]),
    fact(33, "container", "State", "Health", "Status", value="unhealthy"),
    compose(34, "logging", {"driver": "json-file"}),
    engine(34, "LogConfig", {"Type": "json-file", "Config": {}}),
    edit(35, "Dockerfile", "FROM python:3.13-slim-trixie", "FROM python:$TAG"),
    edit(35, "renovate.json", '"docker:pinDigests"', '"docker:disable"'),
    edit(36, "Dockerfile", "FROM python:3.13", "FROM someone/python:3.13"),
    edit(37, "Dockerfile", "FROM python:3.13-slim-trixie", "FROM python:latest"),
    edit(37, "Dockerfile", "FROM python:3.13-slim-trixie", "FROM python"),
    compose(37, "image", "default-service:latest"),
    line(38, f"RUN apt-get update && {INSTALL}"),
    edit(39, "Dockerfile", "--require-hashes --requirement requirements.txt", "--requirement requirements.txt"),
    edit(39, "requirements.txt", "--hash=sha256:", "--hash=md5:"),
    edit(39, "Dockerfile", "--requirement requirements.txt", "--requirement requirements.in"),
    line(39, "RUN uv sync --no-dev"),
    line(40, "ADD docker/start.py /start.py"),
    line(41, "RUN apt-get update"),
    line(42, "RUN apt-get dist-upgrade --yes"),
    line(43, f"# Not pinned: a reason.\nRUN apt-get update && {INSTALL.replace('--no-install-recommends ', '')}"),
    line(43, f"# Not pinned: a reason.\nRUN apt-get update && {INSTALL.partition(' && ')[0]}"),
    file(43, "/var/lib/apt/lists/a_release"),
    fact(44, "inside", "programs", value=["gcc"]),
    fact(44, "inside", "modules", value=["pip"]),
    file(44, "/usr/include/stdio.h"),
    line(45, "ARG API_TOKEN"),
    line(45, "ENV DATABASE_PASSWORD=canary"),
    config(45, "Env", ["SECRET_KEY=canary"]),
    config(45, "Env", ["INDEX_URL=https://user:canary@mirror.example.com/"]),
    fact(45, "history", value=["RUN pip install --index-url https://user:canary@mirror.example.com/"]),
    file(45, "/root/.netrc"),
    compose(46, "environment", {"API_TOKEN": "canary"}),
    process(46, "environ", ["API_TOKEN=canary"]),
    kernel(46, "mounts", "/run/secrets/api_token", value=REMOVED),
    line(47, "ENV PYTHONHTTPSVERIFY=0"),
    edit(47, "Dockerfile", "uv pip install --require", "uv pip install --allow-insecure-host mirror --require"),
    edit(48, "Dockerfile", '"uv==$UV_VERSION"', "uv"),
    line(48, "RUN curl -fsSL https://example.com/install.sh | sh"),
    fact(49, "inside", "users", value=[["app", "x", 10001, "/usr/sbin/nologin"], ["other", "x", 10001, "/bin/sh"]]),
    fact(49, "inside", "users", value=[["app", "x", 10001, "/bin/sh"]]),
    fact(49, "inside", "shadow", value=[["root", "$6$hash"]]),
    file(50, "/app/.git"),
    file(50, "/app/tests"),
    file(50, "/root/.cache/uv"),
    edit(51, "Dockerfile", COMMAND, "CMD python /opt/server/start.py\n"),
    edit(51, "Dockerfile", COMMAND, COMMAND * 2),
    edit(51, "Dockerfile", 'CMD ["python", "-I", "-S", "/usr/local/bin/healthcheck.py"]', "CMD python healthcheck.py"),
    config(51, "Cmd", ["/bin/sh", "-c", "python"]),
    edit(52, "Dockerfile", "WORKDIR /app", "WORKDIR app"),
    config(52, "WorkingDir", ""),
    line(53, 'VOLUME ["/var/lib/data"]'),
    config(53, "Volumes", {"/etc/data": {}}),
    compose(54, "init", False),
    process(54, "Name", "python"),
    kernel(54, "orphan_is_reaped", value=False),
    edit(55, "Dockerfile", 'org.opencontainers.image.licenses="', 'other.licenses="'),
    config(55, "Labels", {}),
    edit(56, "docker-bake.hcl", "type=sbom", "type=none"),
    edit(57, "docker-bake.hcl", "type=provenance", "type=none"),
    edit(56, ".github/workflows/release.yml", "make verify", "make help"),
    edit(57, ".github/workflows/release.yml", "make sign", "make help"),
    edit(58, ".github/workflows/ci.yml", "make scan", "make help"),
    edit(59, "docker-bake.hcl", "rewrite-timestamp=true,", ""),
    edit(60, ".dockerignore", "\n*\n", "\n"),
    edit(60, ".dockerignore", "!src", "!."),
    edit(60, "Dockerfile", "FROM python AS builder\n", "FROM python AS builder\nCOPY src/ /app/\n"),
]


@DEFAULT
@pytest.mark.parametrize(("item", "where", "what"), DEFECTS)
def test_a_defect_is_noticed_by_its_item_alone(good: Subject, item: int, where: Any, what: Any):
    bad = copy.deepcopy(good)
    if isinstance(where, str):
        old, new = what
        assert old in bad.files[where]
        bad.files[where] = bad.files[where].replace(old, new)
    else:
        *folders, name = where
        facts = vars(bad)
        for folder in folders:
            facts = facts[folder]
        facts[name] = what
        if what is REMOVED:
            del facts[name]
    assert missing(bad).keys() == {item}, missing(bad)


def test_each_item_has_a_defect():
    assert [item.number for item in ITEMS] == list(range(1, 61))
    assert {defect.values[0] for defect in DEFECTS} == {item.number for item in ITEMS}


@DEFAULT
def test_a_service_that_takes_no_request_has_no_way_out(good: Subject):
    worker = copy.deepcopy(good)
    worker.kernel["listening"] = worker.compose["ports"] = []
    worker.image["Config"]["ExposedPorts"] = worker.container["NetworkSettings"]["Ports"] = {}
    assert missing(worker).keys() == {30}
    worker.networks = {name: network for name, network in good.networks.items() if network["Internal"]}
    worker.kernel["default_routes"] = []
    assert missing(worker) == {}


# A server with no handler for SIGTERM, and a secret in its environment.
SERVE = "import http.server as h; h.ThreadingHTTPServer(('', 80), h.SimpleHTTPRequestHandler).serve_forever()"
CARELESS = ("--user", "0", "--publish", "80", "--env", "API_TOKEN=canary", "--no-healthcheck")


def container(good: Subject, *options: str | Path) -> Iterator[dict[int, str]]:
    """What `good` misses when its container is run by these options."""
    run = docker("run", "--detach", *options, good.image["Id"], "python", "-c", SERVE)
    try:
        yield missing(dataclasses.replace(good, **observe(run)))
    finally:
        docker("rm", "--force", run)


@DEFAULT
def test_a_careless_container_misses_what_the_compose_file_gives(good: Subject):
    for found in container(good, *CARELESS):
        limits, health = {22, 23, 24, 25, 26}, {31, 33}
        confinement = {1, 2, 3, 4, 8, 9}
        network, rest = {27, 28, 29, 30}, {34, 46, 54}
        assert found.keys() == limits | health | confinement | network | rest, found


@DEFAULT
def test_a_container_that_is_part_of_the_host_misses_all_isolation(good: Subject, tmp_path: Path):
    (tmp_path / "docker.sock").touch()
    shared = [f"--{namespace}=host" for namespace in ("network", "pid", "ipc", "uts", "userns")]
    volume = ("--volume", f"{tmp_path / 'docker.sock'}:/docker.sock")
    unconfined = ("--privileged", "--security-opt", "apparmor=unconfined", "--security-opt", "seccomp=unconfined")
    for found in container(good, "--user", "0", *shared, *volume, *unconfined):
        assert {3, 4, 5, 6, 7, 8, 13, 14, 15, 16, 17, 18, 19, 21} <= found.keys(), found


def test_the_page_of_the_documentation_lists_every_item_as_it_is():
    assert describe_items() in (ROOT / "docs" / "checklist.md").read_text()
