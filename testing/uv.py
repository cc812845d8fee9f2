"""Run uv with the index and the certificates that pip and this machine use."""

import functools
import os
import subprocess
from pathlib import Path

from testing.process import TOOLS, run


@functools.cache
def uv_environment() -> dict[str, str]:
    """Return the environment variables for uv."""
    variables = {"UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS", "1")}
    configured = run(TOOLS / "pip", "config", "get", "global.index-url", check=False).stdout.strip()
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or configured
    return variables | ({"UV_DEFAULT_INDEX": index} if index else {})


def uv(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run uv; raise AssertionError with its output if it fails."""
    return run(TOOLS / "uv", *arguments, cwd=cwd, env=uv_environment())
