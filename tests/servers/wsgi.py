"""Run a generated Flask or Django service as its image does, without an engine."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from testing import ROOT
from testing.template import generate
from testing.uv import uv
from testing.waiting import wait_until

TIMEOUT = 60  # seconds; generous, for a machine that does other work too
# Only these variables of this machine reach the service.
INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR")
# Sends SIGTERM to the process itself when it imports the module named by STOP_AT.
STOP_DURING_IMPORT = """
import os, signal, sys

class Stop:
    def find_spec(self, name, *_):
        if name == os.environ["STOP_AT"]:
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Stop())
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Service:
    """A generated service, and the virtual environment of its locked requirements."""

    def __init__(self, folder: Path, framework: str, app: str, test_app: str) -> None:
        name = f"hello-{framework}"
        self.folder = generate(folder / name, framework=framework, service_name=name)
        self.source = self.folder / "src"
        self.package = name.replace("-", "_")
        self.app = f"{self.package}.{app}"
        (self.source / "test_app.py").write_text(test_app.replace("PACKAGE", self.package))
        self.python = folder / "venv" / "bin" / "python"
        lock = ROOT / "locks" / f"{framework}.txt"
        options = ("--quiet", "--compile-bytecode", "--require-hashes", "--requirement", lock)
        uv("venv", "--quiet", folder / "venv")
        uv("pip", "install", "--python", self.python, *options)

    def copy(self, folder: Path) -> "Service":
        """Return a copy whose source a test may edit."""
        copy = object.__new__(Service)
        copy.__dict__ = self.__dict__ | {"folder": folder, "source": folder / "src"}
        shutil.copytree(self.folder, folder)
        return copy

    def environment(self, **variables: str) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = {"HOST": "127.0.0.1", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        return inherited | own | variables

    def manage(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Django's, with status and output as they come."""
        return subprocess.run(
            [self.python, "manage.py", *arguments],
            cwd=self.source,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )

    def start(self, *options: str, app: str | None = None, **variables: str) -> "Process":
        return Process(self, options, app or self.app, self.environment(**{"PORT": str(free_port())} | variables))

    @contextlib.contextmanager
    def running(self, *options: str, app: str = "test_app:app", **variables: str) -> Iterator["Process"]:
        """Serve the app with the test's routes; end it with the block."""
        process = self.start(*options, app=app, **variables)
        try:
            process.wait_for_log("Booting worker")
            yield process
        finally:
            process.kill()


class Process:
    """A process that was started like the image starts it."""

    def __init__(self, service: Service, options: tuple[str, ...], app: str, environment: dict[str, str]) -> None:
        docker = service.folder / "docker"
        command = [service.python, docker / "start.py", *options, app]
        self.port = int(environment["PORT"]) if environment["PORT"].isdecimal() else 0
        self.environment = environment
        self.healthcheck = docker / "healthcheck.py"
        self.output = service.folder.parent / f"output-{self.port}-{time.monotonic_ns()}"
        self.connections: list[HTTPConnection] = []
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.popen = subprocess.Popen(
                command,
                cwd=service.source,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )

    @property
    def errors(self) -> Path:
        return self.output.with_suffix(".err")

    @property
    def lines(self) -> list[str]:
        return self.output.read_text().splitlines()

    @property
    def all_output(self) -> str:
        return self.output.read_text() + self.errors.read_text()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def wait_for_log(self, text: str) -> None:
        def logged() -> bool:
            if text in self.output.read_text():
                return True
            assert self.popen.poll() is None, f"ended without logging {text!r}: {self.all_output}"
            return False

        wait_until(f"{text!r} is logged", logged, lambda: self.all_output, TIMEOUT)

    def workers(self) -> list[int]:
        booted = [record["message"].split() for record in self.records if "Booting worker" in record["message"]]
        return [int(words[-1]) for words in booted]

    def request(self, path: str, host: str = "127.0.0.1", **headers: str | bytes) -> HTTPConnection:
        """Send a request; its answer is read by `getresponse()`."""
        connection = HTTPConnection(host, self.port, timeout=TIMEOUT)
        self.connections.append(connection)
        # A stopping worker waits up to two seconds for a next request on a connection that is kept.
        connection.request("GET", path, headers={"Connection": "close"} | headers)
        return connection

    def response(self, path: str, **options: Any) -> HTTPResponse:
        return self.request(path, **options).getresponse()

    def get(self, path: str, **options: Any) -> int:
        return self.response(path, **options).status

    def send(self, data: bytes) -> bytes:
        """Send bytes that no client library would; return the answer."""
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as connection:
            connection.sendall(data)
            return connection.recv(4096)

    def check_health(self, max_age: float) -> int:
        """Return the exit status of the image's health check."""
        variables = self.environment | {"HEARTBEAT_MAX_AGE": str(max_age)}
        return subprocess.run([sys.executable, "-I", "-S", self.healthcheck], env=variables).returncode

    def handles_sigterm(self) -> bool:
        """Return whether the process has a handler, which Python needs some time to install."""
        [caught] = re.findall(r"SigCgt:\s*(\w+)", Path(f"/proc/{self.popen.pid}/status").read_text())
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(TIMEOUT)

    def kill(self) -> None:
        for connection in self.connections:
            connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()


class ServerTests:
    """What Flask and Django services have in common, because gunicorn serves both."""

    BAD_SETTINGS = (
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("THREADS", "many"),
        ("THREADS", "0"),
        ("WEB_CONCURRENCY", "many"),
        ("WEB_CONCURRENCY", "0"),
        ("LOG_LEVEL", "lots"),
        ("FORWARDED_ALLOW_IPS", "proxy"),
    )

    def test_sigterm_lets_the_open_request_finish(self, service: Service) -> None:
        with service.running() as process:
            request = process.request("/slow?seconds=0.5")
            process.wait_for_log("slow request began")
            assert process.stop() == 0
            response = request.getresponse()
            assert (response.status, response.read()) == (200, b"done")
            assert "cleaned up" in process.all_output, "atexit handlers run"

    def test_sigterm_lets_requests_finish_that_wait_for_a_thread(self, service: Service) -> None:
        with service.running(THREADS="1") as process:
            waiting = [process.request("/slow?seconds=0.3") for _ in range(3)]
            process.wait_for_log("slow request began")
            time.sleep(0.2)  # until the worker has accepted the other connections
            process.popen.send_signal(signal.SIGTERM)
            assert [connection.getresponse().status for connection in waiting] == [200, 200, 200]
            assert process.popen.wait(TIMEOUT) == 0

    def test_a_request_that_outlasts_the_grace_period_is_cut_off(self, service: Service) -> None:
        with service.running("--graceful-timeout", "2") as process:
            process.request("/slow?seconds=999")
            process.wait_for_log("slow request began")
            began = time.monotonic()
            assert process.stop() == 0
            assert 2 <= time.monotonic() - began < 20

    def test_sigint_stops_it_at_once(self, service: Service) -> None:
        with service.running() as process:
            assert process.get("/") == 200
            began = time.monotonic()
            assert process.stop(signal.SIGINT) == 0
            assert time.monotonic() - began < 10

    @pytest.mark.parametrize("module", ["gunicorn", "pythonjsonlogger", "APP", "test_app"])
    def test_sigterm_during_the_imports_ends_the_start_with_0(
        self, service: Service, module: str, tmp_path: Path
    ) -> None:
        (tmp_path / "sitecustomize.py").write_text(STOP_DURING_IMPORT)
        name = service.app.partition(":")[0] if module == "APP" else module
        process = service.start(app="test_app:app", PYTHONPATH=str(tmp_path), STOP_AT=name)
        assert process.popen.wait(TIMEOUT) == 0, process.all_output
        assert "Booting worker" not in process.all_output

    @pytest.mark.parametrize("delay", [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5])
    def test_sigterm_soon_after_the_start_is_never_lost(self, service: Service, delay: float) -> None:
        process = service.start()
        wait_until("it handles SIGTERM", process.handles_sigterm, every=0.005)
        time.sleep(delay)
        began = time.monotonic()
        assert process.stop() == 0, process.all_output
        assert time.monotonic() - began < 10, "it did not wait for the end of the grace period"

    def test_a_killed_worker_is_replaced(self, service: Service) -> None:
        with service.running() as process:
            [worker] = process.workers()
            os.kill(worker, signal.SIGKILL)
            wait_until("there is a new worker", lambda: len(process.workers()) == 2)
            assert process.get("/healthz") == 200

    @pytest.mark.parametrize("level", ["info", "debug"])
    def test_every_log_line_is_one_json_object(self, service: Service, level: str) -> None:
        with service.running(LOG_LEVEL=level) as process:
            assert process.get("/?token=in-the-query") == 200
            assert process.get("/broken?token=in-the-query") == 500
            assert process.get("/warns") == 200
            assert process.stop() == 0
        assert process.errors.read_text() == ""
        assert all(record.keys() >= {"timestamp", "level", "logger", "message"} for record in process.records)
        [access] = [record for record in process.records if record.get("path") == "/"]
        assert (access["level"], access["method"], access["status"]) == ("INFO", "GET", 200)
        assert access["client"] == "127.0.0.1"
        [failure] = [record for record in process.records if "exception" in record]
        assert failure["level"] == "ERROR"
        assert failure["exception"].startswith("Traceback")
        assert failure["exception"].endswith("RuntimeError: out of luck")
        assert "beware" in next(record["message"] for record in process.records if record["logger"] == "py.warnings")

    def test_log_level_warning_hides_successful_requests(self, service: Service) -> None:
        process = service.start(app="test_app:app", LOG_LEVEL="warning")
        try:
            wait_until("it answers", lambda: self.answers(process))
            assert process.get("/broken") == 500
            assert process.stop() == 0
            assert {record["level"] for record in process.records} <= {"WARNING", "ERROR"}
        finally:
            process.kill()

    @staticmethod
    def answers(process: Process) -> bool:
        with contextlib.suppress(OSError):
            return process.get("/") == 200
        return False

    @pytest.mark.parametrize("level", ["info", "debug"])
    def test_no_log_line_holds_a_query_or_a_malformed_header(self, service: Service, level: str) -> None:
        with service.running(LOG_LEVEL=level) as process:
            assert process.get("/broken?token=open-sesame") == 500
            assert process.get("/broken-later?token=open-sesame") == 500
            assert process.get("/nothing-here?token=open-sesame") == 404
            assert process.send(b"GET /?token=open-sesame HTTP/1.1 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")
            assert process.send(b"GET / HTTP/1.1\r\nAuthorization Bearer open-sesame\r\n\r\n").startswith(
                b"HTTP/1.1 400"
            )
            assert process.stop() == 0
        assert "Error handling request GET /broken-later" in process.all_output
        assert "Invalid request from ip=127.0.0.1" in process.all_output
        assert "open-sesame" not in process.all_output

    def test_an_app_that_fails_before_its_response_is_logged_with_status_500(self, service: Service) -> None:
        with service.running(app="test_app:bare") as process:
            assert process.get("/") == 500
            assert process.stop() == 0
        assert 500 in [record.get("status") for record in process.records]
        assert "RuntimeError: out of luck" in process.all_output
        assert "TypeError" not in process.all_output

    def test_successful_health_checks_are_not_logged(self, service: Service) -> None:
        with service.running() as process:
            assert process.get("/healthz") == 200
            assert process.get("/readyz?verbose") == 200
            assert process.get("/nothing-here") == 404
            assert process.stop() == 0
        assert [record["path"] for record in process.records if "path" in record] == ["/nothing-here"]

    def test_a_bad_setting_ends_the_start_and_is_named_in_the_last_line(
        self, service: Service, subtests: pytest.Subtests
    ) -> None:
        for variable, value in self.BAD_SETTINGS:
            with subtests.test(variable=variable, value=value):
                process = service.start(**{variable: value})
                assert process.popen.wait(TIMEOUT) not in (0, None)
                last = (process.lines + process.errors.read_text().splitlines())[-1]
                assert variable in (json.loads(last)["message"] if last.startswith("{") else last)
                assert "open-sesame" not in process.all_output

    def test_an_import_error_in_the_app_ends_the_start(self, service: Service, tmp_path: Path) -> None:
        broken = service.copy(tmp_path / "broken")
        self.break_import(broken)
        process = broken.start()
        assert process.popen.wait(TIMEOUT) not in (0, None)
        assert process.errors.read_text() == ""
        assert "No module named 'not_there'" in process.records[-1]["message"]
        assert process.records[-1]["exception"].startswith("Traceback")

    def break_import(self, service: Service) -> None:
        raise NotImplementedError

    def test_a_saturated_service_is_healthy_and_a_frozen_one_is_not(self, service: Service, tmp_path: Path) -> None:
        with service.running(THREADS="1", HEARTBEAT_FILE=str(tmp_path / "heartbeat")) as process:
            wait_until("there is a heartbeat", (tmp_path / "heartbeat").exists)
            requests = [process.request("/slow?seconds=5") for _ in range(3)]
            process.wait_for_log("slow request began")
            time.sleep(4)
            assert process.check_health(max_age=3) == 0
            [worker] = process.workers()
            os.kill(worker, signal.SIGSTOP)
            time.sleep(4)
            assert process.check_health(max_age=3) == 1
            os.kill(worker, signal.SIGCONT)
            assert [request.getresponse().status for request in requests] == [200, 200, 200]

    def test_web_concurrency_is_the_number_of_workers(self, service: Service) -> None:
        with service.running(WEB_CONCURRENCY="2") as process:
            wait_until("there are two workers", lambda: len(process.workers()) == 2)
            assert process.stop() == 0

    def test_it_listens_on_ipv6_too(self, service: Service) -> None:
        with service.running(HOST="::") as process:
            assert process.get("/healthz", host="::1") == 200
            assert process.get("/healthz", host="127.0.0.1") == 200
