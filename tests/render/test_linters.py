"""Run each linter and validator once over every output; expect no finding."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest
import yaml

from testing import ROOT
from testing.answers import BASE_IMAGES, KUBERNETES, LAYOUTS, MATRIX, PIPELINES, SERVICES, SWARM
from testing.git import commit
from testing.pipeline import GITLAB, WORKFLOWS
from testing.process import TOOLS, run
from testing.template import read_answers

pytestmark = pytest.mark.xdist_group("render")

# The stack file of the services that can be deployed to a Swarm.
STACK = "deploy/docker-stack.yml"
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"
RENOVATE = ROOT / ".renovate" / "node_modules" / ".bin" / "renovate-config-validator"


def require(tool: Path) -> Path:
    """Return `tool`; fail if `make test ARGS=...` has not installed it."""
    assert tool.exists(), f"{tool.name} is not installed: run `make tools`"
    return tool


def each(outputs: Path, pattern: str, of: Collection[str] = MATRIX) -> list[Path]:
    """The files of that name in the outputs `of` these entries, at least one for each."""
    found = [file for name in of for file in sorted((outputs / name).glob(pattern))]
    assert len(found) >= len(of), f"{pattern}: {len(found)} files"
    return found


def test_hadolint(outputs: Path):
    # It reads its configuration in the folder in which it runs.
    for dockerfile in each(outputs, "Dockerfile"):
        run(TOOLS / "hadolint", "Dockerfile", cwd=dockerfile.parent)


def test_hadolint_still_checks_what_is_not_suppressed(outputs: Path, tmp_path: Path):
    text = (outputs / "defaults" / "Dockerfile").read_text()
    (tmp_path / "Dockerfile").write_text(text.replace("WORKDIR /app", "WORKDIR app"))
    (tmp_path / ".hadolint.yaml").write_bytes((outputs / "defaults" / ".hadolint.yaml").read_bytes())
    result = run(TOOLS / "hadolint", "Dockerfile", cwd=tmp_path, check=False)
    assert result.returncode and "DL3000" in result.stdout


def test_docker_build_check(engine: None, outputs: Path):
    # A check runs nothing of the base image, so one that exists can replace those that cannot be pulled.
    stand_in = "docker-image://python:3.13-slim-trixie"
    for dockerfile in each(outputs, "Dockerfile"):
        bases = re.findall(r"^FROM ([^$\s]+:\S+)", dockerfile.read_text(), re.MULTILINE)
        contexts = [f"--build-context={base}={stand_in}" for base in bases]
        run("docker", "build", "--check", *contexts, dockerfile.parent)


def trivy(folder: Path) -> list[dict]:
    """Return Trivy's results for a folder, in which it finds .trivyignore, too."""
    command = (TOOLS / "trivy", "config", "--skip-check-update", "--quiet", "--format", "json", ".")
    return json.loads(run(*command, cwd=folder, check=False).stdout)["Results"]


def test_trivy(outputs: Path):
    report = trivy(outputs)
    assert len([entry for entry in report if entry["Type"] == "dockerfile"]) == len(MATRIX)
    found = {entry["Target"]: entry["Misconfigurations"] for entry in report if "Misconfigurations" in entry}
    # A base image and manifests have their suppressions beside them.
    suppressed = {target for target in found if target.split("/")[0] in KUBERNETES and "/kubernetes/" in target}
    assert found.keys() - suppressed <= {f"{name}/Dockerfile" for name in BASE_IMAGES}
    for name in BASE_IMAGES | KUBERNETES:
        entries = trivy(outputs / name)
        assert not any("Misconfigurations" in entry for entry in entries), name
        assert any(entry["Type"] == "kubernetes" for entry in entries) == (name in KUBERNETES)


def test_checkov(outputs: Path, tmp_path: Path):
    command = (require(CHECKOV), "--compact", "--quiet", "--skip-download", "--output", "json")
    # Checkov reads .checkov.yaml from the folder that it checks, so outputs with the same file share a folder.
    folders: dict[str, Path] = {}
    for name in LAYOUTS | BASE_IMAGES:
        configuration = outputs / name / ".checkov.yaml"
        text = configuration.read_text() if configuration.exists() else ""
        folder = folders.setdefault(
            text, tmp_path / f"{'kubernetes' if name in KUBERNETES else 'other'}-{len(folders)}"
        )
        shutil.copytree(outputs / name, folder / name)
        # Checkov refuses an empty file.
        if text:
            (folder / ".checkov.yaml").write_text(text)
    # With kubectl it checks the overlays, too.
    path = {"PATH": f"{TOOLS}:{os.environ['PATH']}"}
    pipelines: set[str] = set()
    for folder in folders.values():
        report = json.loads(run(*command, "--directory", folder, env=path, check=False).stdout)
        reports = report if isinstance(report, list) else [report]
        kinds = {entry["check_type"] for entry in reports}
        expected = {"dockerfile", "kubernetes", "kustomize"} if "kubernetes" in folder.name else {"dockerfile"}
        assert kinds >= expected
        pipelines |= kinds & {"github_actions", "gitlab_ci"}
        for entry in reports:
            assert entry["summary"]["passed"] > 0
            assert entry["results"]["failed_checks"] == [], folder.name
    assert pipelines == {"github_actions", "gitlab_ci"}


