"""The stack file for a Docker Swarm says the same as the production compose file."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from testing.answers import SWARM

pytestmark = pytest.mark.xdist_group("render")

# Swarm refuses these keys, or ignores them.
UNKNOWN = {"cpus", "mem_limit", "memswap_limit", "pids_limit", "profiles", "restart", "scale"}
UNKNOWN |= {"depends_on", "develop", "security_opt", "tmpfs"}
# What both kinds of file write alike.
ALIKE = ("image", "command", "init", "user", "read_only", "cap_drop", "ulimits", "healthcheck", "logging")
ALIKE += ("stop_signal", "stop_grace_period", "environment", "networks")


@pytest.fixture(params=SWARM)
def files(request: pytest.FixtureRequest, outputs: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the content of a stack file, and of the compose file beside it."""
    project = outputs / request.param
    names = ("deploy/docker-stack.yml", "docker-compose.prod.yml")
    stack, compose = (yaml.safe_load((project / name).read_text()) for name in names)
    assert stack["services"].keys() == compose["services"].keys()
    return stack, compose


@pytest.fixture
def pairs(files: tuple[dict[str, Any], dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    stack, compose = files
    return [(stack["services"][name], service) for name, service in compose["services"].items()]


def test_swarm_knows_every_key(pairs: list[tuple[dict[str, Any], dict[str, Any]]]):
    for task, _ in pairs:
        assert not UNKNOWN & task.keys()


def test_what_both_files_write_alike_is_equal(pairs: list[tuple[dict[str, Any], dict[str, Any]]]):
    for task, service in pairs:
        assert {key: task.get(key) for key in ALIKE} == {key: service.get(key) for key in ALIKE}


def test_the_limits_are_equal_and_the_memory_is_reserved(pairs: list[tuple[dict[str, Any], dict[str, Any]]]):
    for task, service in pairs:
        resources = task["deploy"]["resources"]
        limits = {"cpus": str(service["cpus"]), "memory": service["mem_limit"], "pids": service["pids_limit"]}
        assert resources == {"limits": limits, "reservations": {"memory": service["mem_limit"]}}


def test_the_writable_places_are_equal(pairs: list[tuple[dict[str, Any], dict[str, Any]]]):
    for task, service in pairs:
        assert service["tmpfs"] == ["/tmp:size=16m,mode=1777,noexec,nosuid,nodev"]
        tmpfs = {"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": 16 * 1024 * 1024}}
        assert task["volumes"] == [tmpfs, *service.get("volumes", [])]


def test_the_ports_are_equal(pairs: list[tuple[dict[str, Any], dict[str, Any]]]):
    for task, service in pairs:
        inside = [(port["published"], port["target"]) for port in service.get("ports", [])]
        assert [(port["published"], port["target"]) for port in task.get("ports", [])] == inside
        # In the mode `host`, a new task could not start beside the old one of its node.
        assert all(port["mode"] == "ingress" for port in task.get("ports", []))


def test_the_secrets_are_equal_and_only_the_user_reads_them(
    files: tuple[dict[str, Any], dict[str, Any]], pairs: list[tuple[dict[str, Any], dict[str, Any]]]
):
    stack, compose = files
    assert stack.get("secrets", {}).keys() == compose.get("secrets", {}).keys()
    assert all(secret["external"] for secret in stack.get("secrets", {}).values())
    for task, service in pairs:
        restricted = [secret | {"uid": "10001", "mode": 0o400} for secret in service.get("secrets", [])]
        assert task.get("secrets", []) == restricted


def test_networks_and_volumes_are_equal(files: tuple[dict[str, Any], dict[str, Any]]):
    stack, compose = files
    for key in ("networks", "volumes"):
        assert stack.get(key) == compose.get(key)


def test_an_update_that_fails_is_rolled_back(pairs: list[tuple[dict[str, Any], dict[str, Any]]]):
    for task, service in pairs:
        deploy = task["deploy"]
        if deploy.get("mode") == "replicated-job":
            assert deploy["restart_policy"]["condition"] == "none"
            assert service["restart"] == "no"
            continue
        # After so many attempts, Swarm would never start the task again.
        assert "max_attempts" not in deploy["restart_policy"] and "condition" not in deploy["restart_policy"]
        health = task["healthcheck"]
        update = deploy["update_config"]
        assert (update["parallelism"], update["failure_action"]) == (1, "rollback")
        assert int(update["monitor"][:-1]) > health["retries"] * int(health["interval"][:-1])
        # A service that takes requests never has fewer tasks, and any other one never has more.
        takes_requests = bool(task.get("ports") or (task.get("environment") or {}).get("PORT"))
        order = "start-first" if takes_requests else "stop-first"
        assert update["order"] == deploy["rollback_config"]["order"] == order
        assert deploy["replicas"] == (2 if task.get("ports") else service.get("scale", 1))


def test_a_task_with_a_volume_stays_on_the_node_of_the_volume(pairs: list[tuple[dict[str, Any], dict[str, Any]]]):
    for task, _ in pairs:
        named = [volume for volume in task["volumes"] if isinstance(volume, str)]
        constraints = task["deploy"].get("placement", {}).get("constraints", [])
        assert bool(named) == any(constraint.startswith("node.labels.") for constraint in constraints)
