"""Every step of the pipelines, as it stands in the YAML file, against an engine and a registry with a password.

Not executed: the actions of GitHub and the commands in NOT_EXECUTED, which install programs, the build for arm64,
and a signature without a key. A key signs instead.
"""

import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from testing.docker import free_port
from testing.git import commit, git
from testing.pipeline import GitHub, GitLab, github_jobs, gitlab_jobs
from testing.process import TOOLS, run
from testing.registry import PASSWORD, USER, Registry
from testing.service import find_certificates
from testing.swarm import Swarm
from testing.template import generate
from testing.trivy_database import write_database

pytestmark = pytest.mark.xdist_group("supply-chain")

# `make test` runs the steps of GitHub for a service.
slow = pytest.mark.skipif(os.environ.get("PIPELINES") != "all", reason="minutes long: make pipelines runs it")

# The commands of GitLab's jobs that bring programs into the container of the job.
NOT_EXECUTED = ("apk add ", "docker cp ", "docker run --privileged ", "docker context create ", "docker buildx create ")

# As ssh, with a folder of this machine for the home of the user on the host.
SSH = """#!/bin/sh
if [ "$1" = -i ]; then shift 2; fi
shift
cd "$HOST_HOME" && if [ "$1" = sh ]; then exec sh; else exec "$@"; fi
"""
# Signs with a key, and builds with the certificates of this machine.
MAKE = """#!/bin/sh
case $1 in
    sign) export KEY="$KEYS.key" COSIGN_OPTIONS="--signing-config $KEYS.json" ;;
    verify) export KEY="$KEYS.pub" COSIGN_OPTIONS=--private-infrastructure ;;
    *) export SSL_CERT_FILE="$CERTIFICATES" ;;
esac
exec {make} "$@"
"""
PROGRAMS = {"ssh": SSH, "ssh-agent": "#!/bin/sh\n", "ssh-add": "#!/bin/sh\ncat >/dev/null\n"}


class Place(NamedTuple):
    """Where the steps run: a folder, the variables, the engine and the registry."""

    folder: Path
    env: dict[str, str]
    swarm: Swarm
    registry: Registry

    def project(self, **answers: object) -> Path:
        """Return a project with the tag v1.2.3 that releases to the registry, for this machine's platform."""
        # gzip compresses faster.
        project = generate(
            self.folder / "project", registry=f"{self.registry.name}/team", compression="gzip", **answers
        )
        bake = project / "docker-bake.hcl"
        bake.write_text(bake.read_text().replace(', "linux/arm64"', ""))
        git(commit(project), "tag", "v1.2.3")
        return project

    def check_running(self, name: str, image: str) -> None:
        """Check that a service is healthy, and runs the image that was released."""
        assert image.startswith(f"{self.registry.name}/team/{name}@sha256:")
        label = f"label=com.docker.compose.service={name}"
        (container,) = self.swarm.docker("ps", "--quiet", "--filter", "health=healthy", "--filter", label).split()
        config = json.loads(self.swarm.docker("inspect", container))[0]["Config"]
        assert config["Image"] == image
        assert config["Labels"]["org.opencontainers.image.version"] == "1.2.3"


@pytest.fixture
def place(private: tuple[Swarm, Registry, str], tmp_path: Path) -> Place:
    swarm, registry, generator = private
    for folder in ("programs", "host", "home", "runner"):
        (tmp_path / folder).mkdir()
    for program, text in {**PROGRAMS, "make": MAKE.format(make=shutil.which("make"))}.items():
        (tmp_path / "programs" / program).write_text(text)
        (tmp_path / "programs" / program).chmod(0o755)
    write_database(tmp_path / "trivy", {"another-package": {"CVE-2026-0001": "99.0.0"}})
    env = registry.env | {
        "PATH": f"{tmp_path / 'programs'}:{run('sh', '-c', 'echo $PATH').stdout.strip()}",
        "HOME": str(tmp_path / "home"),
        "HOST_HOME": str(tmp_path / "host"),
        "DOCKER_HOST": f"unix://{swarm.home}/1/docker.sock",
        "SBOM_GENERATOR": generator,
        "CERTIFICATES": find_certificates(),
        "KEYS": str(tmp_path / "keys"),
        "COSIGN_PASSWORD": "",
        "TRIVY": str(TOOLS / "trivy"),
        "TRIVY_CACHE_DIR": str(tmp_path / "trivy"),
        "TRIVY_SKIP_DB_UPDATE": "true",
        "TRIVY_SKIP_VERSION_CHECK": "true",
    }
    run("cosign", "generate-key-pair", "--output-key-prefix", env["KEYS"], env=env)
    run("cosign", "signing-config", "create", "--out", f"{env['KEYS']}.json")
    return Place(tmp_path, env, swarm, registry)


