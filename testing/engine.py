"""Reach a Docker Engine."""

import os
import shlex
import subprocess

from testing import ROOT


class EngineError(Exception):
    """No Docker Engine can be reached, nor started."""


def ensure_engine() -> bool:
    """Start a Docker Engine if none answers, and set the environment so that it is used.

    Return whether the environment was changed: a shell needs the same change to reach the
    engine. Raise EngineError, with the reason, if there is no engine.
    """
    command = [ROOT / "engine" / "docker-up"]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise EngineError(result.stderr.strip().splitlines()[-1])
    for line in result.stdout.splitlines():
        for assignment in shlex.split(line.removeprefix("export ")):
            name, _, value = assignment.partition("=")
            os.environ[name] = value.replace("$PATH", os.environ["PATH"])
    return bool(result.stdout)
