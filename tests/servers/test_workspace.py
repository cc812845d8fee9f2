"""`make venv`, `make check` and a quick local pytest of each starter, as a developer runs them."""

from pathlib import Path

import pytest

from testing.answers import STARTERS
from testing.process import run
from testing.template import generate
from testing.uv import uv_environment


@pytest.mark.parametrize("framework", ["fastapi", *STARTERS])
def test_a_fresh_starter_passes_its_own_checks_and_tests(tmp_path: Path, framework: str):
    project = generate(tmp_path / "service", framework=framework, service_name="hello-service")
    run("make", "check", cwd=project, env=uv_environment())
    tested = run(".venv/bin/pytest", "--cov", cwd=project).stdout
    assert " passed" in tested and "src/hello_service" in tested, tested
