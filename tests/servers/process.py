"""Run a generated service as its image does, without an engine."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from testing import ROOT
from testing.process import run
from testing.template import generate

TIMEOUT = 60  # seconds; generous, because the machine may be busy
# Other variables of this machine do not reach the service.
INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR")
# Start the service, and send SIGTERM to it when it imports the module that STOP_AT names.
STOP_DURING_IMPORT = """
import os, runpy, signal, sys

class Stop:
    def find_spec(self, name, *_):
        if name == os.environ["STOP_AT"]:
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Stop())
script = sys.argv.pop(1)
sys.path[0] = os.path.dirname(script)
runpy.run_path(script, run_name="__main__")
"""


def wait_until(what: str, predicate: Callable[[], Any]) -> Any:
    """Return the first true result of the predicate; fail after the timeout."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if result := predicate():
            return result
        time.sleep(0.02)
    return pytest.fail(f"waited {TIMEOUT} s until {what}")


def free_port() -> int:
    """Return a port that no process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Service:
    """A generated service and a virtual environment with its locked requirements."""

    def __init__(self, folder: Path, framework: str) -> None:
        self.folder = generate(folder / "service", framework=framework, service_name="hello-service")
        self.package = self.folder / "src" / "hello_service"
        self.python = folder / "venv" / "bin" / "python"
        uv = Path(sys.executable).with_name("uv")
        environment = {"UV_SYSTEM_CERTS": "1"}
        run(uv, "venv", "--quiet", folder / "venv", env=environment)
        lock = ROOT / "locks" / f"{framework}.txt"
        install = (uv, "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes", "--python", self.python)
        run(*install, "-r", lock, env=environment)

    @property
    def image(self) -> dict[str, str]:
        """The variables that the image sets, with the paths of this checkout."""
        text = (self.folder / "Dockerfile").read_text().replace("\\\n", "")
        runtime = text.partition(" AS service\n")[2]
        variables = dict(re.findall(r"(\w+)=(\S+)", " ".join(re.findall("^ENV (.*)", runtime, re.MULTILINE))))
        docker = str(self.folder / "docker")
        return {
            name: value.replace("/opt/server", docker)
            for name, value in variables.items()
            if name.startswith(("HEALTH_", "HEARTBEAT_", "UVICORN_"))
        }

    def copy(self, folder: Path) -> "Service":
        """Return a copy whose files a test may edit."""
        copy = object.__new__(Service)
        copy.folder = shutil.copytree(self.folder, folder / "service")
        copy.package = copy.folder / "src" / "hello_service"
        copy.python = self.python
        return copy


class Process:
    """A process that runs docker/start.py in src/, as the image does."""

    def __init__(self, service: Service, folder: Path, *options: str, **variables: str) -> None:
        self.output = folder / f"output-{time.monotonic_ns()}"
        self.port = int(variables["PORT"]) if variables.get("PORT", "").isdecimal() else 0
        self.variables = variables
        self.healthcheck = service.folder / "docker" / "healthcheck.py"
        self.connections: list[HTTPConnection] = []
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with self.output.open("wb") as output, self.errors_file.open("wb") as errors:
            self.popen = subprocess.Popen(
                [service.python, *options, service.folder / "docker" / "start.py"],
                cwd=service.folder / "src",
                env=inherited | {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"} | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )

    @property
    def errors_file(self) -> Path:
        return self.output.with_suffix(".err")

    @property
    def all_output(self) -> str:
        return self.output.read_text() + self.errors_file.read_text()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def wait_for_log(self, text: str) -> None:
        def is_logged() -> bool:
            if text in self.output.read_text():
                return True
            assert self.popen.poll() is None, f"ended without logging {text!r}: {self.all_output}"
            return False

        wait_until(f"it logs {text!r}", is_logged)

    def request(self, path: str, host: str = "127.0.0.1", **headers: str) -> HTTPConnection:
        """Send a request; its response is for the caller to read."""
        connection = HTTPConnection(host, self.port, timeout=TIMEOUT)
        self.connections.append(connection)
        connection.request("GET", path, headers=headers)
        return connection

    def get(self, path: str, host: str = "127.0.0.1", **headers: str) -> int:
        return self.request(path, host, **headers).getresponse().status

    def check_health(self) -> int:
        """Return the exit status of the image's health check."""
        command = [sys.executable, "-I", "-S", self.healthcheck]
        return subprocess.run(command, env=self.variables, stdout=subprocess.DEVNULL).returncode

    def wait(self) -> int:
        return self.popen.wait(timeout=TIMEOUT)

    def stop(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        for connection in self.connections:
            connection.close()
        self.popen.kill()
        self.popen.wait()
