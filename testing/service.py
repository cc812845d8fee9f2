"""A generated service on the engine, and a generated base image in a registry."""

import contextlib
import functools
import json
import os
import stat
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from testing.docker import docker, free_port, inspect
from testing.process import run
from testing.template import read_answers
from testing.waiting import wait_until

# Runs in the image.
CONTENTS = (Path(__file__).parent / "image_contents.py").read_text()


class Entry(NamedTuple):
    """The mode and the owner of a file or a folder in an image."""

    mode: int
    uid: int
    gid: int

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    def permits(self, bit: int) -> bool:
        """Return whether user and group 10001 may read (4), write (2) or execute (1) it."""
        shift = 6 if self.uid == 10001 else 3 if self.gid == 10001 else 0
        return bool(self.mode >> shift & bit)


def find_certificates() -> str:
    """Return the path of this machine's CA certificates, which builds must trust; "" if unknown."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    return os.environ.get("SSL_CERT_FILE") or (str(bundle) if bundle.exists() else "")


class Service(contextlib.AbstractContextManager["Service"]):
    """A generated project, its image, and one compose project that runs it.

    The version and the name of the compose project are unique. The image is removed on exit.
    """

    def __init__(
        self,
        project: Path,
        *,
        run_id: str | None = None,
        compose_files: Sequence[str | Path] = ("docker-compose.prod.yml",),
        env: dict[str, str] | None = None,
    ) -> None:
        self.project = project
        self.answers: dict[str, Any] = read_answers(project)
        self.name: str = self.answers["service_name"]
        self.package: str = self.answers.get("package_name") or self.name.replace("-", "_")
        self.prefix = self.name.replace("-", "_").upper()
        self.run_id = run_id or uuid.uuid4().hex[:8]
        self.version = f"0.0.0-{self.run_id}"
        self.image = f"{self.name}:{self.version}"
        self.port = free_port()
        self.compose_files = list(compose_files)
        self.env = {
            "VERSION": self.version,
            f"{self.prefix}_IMAGE": self.image,
            "COMPOSE_PROJECT_NAME": f"{self.name}-{uuid.uuid4().hex[:8]}",
            f"{self.prefix}_PORT": str(self.port),
        } | (env or {})
        # The ids of all images built: a rebuild moves the tag to the new one.
        self.built: list[str] = []

    def __exit__(self, *_: object) -> None:
        for image in {self.image, *self.built}:
            docker("image", "rm", "--force", image, check=False)

    # Build

    def make(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return run("make", *arguments, cwd=self.project, env=self.env | env, check=check)

    def build(self, **env: str) -> subprocess.CompletedProcess[str]:
        built = run("make", "build", cwd=self.project, env=self.env | env)
        self.built.append(inspect(self.image)["Id"])
        return built

    def docker_build(self, target: str) -> subprocess.CompletedProcess[str]:
        """Run a plain `docker build` of one stage, without make and bake."""
        certificates = find_certificates()
        secret = ("--secret", f"id=ca-certificates,src={certificates}") if certificates else ()
        return run("docker", "build", "--target", target, *secret, self.project)

    def bake(self, target: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Build without the generated Makefile, which an existing service does not have."""
        certificates = find_certificates()
        allow = ("--allow", f"fs.read={certificates}") if certificates else ()
        command = ("docker", "buildx", "bake", "--file", "docker-bake.hcl", *allow, target)
        built = run(*command, cwd=self.project, env=self.env | {"SSL_CERT_FILE": certificates}, check=check)
        if check and target == "image":
            self.built.append(inspect(self.image)["Id"])
        return built

    # Run

    def compose(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        files = [word for file in self.compose_files for word in ("--file", file)]
        return run("docker", "compose", *files, *arguments, cwd=self.project, env=self.env | env, check=check)

    def logs(self) -> str:
        """Return what all containers of the compose project wrote."""
        return self.compose("logs", check=False).stdout

    @contextlib.contextmanager
    def second_stack(
        self, *more_files: Path, compose_files: Sequence[str | Path] | None = None, **env: str
    ) -> Iterator[Self]:
        """Yield a Service of the same image with a compose project and a port of its own.

        `more_files` are added to the compose files; `compose_files` replaces them. Nothing is
        started. On exit the compose project is taken down.
        """
        files = [*(self.compose_files if compose_files is None else compose_files), *more_files]
        other = type(self)(self.project, run_id=self.run_id, compose_files=files, env=env)
        try:
            yield other
        finally:
            other.compose("down", "--volumes", "--rmi", "local", "--timeout", "1", check=False)

    @contextlib.contextmanager
    def production(self, **env: str) -> Iterator[Self]:
        """Start the compose project and wait until it is healthy; take it down on exit."""
        try:
            up = self.compose("up", "--detach", "--wait", check=False, **env)
            assert up.returncode == 0, up.stderr + self.logs()
            yield self
        finally:
            self.compose("down", "--volumes", "--timeout", "1", check=False)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    # The container

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
        wait_until(
            f"{self.name} is healthy",
            lambda: self.state["Running"] and self.health == "healthy",
            lambda: f"{self.state}\n{self.logs()}",
        )

    def execute(self, *command: str, user: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        options = ("--user", user) if user else ()
        return run("docker", "exec", *options, self.container, *command, check=check)

    def python(self, code: str, *, user: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.execute("python", "-c", code, user=user, check=check)

    # The image

    @property
    def start_command(self) -> list[str]:
        """Return the command that the image runs."""
        command: list[str] = inspect(self.image)["Config"]["Cmd"]
        return command

    def sandbox(
        self, *command: str, user: str = "0", check: bool = True, options: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a new container of the image, as root by default, so that all files can be read."""
        entry, *rest = command
        return run(
            "docker", "run", "--rm", "--user", user, *options, "--entrypoint", entry, self.image, *rest, check=check
        )

    @functools.cached_property
    def contents(self) -> dict[str, Any]:
        """What is in the image, as image_contents.py prints it."""
        return json.loads(self.sandbox("python", "-c", CONTENTS).stdout)

    @functools.cached_property
    def listing(self) -> dict[str, Entry]:
        """Every file and folder of the image by its path; without links and mounts."""
        return {path: Entry(*entry) for path, entry in self.contents["files"].items()}


class BaseImage(contextlib.AbstractContextManager["BaseImage"]):
    """A generated base image with a unique version; removed from the engine on exit."""

    FLAVORS = ("builder", "slim", "distroless", "debug")

    def __init__(self, project: Path) -> None:
        self.project = project
        answers = read_answers(project)
        self.name = "/".join(filter(None, (answers["registry"], answers["image_name"])))
        self.python = answers["python_versions"][-1]
        self.version = f"0.0.0-{uuid.uuid4().hex[:8]}"

    def __exit__(self, *_: object) -> None:
        self.forget()

    def tag(self, flavor: str) -> str:
        return f"{self.name}:{self.python}-{flavor}"

    def make(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return run("make", *arguments, cwd=self.project, env={"VERSION": self.version} | env, check=check)

    def forget(self) -> None:
        """Remove the images from the engine, so that the build of a service pulls them."""
        tags = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", self.name).splitlines()
        docker("image", "rm", "--force", *tags, check=False)

    def publish(self) -> None:
        """Push the images to the registry, then remove them from the engine."""
        self.make("push")
        self.forget()
