"""Git, as these tests need it."""

import os
import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> None:
    user = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.com"]
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", "-C", folder, *user, *arguments], check=True, capture_output=True, env=environment)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a change")
