"""The projects in examples/ are what the template generates, and the linters find nothing in the stack."""

import json
import os
import re
from pathlib import Path

import pytest

from testing.examples import EXAMPLES, generated, render
from testing.git import git
from testing.process import TOOLS, run
from testing.template import ANSWERS_FILE, files

pytestmark = pytest.mark.xdist_group("render")

STACK = EXAMPLES / "stack"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what `make examples` would write."""
    return render(tmp_path_factory.mktemp("examples"))


def content(folder: Path) -> dict[str, tuple[bool, bytes]]:
    """Return for each file below `folder` whether it is executable, and what it contains."""
    return {path: (os.access(folder / path, os.X_OK), text) for path, text in files(folder).items()}


def committed() -> dict[str, tuple[bool, bytes]]:
    """Return the same of the files that `make examples` writes in this checkout, without those that git ignores."""
    listed = git(EXAMPLES, "ls-files", "-z", "--cached", "--others", "--exclude-standard", *generated(EXAMPLES))
    paths = [path for path in listed.strip("\0").split("\0") if (EXAMPLES / path).exists()]
    return {path: (os.access(EXAMPLES / path, os.X_OK), (EXAMPLES / path).read_bytes()) for path in paths}


def test_make_examples_would_change_nothing(rendered: Path):
    new, old = content(rendered), committed()
    assert sorted(new.keys() ^ old.keys()) == [], "run `make examples`"
    assert [path for path in new if new[path] != old[path]] == [], "run `make examples`"


def test_every_generated_folder_is_written_by_make_examples():
    folders = {file.parent for file in EXAMPLES.rglob(ANSWERS_FILE)}
    assert folders == {folder for folder in generated(EXAMPLES) if (folder / ANSWERS_FILE).exists()}


def test_every_example_has_a_short_readme_which_names_only_files_that_exist():
    listed = re.findall(r"^\| \[(.+)\]\((.+)\) ", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert {name for name, _ in listed} == {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    for name, link in listed:
        readme = EXAMPLES / link
        assert readme == EXAMPLES / name / "README.md"
        text = readme.read_text()
        # The stack's README is its manual, too.
        assert name == "stack" or len(text.splitlines()) <= 20, name
        heading, *rows = re.findall(r"^\| (.+?) \|", text, re.MULTILINE)
        root = readme.parent / "".join(re.findall(r"File in `(.+)`", heading))
        for row in rows:
            for path in re.findall(r"`([^` ]+)`", row):
                if "/" in path or "." in path:
                    assert list(root.glob(path)), f"{name}: {path}"


def test_the_adopted_service_keeps_what_its_owner_wrote():
    before, after = (EXAMPLES / "adopted" / name for name in ("before", "after"))
    owned, now = files(before), files(after)
    assert {path for path in owned if now.get(path) != owned[path]} == {"Dockerfile", "docker-compose.yml"}
    assert "replaced: Dockerfile, docker-compose.yml" in (EXAMPLES / "adopted" / "adopt.txt").read_text()


def test_the_stack_of_the_monorepo_runs_every_service(engine: None):
    folder = EXAMPLES / "monorepo"
    services = run("docker", "compose", "config", "--services", cwd=folder).stdout.split()
    assert set(services) == {path.name for path in (folder / "services").iterdir()}


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
