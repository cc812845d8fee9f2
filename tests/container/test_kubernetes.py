"""The manifests for Kubernetes, run by Podman as their README says, and read from the kernel."""

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing import ROOT
from testing.answers import KUBERNETES
from testing.docker import get
from testing.engine import EngineError, ensure_podman
from testing.podman import TOKEN, Pods, load, podman
from testing.process import run
from testing.service import Service
from testing.template import generate
from testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("kubernetes")

POSTGRES = "postgres:17-trixie"
FACTS = """
import json, os, pathlib

def is_service(pid):
    # Others may be the processes of a probe, which begin as root.
    return b"/opt/server/start.py" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()

def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)

def read(*candidates):
    for name in candidates:
        path = pathlib.Path("/sys/fs/cgroup", name)
        if path.exists():
            return path.read_text().split()

print(json.dumps({
    "processes": {pid: status(pid) for pid in os.listdir("/proc") if pid.isdigit() and is_service(pid)},
    "pause": status(1)["Name"],
    "mounts": {m[1]: m[3].split(",") for m in (line.split() for line in open("/proc/self/mounts"))},
    "memory": read("memory.max", "memory/memory.limit_in_bytes"),
    "pids": read("pids.max", "pids/pids.max"),
    "quota": read("cpu.max", "cpu/cpu.cfs_quota_us"),
    "period": read("cpu/cpu.cfs_period_us"),
}))
"""
# Stops all processes of the service.
HANG = """
import os, pathlib, signal
for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    pid = int(file.parent.name)
    if b"/opt/server/start.py" in file.read_bytes() and pid != os.getpid():
        os.kill(pid, signal.SIGSTOP)
"""


@pytest.fixture(scope="module", autouse=True)
def clock(engine: None) -> Iterator[None]:
    """Make Podman usable, and run the probes that are due, as systemd does elsewhere."""
    try:
        ensure_podman()
    except EngineError as error:
        (pytest.fail if os.environ.get("REQUIRE_ENGINE") else pytest.skip)(str(error))
    health = subprocess.Popen([ROOT / "engine" / "podman-up", "health"], stdin=subprocess.DEVNULL)
    yield
    health.terminate()
    health.wait()


@pytest.fixture(scope="module")
def database(clock: None) -> Iterator[str]:
    """Start PostgreSQL, and return its name, which is its network's name, too."""
    name = f"postgres-{uuid.uuid4().hex[:8]}"
    run(ROOT / "engine" / "build-postgres")
    load(POSTGRES)
    podman("network", "create", name)
    options = ("--user=999:999", f"--network={name}", f"--name={name}", "--env=POSTGRES_HOST_AUTH_METHOD=trust")
    podman("run", "--detach", *options, POSTGRES)
    try:
        ready = ("exec", name, "pg_isready", "--host=127.0.0.1")
        wait_until(
            "PostgreSQL answers",
            lambda: run("podman", *ready, check=False).returncode == 0,
            lambda: podman("logs", name),
        )
        yield name
    finally:
        podman("rm", "--force", "--volumes", "--time=1", name, check=False)
        podman("network", "rm", name, check=False)


@pytest.fixture(scope="module", params=[name for name in KUBERNETES if "existing" not in name])
def pods(request: pytest.FixtureRequest, clock: None, folder: Path) -> Iterator[Pods]:
    name = request.param
    project = generate(folder / name, service_name=f"{name}-{uuid.uuid4().hex[:4]}", **KUBERNETES[name])
    # Find a hung process within seconds.
    manifest = project / "deploy" / "kubernetes" / "base" / "deployment.yaml"
    text = re.sub("GracePeriodSeconds: .*", "GracePeriodSeconds: 3", manifest.read_text())
    manifest.write_text(text.replace("periodSeconds: 15", "periodSeconds: 1"))
    with (project / "deploy" / "kubernetes" / "base" / "config.env").open("a") as config:
        config.write("HEARTBEAT_MAX_AGE=4\n")
        network = ""
        if name == "kubernetes-django":
            network = request.getfixturevalue("database")
            config.write(f"DATABASE_URL=postgresql://postgres@{network}:5432/postgres\n")
    with Service(project) as service:
        service.build()
        played = Pods(service, network)
        try:
            played.play()
            played.wait_healthy()
            yield played
        finally:
            played.remove()


def test_the_kernel_confines_the_pod(pods: Pods):
    facts = json.loads(pods.python(FACTS))
    # The pause process belongs to Podman; in Kubernetes it belongs to the kubelet.
    assert facts["pause"] == "catatonit" and facts["processes"]
    for process in facts["processes"].values():
        assert process["Uid"].split() == process["Gid"].split() == ["10001"] * 4
        assert set(process["Groups"].split()) <= {"10001"}
        assert process["NoNewPrivs"] == "1" and process["Seccomp"] == "2"
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(process[capabilities], 16) == 0, capabilities
    assert "ro" in facts["mounts"]["/"]
    assert {"rw", "nosuid", "nodev"} <= set(facts["mounts"]["/tmp"])
    assert facts["memory"] == [str(256 * 1024 * 1024)]
    quota, period = (facts["quota"] + (facts["period"] or []))[:2]
    assert int(quota) / int(period) == 1.0
    assert facts["pids"] == ["128"]


def test_it_answers_on_its_port(pods: Pods):
    if not pods.service.answers.get("port"):
        pytest.skip("a worker has no port")
    assert get(pods.service.url("/healthz"))[0] == 200
    assert get(pods.service.url("/readyz"))[0] == 200, pods.logs()


def test_the_token_comes_as_a_file_and_stays_out_of_the_environment(pods: Pods):
    if pods.service.answers["framework"] not in ("fastapi", "flask"):
        pytest.skip("this starter has no token")
    url = pods.service.url("/private")
    assert get(url, {"Authorization": f"Bearer {TOKEN}"})[0] == 200
    assert get(url, {"Authorization": "Bearer another"})[0] == 401
    environment = pods.python("import os; print(dict(os.environ))")
    assert "LOG_LEVEL" in environment and TOKEN not in environment


def test_a_release_job_has_migrated_the_database(pods: Pods):
    if pods.service.answers["framework"] != "django":
        pytest.skip("this starter has no database")
    # What `podman wait` of the README printed: the exit status of the job.
    assert "0" in pods.output.splitlines()
    count = ("psql", "--username=postgres", "--tuples-only", "--command=SELECT count(*) FROM django_migrations")
    assert int(podman("exec", pods.network, *count)) > 10


def test_a_hung_process_is_restarted_by_its_liveness_probe(pods: Pods):
    started = pods.state["StartedAt"]
    pods.python(HANG)
    wait_until(
        "it is restarted", lambda: pods.state["StartedAt"] != started, lambda: (pods.state, pods.logs()), seconds=60
    )
    pods.wait_healthy()
    if pods.service.answers.get("port"):
        wait_until("it answers again", lambda: get(pods.service.url("/healthz"))[0] == 200, pods.logs)


def test_a_stop_ends_with_status_0(pods: Pods):
    podman("stop", "--time=30", pods.container)
    assert pods.state["ExitCode"] == 0, pods.logs()
