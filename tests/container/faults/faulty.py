"""A service in production that can misbehave on request."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from testing import ROOT
from testing.docker import docker, get, inspect
from testing.load import Load, Request
from testing.process import run
from testing.service import Service
from testing.waiting import wait_until

SOURCES = ROOT / "tests" / "fixtures" / "faults"
# The module that each framework imports, and by which the faults get into the app.
MODULES = {"fastapi": "main", "flask": "app", "django": "urls", "worker": "main"}

# One service of each framework, each on another base: upstream distroless, upstream slim, shared
# distroless and shared slim.
ONE_OF_EACH = ("default", "flask", "django-distroless", "worker-slim")
EVERY = [
    "default", "slim", "distroless",
    "flask", "flask-slim", "flask-distroless",
    "django", "django-slim", "django-distroless",
    "worker", "worker-slim", "worker-distroless",
]  # fmt: skip
# Set by `make faults`.
ALL = os.environ.get("FAULTS") == "all"
SERVICES = EVERY if ALL else ONE_OF_EACH

REDIS = """
    image: redis:8-trixie
    healthcheck: {test: [CMD, redis-cli, ping], interval: 60s, start_period: 60s, start_interval: 200ms}
"""
POSTGRES = """
    image: postgres:17-trixie
    user: "999:999"
    tmpfs: ["/run/postgresql:uid=999,gid=999"]
    environment: {POSTGRES_HOST_AUTH_METHOD: trust}
    healthcheck:
      test: [CMD, pg_isready, --username=postgres, --host=127.0.0.1]
      interval: 60s
      start_period: 60s
      start_interval: 200ms
"""

# Counts established connections (01) to port 8000, less those in the receive queue of the listening socket
# (0A), which the server has yet to accept.
CONNECTIONS = """
accepted = 0
for line in open("/proc/net/tcp").read().splitlines()[1:]:
    _, local, _, state, queues, *_ = line.split()
    if local.endswith(":1F40"):
        accepted += state == "01"
        accepted -= int(queues.partition(":")[2], 16) if state == "0A" else 0
