"""Fixtures that every kind of test shares."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCKER_UP = ROOT / "tests" / "engine" / "docker-up"


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker Engine that answers, started where there is none; the environment points to it.

    Without one the test is skipped with the reason, or fails where REQUIRE_ENGINE is set.
    """
    result = subprocess.run([DOCKER_UP], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        reason = f"no Docker Engine: {result.stderr.strip().splitlines()[-1]}"
        if os.environ.get("REQUIRE_ENGINE"):
            pytest.fail(reason)
        pytest.skip(reason)
    for line in result.stdout.splitlines():
        for assignment in shlex.split(line.removeprefix("export ")):
            name, _, value = assignment.partition("=")
            os.environ[name] = value.replace("$PATH", os.environ["PATH"])
