"""docker-compose.yml: the same image, with the checkout's source and live reload."""

import os
import subprocess
from pathlib import Path

import pytest

from testing.docker import get, inspect
from testing.service import Service
from testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("production")


def test_a_changed_source_file_is_live_without_a_build(default: Service, tmp_path: Path):
    with default.second_stack(compose_files=["docker-compose.yml", tmp_path / "ports.yml"]) as service:
        # The development file publishes a fixed port, which may be taken here.
        (tmp_path / "ports.yml").write_text(
            f"services:\n  {service.name}:\n    ports: !override\n      - 127.0.0.1:{service.port}:8000\n"
        )
        files = [str(word) for file in service.compose_files for word in ("--file", file)]
        with (tmp_path / "log").open("w") as log:
            watch = subprocess.Popen(
                ["docker", "compose", *files, "up", "--build", "--watch"],
                cwd=service.project,
                env=os.environ | service.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        source = service.project / "src" / service.package / "main.py"
        text = source.read_text()
        try:
            log_text = (tmp_path / "log").read_text
            answers = lambda: get(service.url("/"))[0] == 200 or watch.poll() is not None  # noqa: E731
            wait_until("the service answers", answers, log_text, seconds=120)
            assert watch.poll() is None, log_text()
            assert inspect(service.container)["HostConfig"]["ReadonlyRootfs"]
            wait_until("compose watches the source", lambda: "Watch enabled" in log_text(), log_text)
            source.write_text(text.replace('@app.get("/")', '@app.get("/new")'))
            wait_until("the change is live", lambda: get(service.url("/new"))[0] == 200, log_text)
        finally:
            source.write_text(text)
            watch.terminate()
            watch.wait()