print(accepted)
"""


class Faulty:
    """A compose project of a service whose app has the faults of tests/fixtures/faults.

    Flask and Django run in gunicorn: a master process and a worker. Django's dependency is
    PostgreSQL; the others have Redis.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.framework: str = service.answers["framework"]
        # A restart keeps the container.
        self.container = service.container
        self.dependency = service.compose("ps", "--all", "--quiet", "dependency").stdout.strip()

    @property
    def is_web(self) -> bool:
        return self.framework != "worker"

    @property
    def runs_gunicorn(self) -> bool:
        return self.framework in ("flask", "django")

    # What a client sees

    def ask(self, fault: str) -> dict[str, Any]:
        """Let the app commit a fault, by a request or by a job; return what the app saw of it."""
        if self.is_web:
            status, body = get(self.service.url(f"/fault/{fault}"))
            assert status == 200, (status, body)
            return json.loads(body)
        self.push(fault)
        return self.result()

    def push(self, *jobs: str) -> None:
        self.redis("RPUSH", "jobs", *jobs)

    def result(self, seconds: int = 20) -> dict[str, Any]:
        """Wait for the result of the worker's next job."""
        answer = self.redis("BLPOP", "results", str(seconds))
        assert answer, self.log()
        return json.loads(answer.splitlines()[-1])

    def redis(self, *command: str) -> str:
        return docker("exec", self.dependency, "redis-cli", *command)

    def answers(self) -> bool:
        """Return whether the service answers a request, or does a job."""
        return "pid" in self.ask("fast")

    def wait_answers(self) -> None:
        if self.is_web:
            wait_until("it answers", lambda: get(self.service.url("/healthz"))[0] == 200, self.log)

    def clients(self) -> "Load | Job":
        """Return what uses the service until it leaves the context: two clients, or one job at the end."""
        if self.is_web:
            return Load(self.service.url(""), (Request(path="/fault/fast"),), clients=2, pause=0.02)
        return Job(self)

    # What the engine says

    @property
    def restarts(self) -> int:
        return inspect(self.container)["RestartCount"]

    @property
    def state(self) -> dict[str, Any]:
        return inspect(self.container)["State"]

    @property
    def health(self) -> str:
        return self.state["Health"]["Status"]

    def wait_healthy(self) -> None:
        def healthy() -> bool:
            state = self.state
            return state["Running"] and state["Health"]["Status"] == "healthy"

        wait_until("it is healthy", healthy, lambda: f"{self.state}\n{self.log()}", 60, every=0.2)

    def wait_restarted(self, before: int) -> None:
        wait_until("it is restarted", lambda: self.restarts > before, self.log)

    def wait_probed(self) -> None:
        """Wait for a health check that begins after this call, and passes."""
        begun = time.time()

        def passed() -> bool:
            probes = self.state["Health"]["Log"]
            later = [probe for probe in probes if datetime.fromisoformat(probe["Start"]).timestamp() > begun]
            return any(probe["ExitCode"] == 0 for probe in later)

        wait_until("a health check passes", passed, lambda: self.state, every=0.2)

    def log(self) -> str:
        return docker("logs", self.container)

    def blames_dependency(self, log: str) -> bool:
        """Return whether a line of the log says which dependency is down."""
        name = {"flask": "redis does not answer", "django": "the database does not answer"}.get(
            # The traceback, which is in the line, shows the call.
            self.framework,
            "await ping_redis()",
        )
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        problems = [line for line in lines if line["level"] in ("WARNING", "ERROR")]
        # Access lines have a status.
        return any(name in str(line) for line in problems if "status" not in line)

    # Processes

    @property
    def processes(self) -> list[int]:
        """The service's own processes; with gunicorn the master, then the worker."""
        main = self.python("print(open('/proc/1/task/1/children').read().split()[0])").stdout.strip()
        if not self.runs_gunicorn:
            return [int(main)]
        worker = self.python(f"print(open('/proc/{main}/task/{main}/children').read())").stdout.split()
        return [int(main), *map(int, worker)]

    def python(self, code: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run("docker", "exec", self.container, "python", "-c", code, check=check)

    def connections(self) -> int:
        """Return how many connections the server has accepted; those in the listen queue do not count."""
        return int(self.python(CONNECTIONS).stdout)

    def signal(self, process: int, name: str) -> None:
        # The container may end before the command does.
        self.python(f"import os, signal; os.kill({process}, signal.{name})", check=False)


class Job(AbstractContextManager["Job"]):
    """A job for the worker at the end of the context, and the seconds from the beginning until it is done."""

    def __init__(self, faulty: Faulty) -> None:
        self.faulty = faulty
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self.began = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            assert self.faulty.answers()
            self.seconds = time.monotonic() - self.began


def seen(clients: Load | Job) -> str:
    """Return what the clients saw, for the fault table."""
    if isinstance(clients, Job):
        return f"next job done after {clients.seconds:.1f} s"
    return f"{clients.failed} of {clients.total} failed, gap {clients.longest_gap:.1f} s"


def watch_start(service: Service) -> tuple[float, list[str]]:
    """Wait until a service that starts is healthy; return the seconds, and each health that the engine showed."""
    began = time.monotonic()
    shown: list[str] = []

    def healthy() -> bool:
        health = service.health
        if health not in shown:
            shown.append(health)
        return health == "healthy"

    wait_until("it is healthy", healthy, service.logs, 120)
    return time.monotonic() - began, shown


def command(service: Service) -> list[str]:
    """Return the command of a service whose source has changed."""
    # Python ignores changed source unless it checks the hashes in the bytecode.
    return ["python", "--check-hash-based-pycs", "always", *service.start_command[1:]]


def write_override(service: Service, folder: Path, **environment: str) -> Path:
    """Write the compose file that puts the faults into the app and adds its dependency; return its path."""
    framework: str = service.answers["framework"]
    module = MODULES[framework]
    source = service.project / "src" / service.package / f"{module}.py"
    changed = folder / f"{module}.py"
    changed.write_text(source.read_text() + "\n\nfrom . import faulty\n")
    changed.chmod(0o644)
    environment = {"HEARTBEAT_MAX_AGE": "4"} | environment
    if framework == "django":
        environment = {"DATABASE_URL": "postgres://postgres@dependency/postgres"} | environment
    app = f"/app/{service.package}"
    override = folder / "override.yml"
    override.write_text(
        f"services:\n"
        f"  {service.name}:\n"
        f"    command: {json.dumps(command(service))}\n"
        f"    environment: {json.dumps(environment)}\n"
        f"    volumes:\n"
        f"      - {changed}:{app}/{module}.py:ro\n"
        f"      - {SOURCES}/faults.py:{app}/faults.py:ro\n"
        f"      - {SOURCES}/{framework}.py:{app}/faulty.py:ro\n"
        f"    healthcheck: {{interval: 1s, timeout: 10s, retries: 2}}\n"
        f"    depends_on: {{dependency: {{condition: service_healthy}}}}\n"
        f"  dependency:" + (POSTGRES if framework == "django" else REDIS) + "    networks: [backend]\n"
    )
    return override


def build_dependencies() -> None:
    for image in ("postgres", "redis"):
        run(ROOT / "engine" / f"build-{image}")


@contextmanager
def start_badly(service: Service, folder: Path) -> Iterator[Service]:
    """Start a copy of the service with a bad setting, so that it ends and is restarted again and again."""
    override = folder / "bad.yml"
    override.write_text(f"services:\n  {service.name}:\n    environment: {{LOG_LEVEL: loud}}\n")
    with service.second_stack(override) as stack:
        stack.compose("up", "--detach")
        yield stack


@contextmanager
def start(service: Service, folder: Path, **environment: str) -> Iterator[Faulty]:
    """Start a faulty copy of the service, and take it down at the end."""
    with service.second_stack(write_override(service, folder, **environment)) as stack, stack.production():
        yield Faulty(stack)
