"""A registry with TLS and a password, as a private network has it."""

import base64
import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Self

import trustme

from testing.docker import free_port
from testing.waiting import wait_until

USER, PASSWORD = "build-robot", "a-canary-of-a-password"
# bcrypt of the password: the only form that docker-registry accepts.
PASSWORDS = f"{USER}:$2b$05$fCNZEo/3HfPZERjJVd7mJu8eGdsK7piK02dO/MLFlO0kdgonSV.va\n"


class Registry(contextlib.AbstractContextManager["Registry"]):
    """An empty registry at an IP address of this machine. Its certificates exist before it runs."""

    def __init__(self, folder: Path, address: str, authority: trustme.CA | None = None) -> None:
        self.folder = folder
        self.address = address
        self.name = f"{address}:{free_port()}"
        self.certificates = folder / "ca.pem"
        authority = authority or trustme.CA()
        authority.cert_pem.write_to_path(self.certificates)
        authority.issue_cert(address).private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        (folder / "htpasswd").write_text(PASSWORDS)
        config = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": f"{folder}/data"}},
            "http": {
                "addr": self.name,
                "tls": {"certificate": f"{folder}/server.pem", "key": f"{folder}/server.pem"},
            },
            "auth": {"htpasswd": {"realm": "registry", "path": f"{folder}/htpasswd"}},
        }
        (folder / "config.yml").write_text(json.dumps(config))
        self._write_client()

    def _write_client(self) -> None:
        """Write a configuration of docker that has the password, and the plugins of the user's."""
        self.client = self.folder / "docker"
        self.client.mkdir()
        credentials = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (self.client / "config.json").write_text(json.dumps({"auths": {self.name: {"auth": credentials}}}))
        plugins = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "cli-plugins"
        if plugins.exists():
            (self.client / "cli-plugins").symlink_to(plugins)

    @property
    def env(self) -> dict[str, str]:
        """The variables with which docker and cosign reach the registry."""
        return {"DOCKER_CONFIG": str(self.client), "SSL_CERT_FILE": str(self.certificates)}

    def __enter__(self) -> Self:
        with (self.folder / "log").open("w") as log:
            command = ["docker-registry", "serve", str(self.folder / "config.yml")]
            self.server = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until("the registry listens", lambda: "listening on" in self.log(), self.log)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.terminate()
        self.server.wait()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def blob(self, digest: str) -> Path:
        """Return the file that stores a blob or a manifest."""
        algorithm, _, value = digest.partition(":")
        return self.folder / "data/docker/registry/v2/blobs" / algorithm / value[:2] / value / "data"

    def digests(self, repository: str) -> list[str]:
        """Return the digest of each blob and manifest of a repository."""
        folder = self.folder / "data/docker/registry/v2/repositories" / repository
        found = [*folder.glob("_layers/sha256/*"), *folder.glob("_manifests/revisions/sha256/*")]
        return [f"sha256:{path.name}" for path in found]

    def manifests(self, repository: str) -> dict[str, dict[str, Any]]:
        """Return the indexes and manifests of a repository by digest."""
        folder = self.folder / "data/docker/registry/v2/repositories" / repository
        digests = [f"sha256:{path.name}" for path in folder.glob("_manifests/revisions/sha256/*")]
        return {digest: json.loads(self.blob(digest).read_bytes()) for digest in digests}
