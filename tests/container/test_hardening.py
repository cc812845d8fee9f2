"""The running container, read from the kernel and the engine."""

import json
from pathlib import Path

import pytest

from testing.docker import docker, get, inspect
from testing.process import run
from testing.service import Service
from testing.template import generate

# Run inside: what the kernel says of the service's own process, and of the root and /tmp.
FACTS = """
import json, os, pathlib, resource

def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)

pids = [int(p) for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]
mounts = {m[1]: m for m in (line.split() for line in open("/proc/self/mounts"))}
tmp = os.statvfs("/tmp")
print(json.dumps({
    "processes": {pid: status(pid) for pid in pids},
    "root": mounts["/"][3].split(","),
    "tmp": mounts["/tmp"][3].split(","),
    "tmp_bytes": tmp.f_blocks * tmp.f_frsize,
    "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
    "nproc": resource.getrlimit(resource.RLIMIT_NPROC),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
}))
"""

# Either generation of control groups: the file of each, and what "no limit" would read.
CGROUPS = """
import json, pathlib

def read(*candidates):
    for name in candidates:
        path = pathlib.Path("/sys/fs/cgroup", name)
        if path.exists():
            return path.read_text().split()

print(json.dumps({
    "memory": read("memory.max", "memory/memory.limit_in_bytes"),
    "swap": read("memory.swap.max"),
    "memory_and_swap": read("memory/memory.memsw.limit_in_bytes"),
    "pids": read("pids.max", "pids/pids.max"),
    "quota": read("cpu.max", "cpu/cpu.cfs_quota_us"),
    "period": read("cpu/cpu.cfs_period_us"),
}))
"""


@pytest.fixture(scope="module")
def facts(production: Service) -> dict:
    return json.loads(production.python(FACTS).stdout)


@pytest.fixture(scope="module")
def cgroups(production: Service) -> dict:
    return json.loads(production.python(CGROUPS).stdout)


def test_every_process_runs_as_10001_in_no_other_group(facts: dict):
    assert len(facts["processes"]) >= 2  # init and the service
    for process in facts["processes"].values():
        assert process["Uid"].split() == ["10001"] * 4
        assert process["Gid"].split() == ["10001"] * 4
        assert set(process["Groups"].split()) <= {"10001"}


def test_no_process_can_gain_a_privilege(facts: dict):
    for process in facts["processes"].values():
        assert process["NoNewPrivs"] == "1"
        assert process["Seccomp"] == "2"
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(process[capabilities], 16) == 0, capabilities


def test_the_first_process_is_an_init_that_reaps(production: Service, facts: dict):
    assert "init" in facts["processes"]["1"]["Name"]
    orphan = "import os, time\nif os.fork() == 0:\n    if os.fork() == 0:\n        time.sleep(0.3)\n    os._exit(0)"
    production.python(orphan)
    zombies = (
        "import pathlib, time; time.sleep(0.8)\n"
        "print([p for p in pathlib.Path('/proc').glob('[0-9]*/status') if 'State:\\tZ' in p.read_text()])"
    )
    assert production.python(zombies).stdout.strip() == "[]"


def test_the_root_is_read_only_and_tmp_is_small_and_runs_nothing(production: Service, facts: dict):
    assert "ro" in facts["root"]
    assert {"rw", "noexec", "nosuid", "nodev"} <= set(facts["tmp"])
    assert facts["tmp_bytes"] == 16 * 1024 * 1024
    for path in ("/app/new", "/opt/venv/new", "/home/new", "/var/tmp/new", "/run/new"):
        result = production.python(f"open({path!r}, 'w')", check=False)
        assert result.returncode and "Read-only file system" in result.stderr, path
    execute = (
        "import os, shutil, subprocess, sys; shutil.copy(os.path.realpath(sys.executable), '/tmp/python')\n"
        "try: subprocess.run(['/tmp/python', '-V'])\nfinally: os.unlink('/tmp/python')"
    )
    result = production.python(execute, check=False)
    assert "PermissionError" in result.stderr, result.stderr


def test_memory_swap_cpu_and_processes_are_limited(production: Service, cgroups: dict):
    assert cgroups["memory"] == [str(256 * 1024 * 1024)]
    assert cgroups["swap"] == ["0"] or cgroups["memory_and_swap"] == cgroups["memory"]
    assert cgroups["pids"] == ["128"]
    quota, period = (cgroups["quota"] + (cgroups["period"] or []))[:2]
    assert int(quota) / int(period) == 1.0
    host = inspect(production.container)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"], host["NanoCpus"]) == (
        256 * 1024 * 1024,
        256 * 1024 * 1024,
        128,
        1_000_000_000,
    )


def test_open_files_processes_and_core_dumps_are_limited(facts: dict):
    assert facts["core"] == [0, 0]
    assert facts["nofile"] == [16384, 16384]
    assert facts["nproc"] == [16384, 16384]


