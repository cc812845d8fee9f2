"""Run commands."""

import os
import subprocess
import sys
from pathlib import Path

# The folder of the commands that requirements/dev.txt installs.
TOOLS = Path(sys.executable).parent


def run(
    *command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command, with `env` added to the environment, and capture its output.

    Raise AssertionError with the output if the command fails and `check` is set.
    """
    result = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        # Paths in the output may have any encoding.
        errors="surrogateescape",
        stdin=subprocess.DEVNULL,
    )
    if check and result.returncode:
        output = f"{result.stdout}\n{result.stderr}"[-8000:]
        raise AssertionError(f"exit status {result.returncode}: {' '.join(map(str, command))}\n{output}")
    return result
