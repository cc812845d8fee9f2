"""Faults that take long, or need a second stack: `make faults` alone runs them.

The docstring of a test is its row of the fault table.
"""

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faulty import SERVICES, Faulty, seen, start, watch_start, write_override
from groups import services
from testing import ROOT
from testing.docker import docker, get
from testing.load import Load, Request
from testing.process import run
from testing.service import Service
from testing.template import generate
from testing.waiting import wait_until

Figure = Callable[[str], None]


def test_requests_in_the_listen_queue(faulty: Faulty, figure: Figure):
    """SIGTERM with requests that nobody has accepted."""
    if not faulty.is_web:
        figure("no port")
        return
    count = 10
    answered: list[int] = []
    main, accepts = faulty.processes[0], faulty.processes[-1]
    # The kernel completes the connections of a stopped process.
    faulty.signal(accepts, "SIGSTOP")
    url = faulty.service.url("/fault/fast")
    clients = [threading.Thread(target=lambda: answered.append(get(url)[0])) for _ in range(count)]
    for client in clients:
        client.start()
    time.sleep(0.5)
    code = f"import os, signal; os.kill({main}, signal.SIGTERM); os.kill({accepts}, signal.SIGCONT)"
    faulty.python(code, check=False)
    for client in clients:
        client.join()
    # What is not answered is refused as a whole.
    assert set(answered) <= {200, 0} and len(answered) == count
    faulty.wait_healthy()
    figure(f"{answered.count(200)} of {count} answered, the others are reset")


def test_a_slow_start_beyond_the_start_period(faulty: Faulty, figure: Figure, tmp_path: Path):
    """Slow start (8 s), beyond a start_period of 2 s."""
    override = write_override(faulty.service, tmp_path, SLOW_START="8")
    shorter = tmp_path / "shorter.yml"
    shorter.write_text(f"services:\n  {faulty.service.name}:\n    healthcheck: {{start_period: 2s}}\n")
    files = ["docker-compose.prod.yml", override, shorter]
    with faulty.service.second_stack(compose_files=files) as slow:
        slow.compose("up", "--detach")
        took, shown = watch_start(slow)
    assert shown == ["starting", "unhealthy", "healthy"]
    figure(f"starting, unhealthy, healthy after {took:.1f} s")


def test_a_dependency_hangs(faulty: Faulty, figure: Figure):
    """Dependency hangs (paused)."""
    before, log = faulty.restarts, len(faulty.log())
    faulty.service.compose("pause", "dependency")
    try:
        if faulty.is_web:
            with faulty.clients() as clients:
                began = time.monotonic()
                assert get(faulty.service.url("/readyz"))[0] == 503
                took = time.monotonic() - began
                # Enough checks to occupy all threads that could wait for the dependency.
                for _ in range(4):
                    assert get(faulty.service.url("/readyz"))[0] == 503
            assert isinstance(clients, Load) and clients.failed == 0, str(clients)
            # Two seconds for the check; much longer would mean that the probe waits for the dependency.
            assert took < 10
            faulty.wait_probed()
            assert faulty.blames_dependency(faulty.log()[log:])
        else:
            faulty.wait_restarted(before)
            assert "Uncaught exception: timed out" in faulty.log()[log:]
    finally:
        faulty.service.compose("unpause", "dependency")
    if faulty.is_web:
        began = time.monotonic()
        wait_until("it is ready", lambda: get(faulty.service.url("/readyz"))[0] == 200)
        back = time.monotonic() - began
        figure(f"503 after {took:.1f} s, 200 {back:.1f} s after it goes on; other requests: {seen(clients)}")
    else:
        with faulty.clients() as clients:
            faulty.wait_healthy()
        figure(f"process ends with “timed out”, is restarted; {seen(clients)}")


def test_a_hung_process_is_left_alone(faulty: Faulty, figure: Figure):
    """Hung process, left alone for 40 s."""
    before, hung = faulty.restarts, faulty.processes[-1]
    faulty.signal(hung, "SIGSTOP")
    began = time.monotonic()
    try:
        if faulty.runs_gunicorn:
            wait_until("the master replaces it", lambda: hung not in faulty.processes, faulty.log, 60)
            took = time.monotonic() - began
            faulty.wait_healthy()
            assert faulty.answers()
            figure(f"gunicorn replaces the worker after {took:.0f} s; healthy")
        else:
            time.sleep(40)
            assert faulty.health == "unhealthy" and faulty.restarts == before
            figure("stays unhealthy: Docker does not restart it")
    finally:
        if hung in faulty.processes:
            faulty.signal(hung, "SIGCONT")