def test_nothing_of_the_host_is_shared(production: Service):
    container = inspect(production.container)
    host = container["HostConfig"]
    assert not host["Privileged"] and not host["CapAdd"] and not host["Devices"]
    assert host["NetworkMode"] != "host"
    assert {host["PidMode"], host["UTSMode"], host["UsernsMode"]} == {""}
    assert host["IpcMode"] == "private"
    mounted = [mount["Destination"] for mount in container["Mounts"]]
    assert all(path.startswith("/run/secrets/") for path in mounted)
    assert bool(mounted) == (production.answers["framework"] != "worker")


def test_the_port_is_published_on_loopback_alone_and_no_other_listens(production: Service):
    ports = inspect(production.container)["NetworkSettings"]["Ports"]
    serves = production.answers["framework"] != "worker"
    assert ports == {} or serves
    assert not serves or ports == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(production.port)}]}
    listening = (
        "import pathlib\nfor f in ('tcp', 'tcp6', 'udp', 'udp6'):\n"
        "  for line in pathlib.Path('/proc/net', f).read_text().splitlines()[1:]:\n"
        "    local, state = line.split()[1], line.split()[3]\n"
        "    address, port = local.split(':')\n"
        "    if state in ('0A', '07') and address != '0B00007F': print(int(port, 16))"  # Docker's DNS is 127.0.0.11
    )
    assert production.python(listening).stdout.split() == ["8000"] * serves


def test_logs_turn_over_and_restarts_are_on(production: Service):
    host = inspect(production.container)["HostConfig"]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert host["RestartPolicy"]["Name"] == "unless-stopped"


def test_the_backend_network_has_no_way_out(production: Service):
    networks = inspect(production.container)["NetworkSettings"]["Networks"]
    internal = {name: inspect(name)["Internal"] for name in networks}
    serves = production.answers["framework"] != "worker"
    expected = {"backend": True} | ({"frontend": False} if serves else {})
    assert {name.rpartition("_")[2]: value for name, value in internal.items()} == expected
    # The worker has a route to its network, and none to 0.0.0.0.
    routes = production.python("print(*open('/proc/net/route').readlines()[1:], sep='', end='')").stdout.splitlines()
    assert routes and ("00000000" in [line.split()[1] for line in routes]) == serves, routes


def test_the_health_check_is_the_images_own_script_and_quick_to_ask(production: Service):
    config = inspect(production.container)["Config"]["Healthcheck"]
    assert config["Test"][0] == "CMD" and config["Test"][-3:] == ["-I", "-S", "/usr/local/bin/healthcheck.py"]
    assert config["Test"] == inspect(production.image)["Config"]["Healthcheck"]["Test"]
    assert config["StartInterval"] == 10**9 and config["StartPeriod"] == 30 * 10**9
    assert production.state["Health"]["Log"][-1] | {"Start": "", "End": ""} == {
        "Start": "",
        "End": "",
        "ExitCode": 0,
        "Output": "",
    }


def test_told_to_stop_it_exits_with_0(production: Service):
    docker("stop", production.container)
    assert (production.state["ExitCode"], production.state["OOMKilled"]) == (0, False)
    production.compose("up", "--detach", "--wait")


@pytest.mark.xdist_group("production")
def test_the_token_comes_as_a_file_and_stays_out_of_the_environment(default: Service, tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("a-canary-of-a-token\n")
    token.chmod(0o444)
    with default.second_stack(**{f"{default.prefix}_API_TOKEN_FILE": str(token)}) as service, service.production():
        read = "import pathlib; print(b''.join(p.read_bytes() for p in pathlib.Path('/proc').glob('[0-9]*/environ')))"
        environments = service.python(read).stdout
        assert "LOG_LEVEL" in environments and "canary" not in environments
        assert "canary" not in json.dumps(inspect(service.container))
        assert "canary" in service.python("print(open('/run/secrets/api_token').read())").stdout
        url = service.url("/private")
        assert get(url, {"Authorization": "Bearer a-canary-of-a-token"})[0] == 200
        assert get(url, {"Authorization": "Bearer another"})[0] == 401
        assert "canary" not in service.compose("logs").stdout


@pytest.mark.xdist_group("production")
def test_two_services_are_included_in_one_stack(default: Service, tmp_path: Path):
    other = generate(tmp_path / "other", service_name="other-service")
    stack = tmp_path / "compose.yml"
    stack.write_text(
        "".join(["include:\n"] + [f"  - {folder}/docker-compose.prod.yml\n" for folder in (default.project, other)])
    )
    image = f"other-service:{default.env['VERSION']}"
    docker("tag", default.image, image)
    env = default.env | {
        "COMPOSE_PROJECT_NAME": f"stack-{default.run_id}",
        "OTHER_SERVICE_IMAGE": image,
        "OTHER_SERVICE_PORT": "0",
        f"{default.prefix}_PORT": "0",
    }
    command = ("docker", "compose", "--file", stack)
    try:
        run(*command, "up", "--detach", "--wait", env=env)
        status = run(*command, "ps", "--format", "{{.Service}} {{.Health}}", env=env).stdout
        assert sorted(status.split("\n")[:2]) == ["hello-service healthy", "other-service healthy"]
    finally:
        run(*command, "down", "--timeout", "1", env=env, check=False)
        docker("image", "rm", image, check=False)
