"""Faults of the app and of its container: what a user of the service sees, and what the engine does.

The docstring of a test is its row of the fault table.
"""

import itertools
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from faulty import ALL, Faulty, seen, watch_start, write_override
from testing.docker import docker, get, inspect
from testing.load import Load
from testing.process import run
from testing.service import Service
from testing.waiting import wait_until

Figure = Callable[[str], None]


def test_what_was_accepted_is_answered_when_the_service_is_told_to_stop(faulty: Faulty, figure: Figure):
    """SIGTERM with requests in hand and queued."""
    if faulty.is_web:
        # More than the threads of gunicorn (8) and of FastAPI (40).
        count = 20 if faulty.runs_gunicorn else 60
        answered: list[int] = []
        clients = [
            threading.Thread(target=lambda: answered.append(get(faulty.service.url("/fault/slow"))[0]))
            for _ in range(count)
        ]
        for client in clients:
            client.start()
        wait_until("the server has accepted all", lambda: faulty.connections() + len(answered) >= count)
    else:
        count = 10
        faulty.push(*["slow"] * count)
        wait_until("the worker takes a job", lambda: int(faulty.redis("LLEN", "jobs")) < count)
    began = time.monotonic()
    docker("stop", faulty.container)
    took = time.monotonic() - began
    assert faulty.state["ExitCode"] == 0 and not faulty.state["OOMKilled"]
    if faulty.is_web:
        for client in clients:
            client.join()
        assert answered == [200] * count
        figure(f"{len(answered)} of {count} answered, exit 0 after {took:.1f} s")
    else:
        left, done = int(faulty.redis("LLEN", "jobs")), int(faulty.redis("LLEN", "results"))
        assert left and done == count - left
        figure(f"{done} of {count - left} jobs begun are done, {left} stay in the queue, exit 0 after {took:.1f} s")
    faulty.service.compose("up", "--detach", "--wait")


def test_a_process_without_a_handler_is_killed(faulty: Faulty, figure: Figure):
    """SIGTERM without a handler (control)."""
    sleep = ("python", "-c", "import time; time.sleep(60)")
    container = docker("run", "--detach", "--stop-timeout", "1", faulty.service.image, *sleep)
    try:
        docker("stop", container)
        code = inspect(container)["State"]["ExitCode"]
    finally:
        docker("rm", "--force", container)
    assert code == 137
    figure(f"exit {code} after the grace period")


def test_memory_taken_by_the_service_itself(faulty: Faulty, figure: Figure):
    """Out of memory in the app."""
    before, processes = faulty.restarts, faulty.processes
    with faulty.clients() as clients:
        if faulty.is_web:
            assert get(faulty.service.url("/fault/eat"))[0] == 0
        else:
            faulty.push("eat")
        if faulty.runs_gunicorn:
            wait_until("the master has another worker", lambda: faulty.processes[1:] not in ([], processes[1:]))
        else:
            faulty.wait_restarted(before)
        faulty.wait_healthy()
        faulty.wait_answers()
    if faulty.runs_gunicorn:
        # The kernel kills the largest process, the worker; the container goes on.
        assert faulty.restarts == before and faulty.processes[0] == processes[0]
        assert "Perhaps out of memory?" in faulty.log()
        figure(f"new worker; {seen(clients)}")
    else:
        figure(f"container restarted; {seen(clients)}")


def test_memory_taken_by_a_child(faulty: Faulty, figure: Figure):
    """Out of memory in a child process."""
    before, processes = faulty.restarts, faulty.processes
    with faulty.clients() as clients:
        assert faulty.ask("eat_in_child") == {"status": -signal.SIGKILL}
    assert faulty.restarts == before and faulty.processes == processes
    faulty.wait_probed()
    if isinstance(clients, Load):
        assert clients.failed == 0, str(clients)
    figure(f"the child is killed; {seen(clients)}; engine: OOMKilled {faulty.state['OOMKilled']}")


def test_a_fork_bomb(faulty: Faulty, figure: Figure):
    """Fork bomb under pids_limit."""
    bomb = faulty.ask("fork")
    assert bomb["error"] == "Resource temporarily unavailable"
    try:
        assert faulty.answers()
        faulty.wait_probed()
    finally:
        faulty.ask("reap")
    figure(f"EAGAIN after {bomb['children']} processes; answers, healthy")


def test_tmp_is_full(faulty: Faulty, figure: Figure):
    """/tmp full."""
    assert faulty.ask("fill") == {"error": "No space left on device"}
    try:
        assert faulty.answers()
        # Long enough for a heartbeat that no longer comes to be missed.
        time.sleep(5 if faulty.framework != "fastapi" else 0)
        faulty.wait_probed()
    finally:
        faulty.ask("clear")
    figure("ENOSPC; answers, healthy")


def test_a_write_to_the_root(faulty: Faulty, figure: Figure):
    """Write to the root file system."""
    assert faulty.ask("write") == {"error": "Read-only file system"}
    assert faulty.answers()
    figure("EROFS; answers")


def test_an_orphan_is_reaped(faulty: Faulty, figure: Figure):
    """Orphaned child ends."""
    pid = faulty.ask("orphan")["pid"]
    gone = f"import os; print(os.path.exists('/proc/{pid}'))"
    wait_until("the init reaps it", lambda: faulty.python(gone).stdout.strip() == "False", seconds=5)
    figure("reaped by the init")


