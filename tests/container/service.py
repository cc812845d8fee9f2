"""A generated service on the engine: what its user would type, and what the kernel says of it."""

import contextlib
import copy
import functools
import json
import os
import socket
import stat
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml
from support import run


def docker(*arguments: str | Path, check: bool = True) -> str:
    """Run docker; return what it wrote to stdout."""
    return run("docker", *arguments, check=check).stdout.strip()


def inspect(thing: str) -> dict[str, Any]:
    return json.loads(docker("inspect", thing))[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(condition, *, seconds: float = 30, every: float = 0.2):
    """Call `condition` until what it returns is true; return that, or fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still not so after {seconds} s: {condition}"
        time.sleep(every)
    return value


def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """GET `url`; return the status and the body, (0, reason) where nobody answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


# Run inside, where there may be no `find`.
LISTING = """
import json, os, stat
device, found = os.stat("/").st_dev, []
for folder, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.lstat(os.path.join(folder, f)).st_dev == device]
    for name in folders + files:
        path = os.path.join(folder, name)
        entry = os.lstat(path)
        if not stat.S_ISLNK(entry.st_mode):
            found.append([path, entry.st_mode, entry.st_uid, entry.st_gid])
print(json.dumps(found))
"""


class Entry(NamedTuple):
    """A file or a folder in an image."""

    mode: int
    uid: int
    gid: int

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    def permits(self, bit: int) -> bool:
        """Whether user and group 10001 may read (4), write (2) or execute (1) it."""
        shift = 6 if self.uid == 10001 else 3 if self.gid == 10001 else 0
        return bool(self.mode >> shift & bit)


class Service(contextlib.AbstractContextManager):
    """A generated project under a version and compose project names of its own."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.answers: dict[str, Any] = yaml.safe_load((project / ".copier-answers.yml").read_text())
        self.name = self.answers["service_name"]
        self.package = self.name.replace("-", "_")
        self.run_id = uuid.uuid4().hex[:8]
        self.image = f"{self.name}:0.0.0-{self.run_id}"
        self.built: list[str] = []  # a rebuild takes the tag from the image before it
        self.port = free_port()
        self.compose_files: list[str | Path] = ["docker-compose.prod.yml"]
        self.prefix = self.package.upper()
        self.env = {
            "VERSION": f"0.0.0-{self.run_id}",
            "COMPOSE_PROJECT_NAME": f"{self.name}-{self.run_id}",
            f"{self.prefix}_PORT": str(self.port),
        }

    def __exit__(self, *_: object) -> None:
        for image in {self.image, *self.built}:
            docker("image", "rm", "--force", image, check=False)

    # What a user types.

    def make(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return run("make", *arguments, cwd=self.project, env=self.env | env, check=check)

    def build(self, **env: str) -> subprocess.CompletedProcess[str]:
        built = self.make("build", **env)
        self.built.append(inspect(self.image)["Id"])
        return built

    def bake(self, target: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Build as a project without a Makefile of ours does; trust what this machine trusts."""
        bundle = Path("/etc/ssl/certs/ca-certificates.crt")
        certificates = os.environ.get("SSL_CERT_FILE") or (str(bundle) if bundle.exists() else "")
        allow = ("--allow", f"fs.read={certificates}") if certificates else ()
        command = ("docker", "buildx", "bake", "--file", "docker-bake.hcl", *allow, target)
        built = run(*command, cwd=self.project, env=self.env | {"SSL_CERT_FILE": certificates}, check=check)
        if check and target == "image":
            self.built.append(inspect(self.image)["Id"])
        return built

    def compose(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        files = [word for file in self.compose_files for word in ("--file", file)]
        return run("docker", "compose", *files, *arguments, cwd=self.project, env=self.env | env, check=check)

    @contextlib.contextmanager
    def apart(self, *compose_files: Path, **env: str) -> Iterator[Self]:
        """A second compose project of the same image, with more compose files and environment."""
        other = copy.copy(self)
        other.port = free_port()
        other.compose_files = [*self.compose_files, *compose_files]
        project = f"{self.name}-{uuid.uuid4().hex[:8]}"
        other.env = self.env | {"COMPOSE_PROJECT_NAME": project, f"{self.prefix}_PORT": str(other.port)} | env
        try:
            yield other
        finally:
            other.compose("down", "--volumes", "--rmi", "local", "--timeout", "1", check=False)

    @contextlib.contextmanager
    def production(self, **env: str) -> Iterator[Self]:
        """Up by the production compose file and healthy, then down again."""
        try:
            up = self.compose("up", "--detach", "--wait", check=False, **env)
            assert up.returncode == 0, up.stderr + self.compose("logs").stdout
            yield self
        finally:
            self.compose("down", "--volumes", "--timeout", "1", check=False)

    # What the engine says.

    @property
    def container(self) -> str:
        return self.compose("ps", "--all", "--quiet", self.name).stdout.strip()

    @property
    def state(self) -> dict[str, Any]:
        return inspect(self.container)["State"]

    @property
    def health(self) -> str:
        return self.state["Health"]["Status"]

    def wait_healthy(self) -> None:
        eventually(lambda: self.state["Running"] and self.health == "healthy")

    # What is inside.

    def execute(self, *command: str, user: str | None = None, check: bool = True):
        options = ("--user", user) if user else ()
        return run("docker", "exec", *options, self.container, *command, check=check)

    def python(self, code: str, *, user: str | None = None, check: bool = True):
        return self.execute("python", "-c", code, user=user, check=check)

    def sandbox(self, *command: str, user: str = "0", check: bool = True, options: tuple[str, ...] = ()):
        """Run a command in a fresh container of the image, as root: what is in the image at all."""
        entry, *rest = command
        return run(
            "docker", "run", "--rm", "--user", user, *options, "--entrypoint", entry, self.image, *rest, check=check
        )

    @functools.cached_property
    def listing(self) -> dict[str, "Entry"]:
        """Every path in the image's own file system, links apart."""
        with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
            script.write(LISTING)
            script.flush()
            Path(script.name).chmod(0o644)
            mounted = ("--volume", f"{script.name}:/listing.py:ro")
            listed = self.sandbox("python", "-I", "/listing.py", options=mounted).stdout
        entries = {path: Entry(*entry) for path, *entry in json.loads(listed)}
        return {path: entry for path, entry in entries.items() if path != "/listing.py"}

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


class BaseImage(contextlib.AbstractContextManager):
    """A generated base image in a registry, under a version of its own."""

    FLAVORS = ("builder", "slim", "distroless", "debug")

    def __init__(self, project: Path) -> None:
        self.project = project
        answers = yaml.safe_load((project / ".copier-answers.yml").read_text())
        self.name = f"{answers['registry']}/{answers['image_name']}"
        self.python = answers["python_versions"][-1]
        self.version = f"0.0.0-{uuid.uuid4().hex[:8]}"

    def __exit__(self, *_: object) -> None:
        self.forget()

    def tag(self, flavor: str) -> str:
        return f"{self.name}:{self.python}-{flavor}"

    def make(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return run("make", *arguments, cwd=self.project, env={"VERSION": self.version} | env, check=check)

    def forget(self) -> None:
        """Remove the images from the engine, so that a service's build has to pull them."""
        tags = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", self.name).splitlines()
        docker("image", "rm", "--force", *tags, check=False)

    def publish(self) -> None:
        self.make("push")
        self.forget()
