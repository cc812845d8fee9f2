"""The load generator sees every kind of loss: its zero counts only then."""

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from testing.docker import free_port
from testing.load import Load, Request


class Handler(http.server.BaseHTTPRequestHandler):
    """Answer as the path says."""

    def do_GET(self) -> None:
        match self.path:
            case "/error":
                self.answer(503)
            case "/cut":
                self.answer(200, length=100)
            case "/dropped":
                self.close_connection = True
            case "/late":
                time.sleep(0.5)
            case "/pause":
                time.sleep(0.3)
                self.answer(200)
            case _:
                self.answer(200)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(201 if body == b"an order" else 400)

    def answer(self, status: int, length: int = 2) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_every_answer_is_counted_by_its_method(server: str):
    with Load(server, [Request(), Request("POST", "/orders", b"an order", 201)], pause=0) as load:
        load.wait_for(100)
    assert load.failed == 0, load
    assert load.total == load.answered.total() >= 100
    assert load.answered["GET"] >= 40 and load.answered["POST"] >= 40
    assert load.longest_gap < 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/error", "status 503"),
        ("/cut", "IncompleteRead"),
        ("/dropped", "RemoteDisconnected"),
        ("/late", "TimeoutError"),
    ],
)
def test_a_failure_is_counted_with_its_reason(server: str, path: str, reason: str):
    with Load(server, [Request(), Request(path=path)], clients=2, timeout=0.2) as load:
        load.wait_for(6)
    assert load.failed >= 2 and load.answered["GET"] >= 2, load
    assert all(failure.startswith(f"GET {path}: {reason}") for failure in load.failures), load


def test_a_refused_connection_is_a_failure():
    with Load(f"http://127.0.0.1:{free_port()}") as load:
        load.wait_for(8)
    assert load.answered.total() == 0 and load.failed >= 8
    assert "ConnectionRefusedError" in str(load)


def test_the_longest_gap_is_that_without_an_answer(server: str):
    with Load(server, [Request(), Request(), Request(path="/pause")], clients=1) as load:
        load.wait_for(5)
    assert 0.3 <= load.longest_gap < 0.6, load
