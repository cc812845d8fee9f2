"""The larger stack of examples/: up, confined, without a way out, rolled, lost and restored, stopped."""

import contextlib
import http.client
import ipaddress
import json
import re
import shutil
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from testing import ROOT
from testing.docker import docker, free_port, inspect
from testing.examples import EXAMPLES
from testing.load import Load, Request
from testing.process import run
from testing.service import Service
from testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("stack")

APP = ("orders", "orders-worker", "orders-beat")
SERVERS = ("database", "redis")
PROXY = "orders-proxy"
SECRETS = ("database-password", "redis-password", "secret-key")
# It has a shell and root, and sees the processes and the network of another container.
TOOLBOX = "python:3.13-slim-trixie"

# What the kernel says of the processes of a container, its root and its routes.
FACTS = """
import json, os, pathlib
pids = [p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]
def read(pid, name): return pathlib.Path("/proc", pid, name).read_text()
print(json.dumps({
    "status": [dict(line.split(":\\t", 1) for line in read(p, "status").splitlines() if ":\\t" in line) for p in pids],
    "words": [read(p, "environ") + read(p, "cmdline") for p in pids],
    "root": [m.split()[3].split(",") for m in read("1", "mounts").splitlines() if m.split()[1] == "/"],
    "routes": [line.split()[:2] for line in read("1", "net/route").splitlines()[1:]],
}))
"""
DEFAULT_ROUTE = "00000000"

# PostgreSQL answers this request for TLS with one letter. A TCP connection alone would prove
# nothing: a gateway may answer in the name of any address.
ASK_DATABASE = """
import socket
try:
    with socket.create_connection(("{address}", 5432), 3) as database:
        database.sendall(bytes.fromhex("0000000804d2162f"))
        print(database.recv(1).decode())
except OSError as error:
    print(type(error).__name__)
"""
ASK_HOST = """
import socket
try:
    with socket.create_connection(("{address}", {port}), 3) as host:
        print(host.recv(8).decode())
except OSError as error:
    print(type(error).__name__)
"""


class Stack:
    """A copy of examples/stack, with secrets and a certificate, and its compose project."""

    def __init__(self, folder: Path) -> None:
        ignored = shutil.ignore_patterns("__pycache__", "secrets", "backups")
        self.folder = shutil.copytree(EXAMPLES / "stack", folder, ignore=ignored)
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost")
        chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
        (folder / "fullchain.pem").write_bytes(chain)
        certificate.private_key_pem.write_to_path(folder / "privkey.pem")
        authority.cert_pem.write_to_path(folder / "ca.pem")
        self.context = ssl.create_default_context(cafile=folder / "ca.pem")
        self.tls_port = free_port()
        environment = {"ORDERS_TLS_PORT": str(self.tls_port)}
        self.service = Service(folder / "orders", compose_files=("../compose.yml",), env=environment)

    def make(self, *arguments: str) -> str:
        return run("make", *arguments, cwd=self.folder, env=self.service.env).stdout

    def follow_readme(self, first_line: str) -> None:
        """Run the commands of the README that begin with this line."""
        readme = (self.folder / "README.md").read_text()
        block = re.search(rf"^    {re.escape(first_line)}(.*\n    .*)*", readme, re.MULTILINE)
        assert block
        run("sh", "-euc", block[0], cwd=self.folder)

    def containers(self, service: str) -> list[str]:
        return self.service.compose("ps", "--all", "--quiet", service).stdout.split()

    def container(self, service: str) -> str:
        return self.containers(service)[0]

    def addresses(self, service: str) -> dict[str, str]:
        """Return the address of a service on each of its networks."""
        networks = inspect(self.container(service))["NetworkSettings"]["Networks"]
        return {name.rpartition("_")[2]: network["IPAddress"] for name, network in networks.items()}

    def network(self, name: str) -> dict[str, Any]:
        return inspect(f"{self.service.env['COMPOSE_PROJECT_NAME']}_{name}")

    def ask(self, article: str = "") -> dict[str, Any]:
        """Order an article, or return the orders."""
        connection = http.client.HTTPSConnection("localhost", self.tls_port, context=self.context, timeout=30)
        body = json.dumps({"article": article}) if article else None
        with contextlib.closing(connection):
            connection.request("POST" if article else "GET", "/orders/", body)
            answer = connection.getresponse()
            text = answer.read().decode()
        assert answer.status == (201 if article else 200), f"{answer.status} {text[:2000]}"
        return json.loads(text)


