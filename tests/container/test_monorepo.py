"""Two services in one repository, and a stack at its root that includes them."""

from pathlib import Path

import pytest

from testing.process import run
from testing.service import Service
from testing.template import generate

pytestmark = pytest.mark.xdist_group("starters")


def test_two_services_and_a_root_stack_are_healthy_together(engine: None, tmp_path: Path):
    answers = {"api": {"framework": "flask"}, "worker": {"framework": "worker"}}
    projects = {
        name: generate(tmp_path / "services" / name, service_name=f"our-{name}", **own) for name, own in answers.items()
    }
    included = "".join(f"  - services/{name}/docker-compose.prod.yml\n" for name in projects)
    (tmp_path / "compose.yml").write_text(f"name: our-stack-{tmp_path.name}\ninclude:\n{included}")
    with Service(projects["api"]) as api, Service(projects["worker"], run_id=api.run_id) as worker:
        for service in (api, worker):
            service.build()
        env = {"OUR_API_IMAGE": api.image, "OUR_API_PORT": str(api.port), "OUR_WORKER_IMAGE": worker.image}
        try:
            run("docker", "compose", "up", "--detach", "--wait", cwd=tmp_path, env=env)
            said = run("docker", "compose", "ps", "--format", "{{.Service}} {{.Health}}", cwd=tmp_path, env=env).stdout
            assert sorted(said.split("\n")[:2]) == ["our-api healthy", "our-worker healthy"]
        finally:
            run("docker", "compose", "down", "--timeout", "1", cwd=tmp_path, env=env, check=False)