def test_the_process_is_killed(faulty: Faulty, figure: Figure):
    """SIGKILL of the service's process."""
    before = faulty.restarts
    with faulty.clients() as clients:
        faulty.signal(faulty.processes[0], "SIGKILL")
        faulty.wait_restarted(before)
        faulty.wait_healthy()
        faulty.wait_answers()
    figure(f"container restarted; {seen(clients)}")


def test_the_process_hangs(faulty: Faulty, figure: Figure):
    """Hung process (SIGSTOP)."""
    hung = faulty.processes[-1]
    faulty.signal(hung, "SIGSTOP")
    began = time.monotonic()
    try:
        wait_until("it is unhealthy", lambda: faulty.health == "unhealthy", lambda: faulty.state, 60)
        took = time.monotonic() - began
        reason = faulty.state["Health"]["Log"][-1]["Output"]
    finally:
        faulty.signal(hung, "SIGCONT")
    beats = faulty.framework != "fastapi"
    expected = "heartbeat /tmp/heartbeat: last seen" if beats else "GET /healthz on port 8000: timed out"
    assert reason.startswith(expected), reason
    faulty.wait_healthy()
    figure(f"unhealthy after {took:.1f} s: “{reason.strip()}”; healthy after SIGCONT")


def test_a_dependency_is_down_and_comes_back(faulty: Faulty, figure: Figure):
    """Dependency down, then back."""
    before, log = faulty.restarts, len(faulty.log())
    if not faulty.is_web:
        faulty.service.compose("stop", "--timeout", "1", "dependency")
        faulty.wait_restarted(before)
        assert "Uncaught exception: " in faulty.log()[log:]
        faulty.service.compose("start", "dependency")
        with faulty.clients() as clients:
            faulty.wait_healthy()
        figure(f"process ends, restarted {faulty.restarts - before} times; once it is back, {seen(clients)}")
        return
    ready = faulty.service.url("/readyz")
    assert get(ready)[0] == 200
    with faulty.clients() as clients:
        faulty.service.compose("stop", "--timeout", "1", "dependency")
        began = time.monotonic()
        wait_until("it is not ready", lambda: get(ready)[0] == 503)
        down = time.monotonic() - began
        # Liveness does not depend on it: a restart would not bring it back.
        faulty.wait_probed()
        faulty.service.compose("start", "dependency")
        began = time.monotonic()
        wait_until("it is ready", lambda: get(ready)[0] == 200)
        up = time.monotonic() - began
    assert isinstance(clients, Load) and clients.failed == 0, str(clients)
    assert faulty.restarts == before
    assert faulty.blames_dependency(faulty.log()[log:])
    figure(f"503 after {down:.1f} s, stays healthy, 200 after {up:.1f} s; other requests: {seen(clients)}")


def test_a_slow_start(faulty: Faulty, figure: Figure, tmp_path: Path):
    """Slow start, within start_period."""
    seconds = 8 if ALL else 3
    override = write_override(faulty.service, tmp_path, SLOW_START=str(seconds))
    with faulty.service.second_stack(override, compose_files=["docker-compose.prod.yml"]) as slow:
        slow.compose("up", "--detach")
        took, seen_health = watch_start(slow)
    assert seen_health == ["starting", "healthy"]
    assert took >= seconds
    figure(f"starting, then healthy after {took:.1f} s")


BAD_SETTINGS = {
    "fastapi": {"PORT": "0", "LOG_LEVEL": "loud", "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": "long", "API_TOKEN": ""},
    "flask": {"PORT": "many", "THREADS": "0", "WEB_CONCURRENCY": "-1", "FORWARDED_ALLOW_IPS": "proxy", "API_TOKEN": ""},
    "django": {"LOG_LEVEL": "loud", "DATABASE_URL": "oracle://x", "HTTPS_ONLY": "maybe", "SECRET_KEY": ""},
    "worker": {"LOG_LEVEL": "loud", "HEARTBEAT_FILE": "/missing/heartbeat"},
}


def test_a_bad_setting(faulty: Faulty, figure: Figure, tmp_path: Path):
    """Bad setting, or unreadable secret."""
    service = faulty.service
    unreadable = tmp_path / "secret"
    unreadable.touch(0o000)
    settings = BAD_SETTINGS[faulty.framework]
    for name, value in settings.items():
        path = f"/run/secrets/{name.lower()}"
        options = ("--env", f"{name}={value}") if value else ("--volume", f"{unreadable}:{path}:ro")
        result = service.sandbox(*service.start_command, user="10001", options=options, check=False)
        last = (result.stdout + result.stderr).strip().splitlines()[-1]
        assert 0 < result.returncode < 128 and (name if value else path) in last, result
    figure(f"{len(settings)} of {len(settings)} named in the last line, exit 1 or 2")


def test_a_restart_storm(faulty: Faulty, failing: Service, figure: Figure):
    """Restarts with a bad setting, in 15 s."""

    def starts() -> list[float]:
        """Return when the service started: each start logs one line, its error."""
        lines = run("docker", "logs", "--timestamps", failing.container).stderr.splitlines()
        return [datetime.fromisoformat(line.split()[0]).timestamp() for line in lines if "LOG_LEVEL" in line]

    wait_until("15 s have passed", lambda: time.time() > starts()[0] + 15, every=1)
    first, *others = starts()
    in_time = [first, *(start for start in others if start <= first + 15)]
    pauses = [later - earlier for earlier, later in itertools.pairwise(in_time)]
    # Docker doubles its delay from 0.1 s on; without a delay, there would be a restart or two a second.
    assert 2 <= len(pauses) <= 8, pauses
    figure(f"{len(pauses)} restarts, the last pause {pauses[-1]:.1f} s")