def toolbox(code: str, *options: str) -> str:
    """Run Python code in a container with these options; return its output."""
    return docker("run", "--rm", *options, TOOLBOX, "python", "-c", code)


@pytest.fixture(scope="module")
def stack(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    for image in ("haproxy", "postgres", "redis"):
        run(ROOT / "engine" / f"build-{image}")
    stack = Stack(tmp_path_factory.mktemp("examples") / "stack")
    stack.follow_readme("umask 022 && mkdir -m 700 secrets")
    with stack.service as service:
        service.bake("image")
        try:
            stack.make("up")
            yield stack
        finally:
            service.compose("down", "--volumes", "--timeout", "1", check=False)


@pytest.fixture(scope="module")
def facts(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return what the kernel says of each service's container."""
    found = {}
    for service in (*APP, *SERVERS, PROXY):
        container = stack.container(service)
        options = ("--privileged", f"--pid=container:{container}", f"--network=container:{container}")
        found[service] = json.loads(toolbox(FACTS, *options))
    return found


def test_an_order_comes_through_tls_to_the_database_and_the_worker_sends_it(stack: Stack):
    order = stack.ask("tea")["id"]

    def sent() -> bool:
        return {"id": order, "article": "tea", "is_sent": True} in stack.ask()["orders"]

    wait_until("the worker has sent the order", sent, stack.service.logs)
    ticks = stack.ask()["ticks"]
    wait_until("beat runs its schedule", lambda: stack.ask()["ticks"] > ticks, stack.service.logs)


@pytest.mark.parametrize("service", [*APP, *SERVERS, PROXY])
def test_every_container_is_confined(facts: dict[str, dict[str, Any]], service: str):
    assert facts[service]["status"]
    for process in facts[service]["status"]:
        assert "0" not in process["Uid"].split() + process["Gid"].split()
        assert int(process["CapBnd"], 16) == int(process["CapEff"], 16) == 0
        assert (process["NoNewPrivs"], process["Seccomp"]) == ("1", "2")
    assert ["ro" in options for options in facts[service]["root"]] == [True]


def test_only_what_takes_requests_has_a_way_to_the_outside(facts: dict[str, dict[str, Any]]):
    ways = {service: DEFAULT_ROUTE in [route[1] for route in facts[service]["routes"]] for service in facts}
    assert ways == {service: service in ("orders", PROXY) for service in facts}
    assert all(facts[service]["routes"] for service in facts)


def test_the_proxy_alone_publishes_ports(stack: Stack):
    for service in (*APP, *SERVERS):
        ports = inspect(stack.container(service))["NetworkSettings"]["Ports"]
        assert not any(ports.values()), service
    assert len(inspect(stack.container(PROXY))["NetworkSettings"]["Ports"]) == 2


def test_the_database_answers_on_the_backend_alone(stack: Stack):
    code = ASK_DATABASE.format(address=stack.addresses("database")["backend"])
    project = stack.service.env["COMPOSE_PROJECT_NAME"]
    assert toolbox(code, f"--network={project}_backend") in ("S", "N")
    assert toolbox(code, f"--network={project}_frontend") not in ("S", "N")
    assert toolbox(code, "--network=host") not in ("S", "N")
    # The host has an address on the frontend, and none on the backend.
    routes = toolbox("print(open('/proc/net/route').read())", "--network=host")
    bridges = {name: f"br-{stack.network(name)['Id'][:12]}" in routes for name in ("frontend", "backend")}
    assert bridges == {"frontend": True, "backend": False}


def test_what_the_host_serves_is_out_of_reach_of_the_backend(stack: Stack):
    class Greet(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"the host")

    def gateway(network: str) -> str:
        return str(next(ipaddress.ip_network(stack.network(network)["IPAM"]["Config"][0]["Subnet"]).hosts()))

    def reaches(service: str, network: str) -> bool:
        code = ASK_HOST.format(address=gateway(network), port=server.server_address[1])
        return docker("exec", stack.container(service), "python", "-c", code) == "the host"

    with socketserver.ThreadingTCPServer(("0.0.0.0", 0), Greet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            assert reaches("orders", "frontend")
            assert not reaches("orders", "backend")
            assert not reaches("orders-worker", "frontend") and not reaches("orders-worker", "backend")
        finally:
            server.shutdown()


def test_the_secrets_are_in_files_alone(stack: Stack, facts: dict[str, dict[str, Any]]):
    secrets = [(stack.folder / "secrets" / name).read_text().strip() for name in SECRETS]
    shown = {service: "".join(facts[service]["words"]) for service in facts}
    assert "POSTGRES_PASSWORD_FILE=" in shown["database"] and "redis-server" in shown["redis"]
    for service in facts:
        shown[service] += json.dumps(inspect(stack.container(service)))
    shown["logs"] = stack.service.logs()
    assert all(len(secret) == 64 for secret in secrets)
    assert [service for service, text in shown.items() if any(secret in text for secret in secrets)] == []


def test_a_roll_within_the_stack_loses_no_request_and_no_job(stack: Stack):
    newer = f"orders:newer-{stack.service.run_id}"
    (stack.folder / "Dockerfile").write_text(f"FROM {stack.service.image}\nLABEL newer=yes\n")
    docker("build", "--quiet", "--tag", newer, stack.folder)
    stack.service.built.append(newer)
    stack.service.env["ORDERS_IMAGE"] = newer
    requests = (Request("GET", "/orders/"), Request("POST", "/orders/", b'{"article": "coffee"}', 201))
    url = f"https://localhost:{stack.tls_port}"
    before = {service: set(stack.containers(service)) for service in APP}
    with Load(url, requests, context=stack.context) as clients:
        stack.make("roll")
        clients.wait_for(1)
    print(clients)
    assert clients.failed == 0 and clients.total > 100, str(clients)
    for service in APP:
        after = stack.containers(service)
        assert len(after) == len(before[service]) and not set(after) & before[service]
        assert {inspect(container)["Config"]["Image"] for container in after} == {newer}
    wait_until("the worker has sent all orders", lambda: stack.ask()["waiting"] == 0, stack.service.logs)


def test_a_backup_brings_back_what_was_lost_with_the_volume(stack: Stack):
    order = stack.ask("a samovar")["id"]
    file = stack.make("backup").strip()
    stack.ask("after the backup")
    stack.service.compose("rm", "--stop", "--force", "database")
    docker("volume", "rm", f"{stack.service.env['COMPOSE_PROJECT_NAME']}_database")
    stack.make("restore", f"FILE={file}")
    orders = {entry["id"]: entry["article"] for entry in stack.ask()["orders"]}
    assert orders[order] == "a samovar" and "after the backup" not in orders.values()
    # The restored database takes orders.
    assert stack.ask("tea")["id"] == order + 1


def test_a_stop_lets_everything_end_by_itself_the_worker_before_its_broker(stack: Stack):
    stack.service.compose("stop")
    states = {
        service: [inspect(container)["State"] for container in stack.containers(service)]
        for service in (*APP, *SERVERS, PROXY)
    }
    codes = {service: {state["ExitCode"] for state in found} for service, found in states.items()}
    assert codes == {service: {0} for service in states}
    ended = {service: max(state["FinishedAt"] for state in found) for service, found in states.items()}
    assert all(ended[client] < ended[server] for client in APP for server in SERVERS), ended
    stack.make("down")
    left = docker("volume", "ls", "--quiet", "--filter", f"name={stack.service.env['COMPOSE_PROJECT_NAME']}_")
    assert len(left.split()) == 2
