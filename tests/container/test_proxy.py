"""The generated configuration of HAProxy before two replicas that the test controls."""

import http.client
import http.server
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing import ROOT
from testing.docker import docker, free_port
from testing.process import run
from testing.template import generate
from testing.waiting import wait_until


class Replica(http.server.ThreadingHTTPServer):
    """Counts what it is asked; drops the connections of requests for /drop."""

    def __init__(self, name: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.name = name
        self.ready = True
        self.requests: Counter[str] = Counter()
        self.connections = 0
        self.headers: dict[str, str] = {}
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Replica

    def do_GET(self) -> None:
        if self.path == "/readyz":
            return self.answer(200 if self.server.ready else 503)
        if not self.server.requests[f"connection {self.client_address}"]:
            self.server.connections += 1
        self.server.requests[f"connection {self.client_address}"] += 1
        self.server.requests[f"{self.command} {self.path}"] += 1
        self.server.headers = dict(self.headers)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/drop" or self.path == f"/drop/{self.server.name}":
            self.close_connection = True
            return None
        return self.answer(200)

    do_POST = do_GET

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Proxy:
    """HAProxy with the generated configuration, before two replicas on this machine."""

    def __init__(self, configuration: Path, check_interval: str = "200ms") -> None:
        self.port = free_port()
        self.replicas = [Replica("one"), Replica("two")]
        text = configuration.read_text().replace("check inter 1s", f"check inter {check_interval}")
        text = text.replace("bind :8080", f"bind 127.0.0.1:{self.port}")
        servers = "\n    ".join(f"server {replica.name} 127.0.0.1:{replica.server_port}" for replica in self.replicas)
        text, changed = re.subn("server-template .*", servers, text)
        assert changed == 1
        # The commands of roll.sh: the proxies of these tests share the ports of this machine.
        text = re.sub("stats socket .*", "", text)
        configuration.write_text(text)
        configuration.chmod(0o644)
        mounted = f"{configuration}:/usr/local/etc/haproxy/haproxy.cfg:ro"
        self.container = docker("run", "--detach", "--network=host", f"--volume={mounted}", "haproxy:3.0-trixie")

    def remove(self) -> None:
        docker("rm", "--force", self.container)
        for replica in self.replicas:
            replica.stop()

    def ask(self, method: str = "GET", path: str = "/") -> int:
        """Return the status of a request on a connection of its own, or 0 if there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, b"body" if method == "POST" else None)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def logs(self) -> str:
        logged = run("docker", "logs", self.container)
        return logged.stdout + logged.stderr

    def count(self, request: str) -> list[int]:
        return [replica.requests[request] for replica in self.replicas]

    def wait_for_both(self) -> None:
        """Wait until both replicas get requests."""

        def both() -> bool:
            before = self.count("GET /both")
            self.ask(path="/both")
            self.ask(path="/both")
            return all(now > then for now, then in zip(self.count("GET /both"), before, strict=True))

        wait_until("both replicas get requests", both, self.logs)


@pytest.fixture(scope="module")
def configuration(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run(ROOT / "engine" / "build-haproxy")
    return generate(tmp_path_factory.mktemp("proxy") / "service", targets=["proxy"]) / "docker" / "haproxy.cfg"


@pytest.fixture(scope="module")
def running(configuration: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    proxy = Proxy(Path(shutil.copy(configuration, tmp_path_factory.mktemp("running"))))
    yield proxy
    proxy.remove()


@pytest.fixture
def proxy(running: Proxy) -> Proxy:
    """The proxy with two replicas that are ready."""
    for replica in running.replicas:
        replica.ready = True
    running.wait_for_both()
    return running


def test_a_request_that_changes_nothing_is_repeated_at_the_other_replica(proxy: Proxy):
    assert [proxy.ask(path="/drop/one") for _ in range(6)] == [200] * 6
    first, second = proxy.count("GET /drop/one")
    assert first > 0 and second == 6


def test_a_request_that_may_have_changed_something_is_not_repeated(proxy: Proxy):
    assert [proxy.ask("POST", "/drop") for _ in range(6)] == [502] * 6
    assert sum(proxy.count("POST /drop")) == 6


def test_a_connection_that_is_refused_goes_to_the_other_replica_whatever_the_request(proxy: Proxy):
    stopped = proxy.replicas[0]
    stopped.stop()
    try:
        assert [proxy.ask("POST", "/refused") for _ in range(20)] == [200] * 20
    finally:
        proxy.replicas[0] = Replica("one", stopped.server_port)


def test_one_refused_connection_takes_a_replica_out_before_the_next_check(configuration: Path, tmp_path: Path):
    proxy = Proxy(Path(shutil.copy(configuration, tmp_path)), check_interval="1h")
    try:
        proxy.wait_for_both()
        proxy.replicas[0].stop()
        assert [proxy.ask() for _ in range(4)] == [200] * 4
        assert "Server replicas/one is DOWN" in proxy.logs()
    finally:
        proxy.remove()


def test_a_replica_that_is_alive_but_not_ready_gets_no_requests(proxy: Proxy):
    proxy.replicas[0].ready = False
    time.sleep(0.8)  # some checks
    assert [proxy.ask(path="/unready") for _ in range(10)] == [200] * 10
    assert proxy.count("GET /unready") == [0, 10]


def test_each_request_has_a_connection_of_its_own_to_a_replica(proxy: Proxy):
    """An open one could break when the replica stops."""
    before = sum(replica.connections for replica in proxy.replicas)
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    for _ in range(10):
        client.request("GET", "/kept")
        assert client.getresponse().read() == b""
    client.close()
    assert sum(replica.connections for replica in proxy.replicas) - before == 10


def test_the_service_learns_who_the_client_is(proxy: Proxy):
    assert proxy.ask() == 200
    assert "127.0.0.1" in [replica.headers.get("x-forwarded-for") for replica in proxy.replicas]


def test_without_a_ready_replica_the_client_learns_it_at_once(proxy: Proxy):
    for replica in proxy.replicas:
        replica.ready = False
    time.sleep(0.8)
    began = time.monotonic()
    assert proxy.ask() == 503
    assert time.monotonic() - began < 1
