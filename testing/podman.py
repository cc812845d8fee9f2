"""The pods of a generated service, which Podman runs from the manifests for Kubernetes."""

import json
import os
import re
from pathlib import Path
from typing import Any

from testing.process import TOOLS, run
from testing.service import Service
from testing.waiting import wait_until

TOKEN = "a-canary-of-a-token"


def podman(*arguments: str | Path, check: bool = True) -> str:
    return run("podman", *arguments, check=check).stdout.strip()


def load(image: str) -> None:
    """Give Podman an image of the Docker Engine."""
    run("bash", "-o", "pipefail", "-c", f"docker save {image} | podman load")


class Pods:
    """The pods of a service in Podman."""

    def __init__(self, service: Service, network: str = "") -> None:
        self.service = service
        self.folder = service.project / "deploy" / "kubernetes"
        self.network = network
        self.output = ""
        self.overlays = {file: file.read_text() for file in self.folder.glob("overlays/podman*/kustomization.yaml")}
        load(service.image)
        self.pin(service.image)
        for secret in ("api_token", "secret_key", "database_password"):
            (self.folder / secret).write_text(TOKEN)

    def pin(self, image: str) -> None:
        """Write the image that `play` runs into the overlays, as the README says."""
        name, _, tag = image.rpartition(":")
        for file, text in self.overlays.items():
            file.write_text(f"{text}images:\n  - name: {name}\n    newTag: {tag}\n")

    def play(self) -> None:
        """Run the commands of the README."""
        section = (self.folder / "README.md").read_text().partition("\n## Podman\n")[2].partition("\nsystemd")[0]
        script = re.sub(r"^(?!    ).*\n", "", section, flags=re.MULTILINE)
        script = script.replace("--publish 127.0.0.1:8000:", f"--publish 127.0.0.1:{self.service.port}:")
        if self.network:
            script = script.replace("kube play --replace", f"kube play --replace --network {self.network}")
        path = {"PATH": f"{TOOLS}:{os.environ['PATH']}"}
        self.output = run("bash", "-e", "-o", "pipefail", "-c", script, cwd=self.folder, env=path).stdout

    def remove(self) -> None:
        name = self.service.name
        podman("pod", "rm", "--force", "--time=1", f"{name}-pod", f"{name}-migrate-pod", check=False)
        # Podman keeps the files of a secret in a volume of its name.
        podman("secret", "rm", name, check=False)
        podman("volume", "rm", name, check=False)
        podman("image", "rm", "--force", self.service.image, check=False)

    @property
    def container(self) -> str:
        return f"{self.service.name}-pod-{self.service.name}"

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(podman("inspect", self.container))[0]["State"]

    @property
    def health(self) -> str:
        return self.state["Health"]["Status"]

    def logs(self) -> str:
        return podman("logs", self.container, check=False)

    def python(self, code: str) -> str:
        return podman("exec", self.container, "python", "-c", code)

    def wait_healthy(self) -> None:
        wait_until(
            f"{self.service.name} is healthy", lambda: self.health == "healthy", lambda: (self.state, self.logs())
        )
