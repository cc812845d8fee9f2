"""docker-compose.yml: the same image, with the checkout's source and live reload."""

import os
import subprocess
from pathlib import Path

import pytest
from service import Service, eventually, get, inspect

pytestmark = pytest.mark.xdist_group("production")


def test_a_changed_source_file_is_live_without_a_build(default: Service, tmp_path: Path):
    with default.apart() as service:
        service.compose_files = ["docker-compose.yml", tmp_path / "ports.yml"]
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
        source = service.project / "src" / service.package / "api.py"
        text = source.read_text()
        try:
            eventually(lambda: get(service.url("/"))[0] == 200 or watch.poll(), seconds=120)
            assert watch.poll() is None, (tmp_path / "log").read_text()
            assert inspect(service.container)["HostConfig"]["ReadonlyRootfs"]
            eventually(lambda: "Watch enabled" in (tmp_path / "log").read_text())
            source.write_text(text.replace('@router.get("/")', '@router.get("/new")'))
            eventually(lambda: get(service.url("/new"))[0] == 200)
        finally:
            source.write_text(text)
            watch.terminate()
            watch.wait()
