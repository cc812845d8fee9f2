"""The base image's Makefile, which Jinja leaves valid for make even before it is rendered."""

import shutil
import subprocess
from pathlib import Path

MAKEFILE = Path(__file__).parents[2] / "base-image" / "Makefile.jinja"


def test_help_needs_nothing_but_awk(tmp_path: Path):
    for program in ("sh", "make", "awk"):
        found = shutil.which(program)
        assert found, program
        (tmp_path / program).symlink_to(found)
    result = subprocess.run(
        ["make", "--file", MAKEFILE, "help"], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "build       Build every image for this machine\n" in result.stdout
    assert {line.split()[0] for line in result.stdout.splitlines()} >= {"build", "test", "push", "release"}
