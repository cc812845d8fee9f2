"""The running service, beside what testing/checklist checks of it."""

import json
from pathlib import Path

import pytest

from testing.docker import docker, get, inspect
from testing.process import run
from testing.service import Service
from testing.template import generate


def test_the_limits_are_those_of_the_answers(production: Service):
    host, answers = inspect(production.container)["HostConfig"], production.answers
    assert host["Memory"] == int(answers["memory_limit"].removesuffix("m")) * 1024 * 1024
    assert host["NanoCpus"] == float(answers["cpu_limit"]) * 10**9
    assert host["PidsLimit"] == int(answers["pids_limit"])


def test_told_to_stop_it_exits_with_0(production: Service):
    docker("stop", production.container)
    assert (production.state["ExitCode"], production.state["OOMKilled"]) == (0, False)
    production.compose("up", "--detach", "--wait")


@pytest.mark.xdist_group("production")
def test_the_token_comes_as_a_file_and_stays_out_of_the_environment(default: Service, tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("a-canary-of-a-token\n")
    token.chmod(0o444)
    with default.second_stack(**{f"{default.prefix}_API_TOKEN_FILE": str(token)}) as service, service.production():
        read = "import pathlib; print(b''.join(p.read_bytes() for p in pathlib.Path('/proc').glob('[0-9]*/environ')))"
        environments = service.python(read).stdout
        assert "LOG_LEVEL" in environments and "canary" not in environments
        assert "canary" not in json.dumps(inspect(service.container))
        assert "canary" in service.python("print(open('/run/secrets/api_token').read())").stdout
        url = service.url("/private")
        assert get(url, {"Authorization": "Bearer a-canary-of-a-token"})[0] == 200
        assert get(url, {"Authorization": "Bearer another"})[0] == 401
        assert "canary" not in service.compose("logs").stdout


@pytest.mark.xdist_group("production")
def test_two_services_are_included_in_one_stack(default: Service, tmp_path: Path):
    other = generate(tmp_path / "other", service_name="other-service")
    stack = tmp_path / "compose.yml"
    stack.write_text(
        "".join(["include:\n"] + [f"  - {folder}/docker-compose.prod.yml\n" for folder in (default.project, other)])
    )
    image = f"other-service:{default.env['VERSION']}"
    docker("tag", default.image, image)
    env = default.env | {
        "COMPOSE_PROJECT_NAME": f"stack-{default.run_id}",
        "OTHER_SERVICE_IMAGE": image,
        "OTHER_SERVICE_PORT": "0",
        f"{default.prefix}_PORT": "0",
    }
    command = ("docker", "compose", "--file", stack)
    try:
        run(*command, "up", "--detach", "--wait", env=env)
        status = run(*command, "ps", "--format", "{{.Service}} {{.Health}}", env=env).stdout
        assert sorted(status.split("\n")[:2]) == ["hello-service healthy", "other-service healthy"]
    finally:
        run(*command, "down", "--timeout", "1", env=env, check=False)
        docker("image", "rm", image, check=False)
