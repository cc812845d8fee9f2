"""A clone of the template in which every release has its tag, and the working tree is the newest one."""

import shutil
import subprocess
from pathlib import Path

import pytest
from releases import CURRENT, git, released
from support import ROOT


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-tags", ROOT, folder], check=True)
    for version in released():
        commit = git(folder, "log", "--format=%H", f"--grep=^Release {version}$")
        git(folder, "tag", version, commit)
    # What lies here, uncommitted changes included, is what users will update to.
    here = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").strip("\0").split("\0")
    for path in git(folder, "ls-files", "-z").strip("\0").split("\0"):
        (folder / path).unlink()
    for path in here:
        if (ROOT / path).exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--no-verify", "--message=The working tree")
    git(folder, "tag", CURRENT)
    return folder