def test_compose_lint(outputs: Path):
    # A folder at a time: it reads the suppressions beside the first file alone.
    for folder in (outputs / name for name in LAYOUTS):
        result = run(
            TOOLS / "compose-lint", "--format", "json", *sorted(folder.glob("docker-compose*.yml")), check=False
        )
        report = json.loads(result.stdout)
        assert [f for f in report["findings"] if not f["suppressed"]] == [], folder.name
        assert report["errors"] == report["warnings"] == [], folder.name


def test_compose_harden(outputs: Path):
    # It takes a bare /tmp for the only writable one, and ours has a size.
    for file in each(outputs, "docker-compose*.yml", LAYOUTS):
        run(TOOLS / "compose-harden", "scan", "--min-score", "100", "--skip", "tmpfs", file)


def test_compose_auditor(outputs: Path):
    # It asks of each volume whether the service only reads it. The template adds a volume for what a service writes.
    # It takes a variable for the address of a port for the port.
    for file in each(outputs, "docker-compose.prod.yml", LAYOUTS):
        result = run(TOOLS / "compose-auditor", "lint", "--ignore", "VOL001", "--ignore", "NET003", file, check=False)
        assert "No issues found" in result.stdout, result.stdout


def test_the_linters_of_compose_files_find_in_a_stack_only_what_swarm_cannot_do(outputs: Path):
    expected = {
        "CL-0003",  # no-new-privileges: Swarm ignores it in a stack; README-swarm.md says what to do
        "CL-0005",  # a port on all addresses: Swarm knows no host_ip; README-swarm.md says so
        "CL-0019",  # an image without a digest: .compose-lint.yml has the reason
    }
    for file in each(outputs, STACK, SWARM):
        report = json.loads(run(TOOLS / "compose-lint", "--format", "json", file, check=False).stdout)
        assert {f["rule_id"] for f in report["findings"] if not f["suppressed"]} <= expected
        # The user writes .env.
        assert report["errors"] == [] and {w["kind"] for w in report["warnings"]} <= {"unread_input"}
        # They do not know deploy.restart_policy, and the mount that sizes /tmp.
        audited = run(TOOLS / "compose-auditor", "lint", "--ignore", "VOL001", "--ignore", "OPS001", file, check=False)
        assert "No issues found" in audited.stdout, audited.stdout
        skipped = ("--skip", "tmpfs", "--skip", "no_new_privileges")
        run(TOOLS / "compose-harden", "scan", "--min-score", "100", *skipped, file)


def test_the_compose_specification(outputs: Path):
    files = [*each(outputs, "docker-compose*.yml", LAYOUTS), *each(outputs, STACK, SWARM)]
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *files)


def test_docker_compose_config(engine: None, outputs: Path):
    for file in each(outputs, "docker-compose*.yml", LAYOUTS):
        run("docker", "compose", "--file", file, "config", "--quiet")
    for override in ("docker/debug.yml", ".devcontainer/compose.yml"):
        for file in each(outputs, override, SERVICES):
            both = ("--file", "docker-compose.yml", "--file", override)
            run("docker", "compose", *both, "config", "--quiet", cwd=outputs / file.relative_to(outputs).parts[0])


def test_docker_stack_config(engine: None, outputs: Path, tmp_path: Path):
    for file in each(outputs, STACK, SWARM):
        (tmp_path / ".env").touch()
        (tmp_path / "deploy").mkdir(exist_ok=True)
        copied = shutil.copy(file, tmp_path / "deploy")
        result = run("docker", "stack", "config", "--compose-file", copied)
        assert yaml.safe_load(result.stdout)["services"].keys() == yaml.safe_load(file.read_text())["services"].keys()
        assert not result.stderr


def test_docker_buildx_bake(engine: None, outputs: Path):
    for file in each(outputs, "docker-bake.hcl"):
        name = file.parent.name
        wanted = ("image", "test", "release") if name in SERVICES else ("image", "release")
        result = run("docker", "buildx", "bake", "--file", file, "--print", *wanted, cwd=file.parent)
        targets = json.loads(result.stdout)["target"]
        if name in BASE_IMAGES:
            flavors = {"builder", "slim", "distroless", "debug"}
            assert {target["target"] for target in targets.values()} == flavors
        if name in SERVICES:
            assert targets["test"]["target"] == "test"
        for key, target in targets.items():
            assert not any(tag.endswith(":latest") for tag in target.get("tags", []))
            # Arguments are recorded in the image; secrets are not.
            arguments = {"INDEX_URL", "APT_MIRROR", "VERSION", "REVISION", "CREATED", "SOURCE", "PYTHON", "LICENSES"}
            assert target["args"].keys() <= arguments
            if key.startswith("release"):
                assert target["platforms"] == ["linux/amd64", "linux/arm64"]
                assert {entry["type"] for entry in target["attest"]} == {"provenance", "sbom"}
                assert [(entry["type"], entry["mode"]) for entry in target["cache-to"]] == [("registry", "max")]
                assert target["cache-from"][0]["ref"] == target["cache-to"][0]["ref"]
            if name not in BASE_IMAGES and "/" in read_answers(file.parent).get("base_image", ""):
                assert target.get("pull") is True


