"""`make demo`: what a newcomer runs first."""

import socket
import sys

import pytest

from testing import ROOT, demo
from testing.docker import docker, free_port, get
from testing.process import run

pytestmark = pytest.mark.xdist_group("production")


def test_the_demo_builds_a_service_and_starts_it(engine: None):
    port = free_port()
    try:
        said = run(sys.executable, "-m", "testing.demo", cwd=ROOT, env={"HELLO_SERVICE_PORT": str(port)}).stdout
        assert "healthy after" in said and f"image {demo.IMAGE}: " in said, said
        assert get(f"http://127.0.0.1:{port}/healthz")[0] == 200
    finally:
        docker("compose", "--project-name", demo.PROJECT, "down", "--timeout", "1", check=False)
        docker("image", "rm", "--force", demo.IMAGE, check=False)


def test_a_port_that_is_taken_is_one_sentence(engine: None):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = run(sys.executable, "-m", "testing.demo", cwd=ROOT, env={"HELLO_SERVICE_PORT": port}, check=False)
    assert refused.returncode and port in refused.stderr.strip().splitlines()[-1], refused.stderr
