"""A release in a private registry: what it states about itself, its signature, and what is refused."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testing.contents import INSTALLED, read_installed, read_sbom
from testing.git import commit, git
from testing.process import run
from testing.registry import PASSWORD, Registry
from testing.service import find_certificates
from testing.swarm import Swarm
from testing.template import generate

pytestmark = pytest.mark.xdist_group("supply-chain")


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
