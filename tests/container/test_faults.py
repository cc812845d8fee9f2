"""A hardened container under faults: what a user of the service sees, and what the engine does."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.docker import docker, get, inspect
from testing.service import Service
from testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("production")

# What the starter has no reason to have, and the faults need.
ROUTES = """

@app.get("/slow")
async def slow() -> dict[str, str]:
    import asyncio

    await asyncio.sleep(2)
    return {"done": "yes"}


@app.get("/eat")
async def eat() -> dict[str, int]:
    eaten = []
    while True:
        eaten.append(bytearray(16 * 1024 * 1024))


@app.get("/fork")
async def fork() -> dict[str, int]:
    import os
    import time

    children = 0
    try:
        while children < 1000:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            children += 1
    except OSError as error:
        return {"children": children, "errno": error.errno}
    return {"children": children}
"""


@pytest.fixture(scope="module")
def faulty(default: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The production service with routes that misbehave, mounted over its source."""
    folder = tmp_path_factory.mktemp("faulty")
    source = default.project / "src" / default.package / "main.py"
    main = folder / "main.py"
    main.write_text(source.read_text() + ROUTES)
    main.chmod(0o644)
    override = folder / "override.yml"
    # Python ignores changed source unless it checks the hashes in the bytecode.
    override.write_text(
        f"services:\n  {default.name}:\n"
        "    command: [python, --check-hash-based-pycs, always, /opt/server/start.py]\n"
        f"    volumes: ['{main}:/app/{default.package}/main.py:ro']\n"
        "    healthcheck: {interval: 1s}\n"
    )
    with default.second_stack(override) as service, service.production():
        yield service


@pytest.fixture(autouse=True)
def healthy(faulty: Service) -> None:
    faulty.wait_healthy()


def test_a_request_in_hand_is_answered_when_the_service_is_told_to_stop(faulty: Service):
    answer = []
    request = threading.Thread(target=lambda: answer.append(get(faulty.url("/slow"))))
    request.start()
    time.sleep(0.7)
    docker("stop", faulty.container)
    request.join()
    assert answer == [(200, '{"done":"yes"}')]
    assert faulty.state["ExitCode"] == 0 and not faulty.state["OOMKilled"]
    faulty.compose("up", "--detach", "--wait")


def test_without_a_handler_the_grace_period_ends_in_a_kill(default: Service):
    """The negative control of the test above: what stopping looks like where nobody drains."""
    container = docker(
        "run", "--detach", "--stop-timeout", "1", default.image, "python", "-c", "import time; time.sleep(60)"
    )
    try:
        docker("stop", container)
        assert inspect(container)["State"]["ExitCode"] == 137
    finally:
        docker("rm", "--force", container)


def test_a_killed_service_is_restarted_and_healthy_again(faulty: Service):
    restarts = inspect(faulty.container)["RestartCount"]
    process = faulty.python("print(open('/proc/1/task/1/children').read())").stdout.split()[0]
    faulty.python(f"import os; os.kill({process}, 9)")
    wait_until("it is restarted", lambda: inspect(faulty.container)["RestartCount"] == restarts + 1, faulty.logs)
    faulty.wait_healthy()


def test_a_service_that_takes_too_much_memory_is_killed_and_restarted(faulty: Service):
    restarts = inspect(faulty.container)["RestartCount"]
    assert get(faulty.url("/eat"))[0] == 0
    wait_until("it is restarted", lambda: inspect(faulty.container)["RestartCount"] > restarts, faulty.logs)
    faulty.wait_healthy()


def test_under_a_fork_bomb_the_service_still_answers(faulty: Service):
    status, body = get(faulty.url("/fork"))
    assert status == 200 and '"errno":11' in body, body  # EAGAIN
    assert get(faulty.url("/healthz"))[0] == 200
    probes = len(faulty.state["Health"]["Log"])
    assert probes and faulty.state["Health"]["Log"][-1]["ExitCode"] == 0
    faulty.compose("restart", "--timeout", "1")


def test_with_tmp_full_the_service_still_answers(faulty: Service):
    result = faulty.python("open('/tmp/full', 'wb').write(bytes(64 * 1024 * 1024))", check=False)
    assert "No space left on device" in result.stderr
    assert get(faulty.url("/healthz"))[0] == 200
    faulty.python("import os; os.unlink('/tmp/full')")


def test_a_service_that_hangs_is_unhealthy_and_the_reason_is_on_record(faulty: Service):
    process = faulty.python("print(open('/proc/1/task/1/children').read())").stdout.split()[0]
    faulty.python(f"import os, signal; os.kill({process}, signal.SIGSTOP)")
    wait_until("it is unhealthy", lambda: faulty.health == "unhealthy", lambda: faulty.state)
    assert "GET /healthz on port 8000: timed out" in faulty.state["Health"]["Log"][-1]["Output"]
    faulty.python(f"import os, signal; os.kill({process}, signal.SIGCONT)")
    faulty.wait_healthy()


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "0"), ("PORT", "many"), ("LOG_LEVEL", "loud")],
)
def test_a_bad_setting_ends_the_start_with_one_clear_line(default: Service, name: str, value: str):
    result = default.sandbox(*default.start_command, user="10001", options=("--env", f"{name}={value}"), check=False)
    assert result.returncode == 1
    assert name in (result.stdout + result.stderr).strip().splitlines()[-1], result


def test_a_secret_that_cannot_be_read_ends_the_start_with_one_clear_line(default: Service, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o000)
    options = ("--volume", f"{secret}:/run/secrets/api_token:ro")
    result = default.sandbox(*default.start_command, user="10001", options=options, check=False)
    assert result.returncode == 1
    assert "/run/secrets/api_token" in (result.stdout + result.stderr).strip().splitlines()[-1], result


def test_restarts_after_a_bad_start_are_backed_off(default: Service, tmp_path: Path):
    override = tmp_path / "override.yml"
    override.write_text(f"services:\n  {default.name}:\n    environment: {{PORT: many}}\n")
    with default.second_stack(override) as service:
        assert service.compose("up", "--detach", "--wait", check=False).returncode
        time.sleep(5)
        # Docker doubles the pause from 0.1 s on: after some seconds there are few starts, not hundreds.
        assert 1 <= inspect(service.container)["RestartCount"] <= 8
