"""The stack file on a Docker Swarm of three nodes: what is enforced, updates, rollbacks, a lost node."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from testing import ROOT
from testing.answers import EXISTING, STARTERS
from testing.checklist.facts import KERNEL_FACTS
from testing.docker import get
from testing.engine import EngineError
from testing.load import Load
from testing.process import run
from testing.rolls import EXITS, NEWER, ORDERS, UNHEALTHY, take_orders, variants
from testing.service import Service
from testing.swarm import Swarm, behind_haproxy
from testing.template import generate
from testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("swarm")

# The service whose updates are watched: the FastAPI starter, with a path that takes orders.
NAME = "swarm-service"
SERVICE = f"app_{NAME}"


class Images(NamedTuple):
    """The images of the service: two versions, one that exits, and one whose health check fails."""

    first: str
    second: str
    exits: str
    unhealthy: str


@pytest.fixture(scope="module")
def swarm(engine: None) -> Iterator[Swarm]:
    run(ROOT / "engine" / "build-haproxy")
    try:
        with Swarm(3) as swarm:
            swarm.load("haproxy:3.0-trixie")
            yield swarm
    except EngineError as error:
        (pytest.fail if os.environ.get("REQUIRE_ENGINE") else pytest.skip)(str(error))


@pytest.fixture(scope="module")
def fastapi(engine: None, folder: Path) -> Iterator[Service]:
    """Build the service, with a path that takes orders."""
    with Service(generate(folder / "swarm-fastapi", service_name=NAME, targets=["swarm"])) as service:
        take_orders(service)
        service.build()
        yield service


@pytest.fixture(scope="module")
def images(fastapi: Service) -> Iterator[Images]:
    with variants(fastapi.image, second=NEWER, exits=EXITS, unhealthy=UNHEALTHY) as tags:
        yield Images(fastapi.image, **tags)


class Stack(NamedTuple):
    """The deployed FastAPI service."""

    swarm: Swarm
    files: list[Path]
    url: str

    def deploy(self, image: str) -> None:
        self.swarm.deploy("app", self.files, {"SWARM_SERVICE_IMAGE": image, "SWARM_SERVICE_PORT": "0"})


@pytest.fixture(scope="module")
def stack(swarm: Swarm, fastapi: Service, images: Images) -> Stack:
    swarm.load(*images)
    swarm.create_secret(f"{NAME}-api-token")
    stack = Stack(swarm, behind_haproxy(fastapi), f"http://{swarm.address()}:8080")
    stack.deploy(images.first)
    return stack


@pytest.fixture
def serving(stack: Stack) -> Stack:
    """The stack with two healthy tasks, reached through the proxy."""
    stack.swarm.wait_for_tasks(SERVICE, 2)
    wait_until("the proxy reaches the service", lambda: get(stack.url)[0] == 200)
    return stack


def version(stack: Stack) -> str:
    return json.loads(get(stack.url)[1])["version"]


def test_the_kernel_enforces_what_the_stack_file_says(serving: Stack):
    facts = json.loads(serving.swarm.python(SERVICE, KERNEL_FACTS))
    assert len(facts["processes"]) >= 2 and "init" in facts["processes"]["1"]["Name"]
    for process in facts["processes"].values():
        assert process["Uid"].split() == ["10001"] * 4
        assert process["Gid"].split() == ["10001"] * 4
        assert int(process["CapBnd"], 16) == int(process["CapEff"], 16) == 0
        assert process["Seccomp"] == "2"
        # By the option of the nodes' engine that README-swarm.md names.
        assert process["NoNewPrivs"] == "1"
    assert "ro" in facts["mounts"]["/"]["options"]
    tmp = facts["mounts"]["/tmp"]
    assert {"rw", "noexec", "nosuid", "nodev"} <= set(tmp["options"]) and "size=16384k" in tmp["file_system"]
    limits = {"Max core file size": "0", "Max open files": "16384", "Max processes": "16384"}
    assert {name: facts["limits"][name] for name in limits} == {name: [limit] * 2 for name, limit in limits.items()}
    groups = facts["control_groups"]
    assert (groups["memory"], groups["pids"], groups["cpus"]) == (256 * 1024 * 1024, 128, 1.0)


def test_only_the_user_reads_the_secret_and_unset_variables_stay_unset(serving: Stack):
    code = (
        "import os, json; s = os.stat('/run/secrets/api_token')\n"
        "print(json.dumps([s.st_mode & 0o777, s.st_uid, open('/run/secrets/api_token').read(),"
        " 'FORWARDED_ALLOW_IPS' in os.environ, os.environ['LOG_LEVEL']]))"
    )
    assert json.loads(serving.swarm.python(SERVICE, code)) == [0o400, 10001, "a secret", False, "info"]


def test_the_backend_network_is_internal(serving: Stack):
    networks = {
        name: serving.swarm.docker("network", "inspect", "--format", "{{.Driver}} {{.Internal}}", f"app_{name}")
        for name in ("frontend", "backend")
    }
    assert networks == {"frontend": "overlay false", "backend": "overlay true"}


def test_a_rolling_update_loses_no_request(serving: Stack, images: Images):
    with Load(serving.url, ORDERS) as load:
        load.wait_for(200)
        serving.deploy(images.second)
        load.wait_for(max(200, 2000 - load.total))
    print(load)
    assert serving.swarm.update_state(SERVICE) == "completed"
    assert version(serving) == "2.0.0"
    assert load.total >= 2000 and load.failed == 0, load


@pytest.mark.parametrize("kind", ["exits", "unhealthy"])
def test_a_bad_image_is_rolled_back_and_loses_no_request(serving: Stack, images: Images, kind: str):
    before = version(serving)
    with Load(serving.url, ORDERS) as load:
        load.wait_for(200)
        serving.deploy(getattr(images, kind))
        load.wait_for(200)
    print(load)
    assert serving.swarm.update_state(SERVICE) == "rollback_completed"
    serving.swarm.wait_for_tasks(SERVICE, 2)
    assert version(serving) == before
    assert load.failed == 0, load


def test_the_load_sees_what_stopping_the_only_task_first_loses(serving: Stack, images: Images):
    """The negative control of the updates above."""
    update = ("service", "update", "--no-resolve-image")
    serving.swarm.docker(*update, "--detach", "--replicas", "1", "--update-order", "stop-first", SERVICE)
    serving.swarm.wait_for_tasks(SERVICE, 1)
    with Load(serving.url, ORDERS) as load:
        load.wait_for(200)
        serving.swarm.docker(*update, "--image", images.first, SERVICE)
        load.wait_for(200)
    print(load)
    serving.swarm.docker(*update, "--detach", "--replicas", "2", "--update-order", "start-first", SERVICE)
    assert load.failed > 0 and load.longest_gap > 0.3, load


@pytest.mark.parametrize("framework", STARTERS)
def test_the_other_starters_are_deployed_and_healthy(swarm: Swarm, folder: Path, tmp_path: Path, framework: str):
    name = f"swarm-{framework}"
    with Service(generate(folder / name, service_name=name, framework=framework, targets=["swarm"])) as service:
        service.build()
        swarm.load(service.image)
        files = [service.project / "deploy" / "docker-stack.yml"]
        if framework != "worker":
            secret = (service.answers["framework"] == "django" and "secret-key") or "api-token"
            swarm.create_secret(f"{name}-{secret}")
            override = tmp_path / "override.yml"
            override.write_text(
                f"services: {{{name}: {{deploy: {{endpoint_mode: dnsrr}},"
                " ports: [{mode: host, published: 0, target: 8000}]}}\n"
            )
            files.append(override)
        if framework == "django":
            swarm.create_secret(f"{name}-database-password")
        prefix = name.replace("-", "_").upper()
        swarm.deploy(name, files, {f"{prefix}_IMAGE": service.image, f"{prefix}_PORT": "0"}, detach=True)
        swarm.wait_for_tasks(f"{name}_{name}", 1 if framework == "worker" else 2)
        if framework == "django":
            shown = ("service", "ps", "--format", "{{.CurrentState}} {{.Error}}", f"{name}_{name}-migrate")
            wait_until("the migration succeeds", lambda: swarm.docker(*shown).startswith("Complete"))
        swarm.docker("stack", "rm", name)


def test_swarm_takes_the_stack_of_a_service_with_processes_a_release_and_volumes(swarm: Swarm, folder: Path):
    """Its image does not exist, so this says nothing about its tasks."""
    project = generate(folder / "swarm-existing", **EXISTING["swarm-existing"])
    (project / ".env").write_text("GREETING='hello'\n")
    swarm.deploy("orders", [project / "deploy" / "docker-stack.yml"], {}, detach=True)
    services = swarm.docker("stack", "services", "--format", "{{.Name}} {{.Mode}}", "orders").splitlines()
    names = ("", "-beat", "-flower", "-mails", "-release", "-stream", "-worker")
    modes = {name: "replicated job" if name == "-release" else "replicated" for name in names}
    assert sorted(services) == sorted(f"orders_orders{name} {mode}" for name, mode in modes.items())
    inspected = json.loads(swarm.docker("service", "inspect", "orders_orders-worker"))[0]["Spec"]["TaskTemplate"]
    assert inspected["Placement"]["Constraints"] == ["node.labels.orders-data == true"]
    # As README-swarm.md says, the quotes are part of the value.
    assert "GREETING='hello'" in inspected["ContainerSpec"]["Env"]
    swarm.docker("stack", "rm", "orders")


def test_a_lost_node_is_replaced_and_few_requests_fail(serving: Stack):
    """Last: the tests above use all nodes."""
    swarm = serving.swarm
    lost = max(node for node, _ in swarm.tasks(SERVICE))
    assert lost != 1, "a task runs on a worker node"
    with Load(serving.url, ORDERS, timeout=5) as load:
        load.wait_for(200)
        swarm.kill(lost)
        wait_until(
            "its task runs elsewhere", lambda: lost not in {node for node, _ in swarm.tasks(SERVICE)}, seconds=90
        )
        swarm.wait_for_tasks(SERVICE, 2)
        load.wait_for(200)
    print(load)
    assert load.failed <= 40 and load.longest_gap < 6, load
