"""The field's own checkers, each run once over the whole matrix; zero findings."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from matrix import BASE_IMAGES, EXISTING, LAYOUTS, MATRIX, SERVICES
from support import ROOT, run

pytestmark = pytest.mark.xdist_group("render")

TOOLS = Path(sys.executable).parent
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"


def each(outputs: Path, pattern: str, of: Collection[str] = MATRIX) -> list[Path]:
    """The files of that name in the outputs `of` these entries, at least one for each."""
    found = [file for name in of for file in sorted((outputs / name).glob(pattern))]
    assert len(found) >= len(of), f"{pattern}: {len(found)} files"
    return found


def test_hadolint(outputs: Path):
    label = "org.opencontainers.image.version:semver"
    run(TOOLS / "hadolint", "--require-label", label, *each(outputs, "Dockerfile", LAYOUTS))
    # hadolint reads .hadolint.yaml from the folder in which it runs.
    for dockerfile in each(outputs, "Dockerfile", BASE_IMAGES):
        run(TOOLS / "hadolint", dockerfile, cwd=dockerfile.parent)


def test_docker_build_check(engine: None, outputs: Path):
    # Not every base is at hand where no registry is, and a check runs nothing of it.
    stand_in = "docker-image://python:3.13-slim-trixie"
    for dockerfile in each(outputs, "Dockerfile"):
        bases = re.findall(r"^FROM ([^$\s]+:\S+)", dockerfile.read_text(), re.MULTILINE)
        contexts = [f"--build-context={base}={stand_in}" for base in bases]
        run("docker", "build", "--check", *contexts, dockerfile.parent)


def test_trivy(outputs: Path):
    command = (TOOLS / "trivy", "config", "--skip-check-update", "--quiet", "--format", "json")
    # Trivy reads .trivyignore from the folder in which it runs.
    reports = [run(*command, ".", cwd=outputs / name, check=False).stdout for name in BASE_IMAGES]
    reports.append(run(*command, "--skip-dirs", "base*", outputs, check=False).stdout)
    entries = [entry for report in reports for entry in json.loads(report)["Results"]]
    assert [entry["Type"] for entry in entries].count("dockerfile") == len(MATRIX)
    assert [entry["Misconfigurations"] for entry in entries if "Misconfigurations" in entry] == []


def test_checkov(outputs: Path, tmp_path: Path):
    command = (CHECKOV, "--compact", "--quiet", "--skip-download", "--output", "json")
    for name in LAYOUTS:
        shutil.copytree(outputs / name, tmp_path / name)
    # Checkov reads .checkov.yaml from the folder that it checks.
    for folder in (tmp_path, *(outputs / name for name in BASE_IMAGES)):
        report = json.loads(run(*command, "--directory", folder, check=False).stdout)
        for entry in report if isinstance(report, list) else [report]:
            assert entry["summary"]["passed"] > 0
            assert entry["results"]["failed_checks"] == []


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
    for file in each(outputs, "docker-compose.prod.yml", LAYOUTS):
        result = run(TOOLS / "compose-auditor", "lint", file, check=False)
        assert "No issues found" in result.stdout, result.stdout


def test_the_compose_specification(outputs: Path):
    files = each(outputs, "docker-compose*.yml", LAYOUTS)
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *files)


def test_docker_compose_config(engine: None, outputs: Path):
    for file in each(outputs, "docker-compose*.yml", LAYOUTS):
        run("docker", "compose", "--file", file, "config", "--quiet")


def test_docker_buildx_bake(engine: None, outputs: Path):
    for file in each(outputs, "docker-bake.hcl", BASE_IMAGES):
        result = run("docker", "buildx", "bake", "--file", file, "--print", "image", "release", cwd=file.parent)
        targets = json.loads(result.stdout)["target"].values()
        assert {target["target"] for target in targets} == {"builder", "runtime", "distroless", "debug"}
    for file in each(outputs, "docker-bake.hcl", EXISTING):
        run("docker", "buildx", "bake", "--file", file, "--print", "image", "release", cwd=file.parent)
    for file in each(outputs, "docker-bake.hcl", SERVICES):
        result = run("docker", "buildx", "bake", "--file", file, "--print", "image", "test", "release", cwd=file.parent)
        targets = json.loads(result.stdout)["target"]
        assert targets["release"]["platforms"] == ["linux/amd64", "linux/arm64"]
        assert targets["test"]["target"] == "test"


def test_yamllint(outputs: Path):
    # Its own defaults: no configuration of ours.
    run(TOOLS / "yamllint", "--strict", "--config-data", "extends: default", outputs)


def test_ruff(outputs: Path):
    for folder in sorted(outputs.iterdir()):
        run(TOOLS / "ruff", "check", "--no-cache", folder)
        run(TOOLS / "ruff", "format", "--no-cache", "--check", folder)


def test_make_lists_its_verbs(outputs: Path):
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
    """Renovate's own validator, on the Node.js of this environment."""
    validator = ROOT / ".renovate" / "node_modules" / ".bin" / "renovate-config-validator"
    path = {"PATH": f"{TOOLS}:{os.environ['PATH']}"}
    return run(validator, "--strict", "--no-global", *configurations, env=path, check=False)


def test_renovate_accepts_its_configuration(outputs: Path):
    result = validate_renovate(*each(outputs, "renovate.json", SERVICES | BASE_IMAGES))
    assert result.returncode == 0, result.stdout + result.stderr


def test_renovate_refuses_a_broken_configuration(outputs: Path, tmp_path: Path):
    text = (outputs / "defaults" / "renovate.json").read_text()
    broken = tmp_path / "renovate.json"
    broken.write_text(text.replace('"copier": { "enabled"', '"copier": { "enabledd"'))
    result = validate_renovate(broken)
    assert result.returncode and "copier.enabledd" in result.stdout + result.stderr