def test_yamllint(outputs: Path):
    # Its own defaults: no configuration of ours.
    run(TOOLS / "yamllint", "--strict", "--config-data", "extends: default", outputs)


def workflows(outputs: Path) -> list[Path]:
    """Return the workflows of the entries that have one form of them each."""
    found = [file for name in PIPELINES for file in sorted((outputs / name / WORKFLOWS).glob("*.yml"))]
    assert len(found) >= 2
    return found


def test_actionlint(outputs: Path):
    # It runs shellcheck, which it finds by PATH, over each script.
    run(TOOLS / "actionlint", *workflows(outputs), env={"PATH": f"{TOOLS}:{os.environ['PATH']}"})


def test_zizmor(outputs: Path):
    run(TOOLS / "zizmor", "--offline", "--persona", "auditor", "--quiet", *workflows(outputs))


def test_zizmor_still_checks(outputs: Path, tmp_path: Path):
    text = (outputs / "defaults" / WORKFLOWS / "release.yml").read_text()
    (tmp_path / "release.yml").write_text(text.replace("persist-credentials: false", "persist-credentials: true", 1))
    result = run(TOOLS / "zizmor", "--offline", "--persona", "auditor", tmp_path / "release.yml", check=False)
    assert result.returncode and "artipacked" in result.stdout


def test_the_schemas_of_github_and_gitlab(outputs: Path):
    check = (TOOLS / "check-jsonschema", "--builtin-schema")
    run(*check, "vendor.github-workflows", *workflows(outputs))
    files = [outputs / name / GITLAB for name in PIPELINES if (outputs / name / GITLAB).exists()]
    assert files
    run(*check, "vendor.gitlab-ci", *files)


def test_ruff(outputs: Path):
    for folder in sorted(outputs.iterdir()):
        run(TOOLS / "ruff", "check", "--no-cache", folder)
        run(TOOLS / "ruff", "format", "--no-cache", "--check", folder)


def test_make_lists_its_commands(outputs: Path):
    for makefile in each(outputs, "Makefile", SERVICES | BASE_IMAGES):
        result = run("make", "--no-print-directory", "help", cwd=makefile.parent)
        assert {line.split()[0] for line in result.stdout.splitlines()} >= {"build", "test", "release"}


def test_shellcheck(outputs: Path):
    scripts = [
        file
        for name in BASE_IMAGES
        for file in (outputs / name / "scripts").iterdir()
        if file.read_text().startswith("#!/bin/sh")
    ]
    assert len(scripts) >= 2 * len(BASE_IMAGES)
    run(TOOLS / "shellcheck", *scripts)


def validate_renovate(*configurations: Path) -> subprocess.CompletedProcess[str]:
    """Run Renovate's own validator with the Node.js of this environment."""
    path = {"PATH": f"{TOOLS}:{os.environ['PATH']}"}
    return run(require(RENOVATE), "--strict", "--no-global", *configurations, env=path, check=False)


def test_renovate_accepts_its_configuration(outputs: Path):
    result = validate_renovate(*each(outputs, "renovate.json", SERVICES | BASE_IMAGES))
    assert result.returncode == 0, result.stdout + result.stderr


def test_renovate_refuses_a_broken_configuration(outputs: Path, tmp_path: Path):
    text = (outputs / "defaults" / "renovate.json").read_text()
    broken = tmp_path / "renovate.json"
    broken.write_text(text.replace('"copier": { "enabled"', '"copier": { "enabledd"'))
    result = validate_renovate(broken)
    assert result.returncode and "copier.enabledd" in result.stdout + result.stderr


def test_renovate_updates_the_locks_as_make_lock_does(outputs: Path, tmp_path: Path):
    """Renovate finds the lock files and repeats the command in their header. This only reads; it asks no registry."""
    project = tmp_path / "project"
    shutil.copytree(outputs / "defaults", project)
    commit(project)
    env = {"PATH": f"{TOOLS}:{os.environ['PATH']}", "LOG_LEVEL": "debug", "RENOVATE_BASE_DIR": str(tmp_path / "base")}
    renovate = require(RENOVATE).with_name("renovate")
    log = run(renovate, "--platform=local", "--dry-run=extract", cwd=project, env=env).stdout
    assert "pip-compile error" not in log
    assert re.search(r'"pip-compile": \{"fileCount": 2, "depCount": \d\d', log), log[-4000:]