def test_one_replica_loses_its_dependency_behind_the_proxy(
    faulty: Faulty, figure: Figure, tmp_path: Path, folder: Path
):
    """One of two replicas behind the proxy loses its dependency."""
    if not faulty.is_web:
        figure("no port")
        return
    run(ROOT / "engine" / "build-haproxy")
    answers = {"service_name": faulty.service.name, "framework": faulty.framework, "targets": ["proxy"]}
    project = generate(folder / f"proxy-{faulty.service.name}", **answers)
    (tmp_path / "faults").mkdir()
    with start(Service(project, run_id=faulty.service.run_id), tmp_path / "faults") as proxied:
        service = proxied.service
        wait_until("the proxy has a replica", lambda: get(service.url("/readyz"))[0] == 200)
        replicas = service.compose("ps", "--quiet", service.name).stdout.split()
        assert len(replicas) == 2
        network = f"{service.env['COMPOSE_PROJECT_NAME']}_backend"
        # This path needs the dependency.
        with Load(service.url(""), (Request(path="/readyz"),), clients=2) as clients:
            clients.wait_for(100)
            docker("network", "disconnect", network, replicas[0])
            time.sleep(8)
            failed = clients.failed
            time.sleep(2)
        assert clients.failed == failed, str(clients)
        figure(f"{seen(clients)}; none after the proxy took it out")


@pytest.fixture(scope="session")
def faketime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library libfaketime from Debian."""
    folder = tmp_path_factory.mktemp("faketime")
    (folder / "Dockerfile").write_text(
        "FROM debian:trixie-slim\nRUN apt-get update && apt-get install --yes --no-install-recommends libfaketime\n"
    )
    image = docker("build", "--quiet", folder)
    library = folder / "libfaketime.so"
    with library.open("wb") as file:
        program = ["sh", "-c", "cat /usr/lib/*/faketime/libfaketimeMT.so.1"]
        subprocess.run(["docker", "run", "--rm", image, *program], stdout=file, check=True)
    library.chmod(0o755)
    return library


# libfaketime also moves the file times by which gunicorn sees that its workers live, so it shows nothing of gunicorn.
@pytest.mark.parametrize(
    "faulty", services(*(name for name in SERVICES if not name.startswith(("flask", "django")))), indirect=True
)
def test_the_clock_jumps(faulty: Faulty, figure: Figure, tmp_path: Path, faketime: Path):
    """Clock jumps an hour forward, and two back."""
    environment = {
        "FAKETIME_TIMESTAMP_FILE": "/tmp/clock",
        "FAKETIME_NO_CACHE": "1",
        # A jump of the clock does not move the monotonic one.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        # The health check sees the same clock.
        "LD_PRELOAD": "/libfaketime.so",
    }
    override = write_override(faulty.service, tmp_path, **environment)
    library = tmp_path / "library.yml"
    library.write_text(f"services:\n  {faulty.service.name}:\n    volumes: ['{faketime}:/libfaketime.so:ro']\n")
    files = ["docker-compose.prod.yml", override, library]
    with faulty.service.second_stack(compose_files=files) as stack, stack.production():
        shifted = Faulty(stack)
        processes, restarts = shifted.processes, shifted.restarts
        recovered = []
        with shifted.clients() as clients:
            for shift in (3600, -3600):
                stack.python(f"open('/tmp/clock', 'w').write('{shift:+d}')")
                assert abs(shifted.ask("fast")["time"] - time.time() - shift) < 60
                if shifted.framework != "fastapi":
                    recovered.append(float(stack.python(AFTER_JUMP).stdout))
                time.sleep(3)
                shifted.wait_probed()
        assert shifted.processes == processes and shifted.restarts == restarts
        assert stack.health == "healthy"
    if isinstance(clients, Load):
        assert clients.failed == 0, str(clients)
    beats = f"; heartbeat right again after {max(recovered):.1f} s" if recovered else ""
    figure(f"no restart, {seen(clients)}{beats}")


# What was touched before the jump is too old, or in the future. Wait until the service touches it again.
AFTER_JUMP = """
import sys, time
sys.path.insert(0, "/usr/local/bin")
from healthcheck import check_heartbeat
began = time.monotonic()
while problem := check_heartbeat("/tmp/heartbeat", "4"):
    assert time.monotonic() - began < 20, problem
    time.sleep(0.01)
print(time.monotonic() - began)
"""
