"""The health check, run as the image runs it, against servers and files of all kinds."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "includes" / "healthcheck.py"
OK = b"HTTP/1.1 204 No Content\r\n\r\n"

Serve = Callable[..., tuple[str, list[bytes]]]


def probe(**environment: str) -> tuple[int, str]:
    """Run the health check in this environment alone; return its exit status and its output."""
    result = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT], env=environment, capture_output=True, text=True, timeout=20
    )
    assert result.stderr == ""
    return result.returncode, result.stdout


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that sends `pieces`, one every `pause` seconds; return its port and what it received."""
    servers: list[socket.socket] = []
    finished = threading.Event()

    def start(*pieces: bytes, address: str = "127.0.0.1", pause: float = 0) -> tuple[str, list[bytes]]:
        server = socket.create_server(
            (address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET, dualstack_ipv6=False
        )
        servers.append(server)
        requests: list[bytes] = []

        def answer() -> None:
            try:
                connection, _ = server.accept()
                with connection:
                    requests.append(connection.recv(4096))
                    for piece in pieces:
                        connection.sendall(piece)
                        if finished.wait(pause):
                            return
            except OSError:
                return  # the probe, or the test, has ended

        threading.Thread(target=answer, daemon=True).start()
        return str(server.getsockname()[1]), requests

    yield start
    finished.set()
    for server in servers:
        server.close()


def test_a_2xx_answer_is_healthy(serve: Serve):
    port, requests = serve(OK)
    assert probe(PORT=port, HEALTH_PATH="/healthz") == (0, "")
    assert requests[0].startswith(b"GET /healthz HTTP/1.1\r\n")
    assert f"\r\nHost: localhost:{port}\r\n".encode() in requests[0]


@pytest.mark.parametrize("status_line", ["HTTP/1.1 503 Service Unavailable", "HTTP/1.1 301 Moved", "SSH-2.0-x 200"])
def test_any_other_answer_is_named(serve: Serve, status_line: str):
    port, _ = serve(f"{status_line}\r\n\r\n".encode())
    assert probe(PORT=port) == (1, f"GET / on port {port}: {status_line}\n")


def test_a_connection_that_closes_without_an_answer_is_named(serve: Serve):
    port, _ = serve()
    assert probe(PORT=port) == (1, f"GET / on port {port}: no answer\n")


def test_a_status_line_in_pieces_is_read_whole(serve: Serve):
    port, _ = serve(b"HTTP/1.1 2", b"00 OK\r", b"\n", pause=0.1)
    assert probe(PORT=port) == (0, "")


def test_the_timeout_is_for_the_whole_probe(serve: Serve):
    port, _ = serve(*[b"x"] * 100, pause=0.5)
    start = time.monotonic()
    assert probe(PORT=port) == (1, f"GET / on port {port}: timed out\n")
    assert 2.4 < time.monotonic() - start < 4


def test_a_service_that_accepts_no_connection_is_named():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        # Fill the queue of connections that nobody accepts; the kernel ignores further ones.
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", port))
        start = time.monotonic()
        assert probe(PORT=str(port)) == (1, f"GET / on port {port}: timed out\n")
        assert 2.4 < time.monotonic() - start < 4
        for connection in waiting:
            connection.close()


def test_a_refused_connection_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    status, reason = probe(PORT=str(port))
    assert status == 1 and reason.startswith(f"GET / on port {port}: ") and "refused" in reason


@pytest.mark.parametrize("host", ["::", "[::]", "::1"])
def test_a_service_on_ipv6_alone_is_reached(serve: Serve, host: str):
    port, _ = serve(OK, address="::1")
    assert probe(PORT=port, HOST=host) == (0, "")


def test_a_service_on_one_address_is_reached(serve: Serve):
    port, _ = serve(OK, address="127.0.0.2")
    assert probe(PORT=port, HOST="127.0.0.2") == (0, "")


@pytest.mark.parametrize("host", ["", "0.0.0.0", "shop.example.com"])
def test_any_other_host_is_reached_at_the_loopback_address(serve: Serve, host: str):
    port, _ = serve(OK)
    assert probe(PORT=port, HOST=host) == (0, "")


def test_the_host_header_can_be_set(serve: Serve):
    port, requests = serve(OK)
    assert probe(PORT=port, HEALTH_HOST="shop.example.com") == (0, "")
    assert b"\r\nHost: shop.example.com\r\n" in requests[0]


def test_the_request_can_say_that_it_came_through_https(serve: Serve):
    port, requests = serve(OK)
    assert probe(PORT=port, HEALTH_HOST="shop.example.com", HEALTH_HTTPS="true") == (0, "")
    head = b"Host: shop.example.com\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
    assert requests[0] == b"GET / HTTP/1.1\r\n" + head


@pytest.mark.parametrize("answer", ["", "false"])
def test_the_request_says_nothing_about_https_otherwise(serve: Serve, answer: str):
    port, requests = serve(OK)
    assert probe(PORT=port, HEALTH_HTTPS=answer) == (0, "")
    assert b"X-Forwarded-Proto" not in requests[0]


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "8000.5"])
def test_a_port_that_is_none_is_refused_in_one_sentence(port: str):
    assert probe(PORT=port) == (1, f"PORT is {port!r}: set it to a whole number from 1 to 65535\n")


def test_a_fresh_heartbeat_is_healthy(tmp_path: Path):
    file = tmp_path / "heartbeat"
    file.touch()
    # The heartbeat decides, even where the base image's PORT is set.
    assert probe(HEARTBEAT_FILE=str(file), HEARTBEAT_MAX_AGE="", PORT="1") == (0, "")


def test_an_old_heartbeat_is_named(tmp_path: Path):
    file = tmp_path / "heartbeat"
    file.touch()
    os.utime(file, times=(0, time.time() - 100))
    status, reason = probe(HEARTBEAT_FILE=str(file))
    assert status == 1
    assert reason == f"heartbeat {file}: last seen 100 s ago, at most 60 s are allowed\n"
    assert probe(HEARTBEAT_FILE=str(file), HEARTBEAT_MAX_AGE="120.5") == (0, "")


def test_a_missing_heartbeat_is_named(tmp_path: Path):
    status, reason = probe(HEARTBEAT_FILE=str(tmp_path / "none"))
    assert status == 1 and reason.startswith(f"heartbeat {tmp_path}/none: ") and reason.count("\n") == 1


def test_a_heartbeat_in_the_future_is_a_failure(tmp_path: Path):
    file = tmp_path / "heartbeat"
    file.touch()
    os.utime(file, times=(0, time.time() + 3600))
    status, reason = probe(HEARTBEAT_FILE=str(file))
    assert status == 1 and f"heartbeat {file}: 3600 s in the future" in reason.replace("3599", "3600")
    os.utime(file, times=(0, time.time() + 2))
    assert probe(HEARTBEAT_FILE=str(file)) == (0, "")


@pytest.mark.parametrize("max_age", ["nan", "inf", "-inf", "1e999", "-5", "0", "soon"])
def test_a_maximum_age_that_is_none_is_refused_in_one_sentence(tmp_path: Path, max_age: str):
    file = tmp_path / "heartbeat"
    file.touch()
    status, reason = probe(HEARTBEAT_FILE=str(file), HEARTBEAT_MAX_AGE=max_age)
    assert status == 1
    assert reason == f"HEARTBEAT_MAX_AGE is {max_age!r}: set it to a number above 0\n"


def test_without_a_port_and_a_heartbeat_nothing_is_checked():
    assert probe() == (0, "")
    assert probe(PORT="", HEARTBEAT_FILE="") == (0, "")
