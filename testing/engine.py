"""Reach a Docker Engine, and Podman."""

import os
import shlex
import subprocess

from testing import ROOT


class EngineError(Exception):
    """No engine can be reached, nor started."""


def run_script(name: str) -> bool:
    """Run a script of engine/ and set the variables that it exports; return whether there are any.

    Raise EngineError, with the reason, if the script fails.
    """
    command = [ROOT / "engine" / name]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise EngineError(result.stderr.strip().splitlines()[-1])
    for line in result.stdout.splitlines():
        for assignment in shlex.split(line.removeprefix("export ")):
            variable, _, value = assignment.partition("=")
            os.environ[variable] = value.replace("$PATH", os.environ["PATH"])
    return bool(result.stdout)


def ensure_engine() -> bool:
    """Start a Docker Engine if none answers, and set the environment so that it is used.

    Return whether the environment was changed: a shell needs the same change to reach the
    engine. Raise EngineError, with the reason, if there is no engine.
    """
    return run_script("docker-up")


def ensure_podman() -> None:
    """Fetch Podman, and set the environment so that it is used; raise EngineError if that is impossible."""
    run_script("podman-up")


def ensure_release_tools() -> None:
    """Fetch cosign unless it is installed, and set PATH; raise EngineError if that is impossible."""
    run_script("release-tools")
