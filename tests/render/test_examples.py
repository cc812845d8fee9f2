"""The services in examples/ are what the template generates, and the linters find nothing in the stack."""

import json
import os
from pathlib import Path

import pytest

from testing.examples import EXAMPLES, TABLE, render
from testing.process import TOOLS, run

pytestmark = pytest.mark.xdist_group("render")

STACK = EXAMPLES / "stack"


def content(folder: Path) -> dict[str, tuple[bool, str]]:
    """Return for each file whether it is executable, and its text."""
    return {
        path.relative_to(folder).as_posix(): (os.access(path, os.X_OK), path.read_text())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("name", TABLE)
def test_make_examples_would_change_nothing(tmp_path: Path, name: str):
    rendered, committed = content(render(name, tmp_path / "rendered")), content(EXAMPLES / name)
    assert rendered.keys() == committed.keys(), "run `make examples`"
    assert [path for path in rendered if rendered[path] != committed[path]] == [], "run `make examples`"


def test_no_secret_and_no_backup_is_committed():
    private = ["secrets/database-password", "backups/a.dump", "privkey.pem"]
    assert run("git", "check-ignore", *private, cwd=STACK).stdout.split() == private


def test_the_linters_of_compose_files():
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *STACK.glob("*.yml"))
    # It reads the included files, too.
    report = json.loads(run(TOOLS / "compose-lint", "--format", "json", STACK / "compose.yml", check=False).stdout)
    found = {f["rule_id"] for f in report["findings"] if not f["suppressed"]}
    # Images without a digest: that of orders is in .env, and the example leaves those of the servers to the reader.
    assert found == {"CL-0019"} and report["errors"] == []
    run(TOOLS / "compose-harden", "scan", "--min-score", "100", "--skip", "tmpfs", STACK / "compose.yml")
    # It takes the path of a file with a secret for the secret, and each volume for one that is only read.
    ignored = ("--ignore", "SEC005", "--ignore", "VOL001")
    audited = run(TOOLS / "compose-auditor", "lint", *ignored, STACK / "compose.yml", check=False)
    assert "No issues found" in audited.stdout, audited.stdout