def run_github(place: Place, project: Path) -> GitHub:
    """Run every job of both workflows, as for a tag that was pushed."""
    context = {
        "github.ref_type": "tag",
        "github.server_url": "https://github.com",
        "github.workflow_ref": "",
        "vars.DEPLOY_HOST": "deployer@host",
        "secrets.DEPLOY_SSH_KEY": "",
    }
    tag = {"GITHUB_REF_NAME": "v1.2.3", "GITHUB_REF_TYPE": "tag"}
    runner = GitHub(project, place.folder / "runner", place.env | tag, context)
    # `version` is the job that `release` needs.
    for job in sorted(github_jobs(project), key=["check", "image", "images", "version", "release", "deploy"].index):
        assert runner.run(job), job
    return runner


def test_github_checks_a_service_and_releases_signs_verifies_and_deploys_it(place: Place):
    place.env["FROM_GITHUB_PORT"] = str(free_port())
    runner = run_github(place, place.project(service_name="from-github"))
    place.check_running("from-github", runner.context["needs.release.outputs.image"])


@slow
def test_github_releases_signs_and_verifies_each_base_image(place: Place):
    runner = run_github(place, place.project(kind="base-image"))
    images = runner.context["steps.release.outputs.images"].split()
    flavors = sorted(image.partition("@")[0].rpartition("-")[2] for image in images)
    assert flavors == ["builder", "debug", "distroless", "slim"]
    for image in images:
        place.swarm.docker("pull", "--quiet", image, env=place.registry.env)


@slow
def test_gitlab_checks_a_service_and_releases_signs_verifies_and_deploys_it(place: Place):
    project = place.project(service_name="from-gitlab", ci="gitlab")
    # The job logs in by itself.
    client = shutil.copytree(place.registry.client, place.folder / "docker", symlinks=True)
    (client / "config.json").unlink()
    for name in ("host-keys", "key"):
        (place.folder / name).touch()
    env = place.env | {
        "DOCKER_CONFIG": str(client),
        "REGISTRY_USER": USER,
        "REGISTRY_PASSWORD": PASSWORD,
        "CI_COMMIT_TAG": "v1.2.3",
        "CI_CONFIG_PATH": ".gitlab-ci.yml",
        "CI_PROJECT_URL": "https://gitlab.com/group/from-gitlab",
        "CI_SERVER_URL": "https://gitlab.com",
        "DEPLOY_HOST": "deployer@host",
        "DEPLOY_HOST_KEYS": str(place.folder / "host-keys"),
        "DEPLOY_SSH_KEY": str(place.folder / "key"),
        "FROM_GITLAB_PORT": str(free_port()),
    }
    engine = {"DOCKER_HOST": env["DOCKER_HOST"], "DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": ""}
    runner = GitLab(project, place.folder / "runner", env)
    jobs = gitlab_jobs(project)
    assert list(jobs) == ["check", "test", "release", "deploy"]
    for job in jobs:
        runner.run(job, NOT_EXECUTED, **(engine if "DOCKER_HOST" in jobs[job]["variables"] else {}))
    assert {next(text for text in NOT_EXECUTED if command.startswith(text)) for command in runner.skipped} == set(
        NOT_EXECUTED
    )
    place.check_running("from-gitlab", runner.env["IMAGE"])
