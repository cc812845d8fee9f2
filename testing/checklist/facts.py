"""Gather what the checklist asks about: files, image, container, kernel, and the engine's host.

All facts are plain data, so that a test can change one and see that the check notices.
"""

import functools
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dockerfile_parse import DockerfileParser

from testing.docker import docker, inspect
from testing.service import Service

SCRIPTS = Path(__file__).parent
KERNEL_FACTS = (SCRIPTS / "kernel_facts.py").read_text()
PYTHON = "python:3.13-slim-trixie"
LEFTOVERS = ("/var/cache", "/var/log", "/var/lib/apt")
NAMESPACES = ("net", "pid", "ipc", "uts")


class Instruction(NamedTuple):
    """An instruction of a Dockerfile, and the comment above it and its ARGs."""

    name: str
    value: str
    comment: str


def parse_dockerfile(text: str) -> list[Instruction]:
    parser = DockerfileParser(fileobj=io.StringIO(text))
    found, comment = [], ""
    for entry in parser.structure:
        if entry["instruction"] == "COMMENT":
            comment += entry["value"] + "\n"
        else:
            found.append(Instruction(entry["instruction"], " ".join(entry["value"].split()), comment))
            if entry["instruction"] != "ARG":
                comment = ""
    return found


@dataclass
class Subject:
    """One compose service of a project, its image, and its running container."""

    own_image: bool  # False: an image that the project only uses, such as the proxy's
    files: dict[str, str]  # the project's text files by path
    compose: dict[str, Any]  # the service in docker-compose.prod.yml, as Compose resolves it
    image: dict[str, Any]  # docker image inspect
    history: list[str]  # the command of each layer
    inside: dict[str, Any]  # see testing/image_contents.py
    base_files: list[str]  # the caches, logs and lists that the official Python image has
    container: dict[str, Any]  # docker inspect
    networks: dict[str, dict[str, Any]]  # docker inspect of the container's networks
    kernel: dict[str, Any]  # see kernel_facts.py
    host: dict[str, str]  # the namespaces of the engine's host

    @property
    def dockerfile(self) -> list[Instruction]:
        return parse_dockerfile(self.files["Dockerfile"])

    def instructions(self, name: str) -> list[str]:
        """Return the values of all instructions of that name."""
        return [instruction.value for instruction in self.dockerfile if instruction.name == name]

    @property
    def stages(self) -> list[list[Instruction]]:
        """The stages of the Dockerfile, each beginning with its FROM."""
        found: list[list[Instruction]] = []
        for instruction in self.dockerfile:
            if instruction.name == "FROM":
                found.append([])
            if found:
                found[-1].append(instruction)
        return found

    @property
    def bases(self) -> list[str]:
        """The images of other repositories that the Dockerfile names."""
        found, stages = [], {"scratch"}
        for value in self.instructions("FROM"):
            image, _, stage = value.partition(" AS ")
            if image not in stages:
                found.append(image)
            stages.add(stage)
        return found

    @property
    def commands(self) -> list[str]:
        """The single commands of all RUN instructions, without their --mount and --network options."""
        values = [re.sub(r"^(--\S+ )+", "", value) for value in self.instructions("RUN")]
        return [command.strip() for value in values for command in re.split(r"&&|\|\||;", value)]

    @property
    def build_files(self) -> dict[str, str]:
        """The files that take part in a build or a start and are not the app's."""
        top = ("Dockerfile", "Makefile", "docker-bake.hcl", "docker-compose.prod.yml")
        return {path: text for path, text in self.files.items() if path in top or path.startswith("docker/")}

    @property
    def pipelines(self) -> str:
        """The text of all CI pipelines of the project."""
        return "\n".join(
            text for path, text in self.files.items() if re.match(r"\.github/workflows/|\.gitlab-ci|\.gitlab/", path)
        )


def read_files(project: Path) -> dict[str, str]:
    found = {}
    for path in sorted(project.rglob("*")):
        relative = path.relative_to(project).as_posix()
        if path.is_file() and not re.match(r"\.git/|\.venv|node_modules/", relative):
            found[relative] = path.read_text(errors="replace")
    return found


@functools.cache
def host_namespaces() -> dict[str, str]:
    """Return the namespaces of the engine's host, read in a container that shares them."""
    shared = [f"--{namespace}=host" for namespace in NAMESPACES]
    code = "import os, sys; print(*(os.readlink(f'/proc/self/ns/{name}') for name in sys.argv[1:]))"
    links = docker("run", "--rm", *shared, PYTHON, "python", "-c", code, *NAMESPACES).split()
    return dict(zip(NAMESPACES, links, strict=True))


@functools.cache
def base_files() -> list[str]:
    return docker("run", "--rm", PYTHON, "find", *LEFTOVERS, "-type", "f").splitlines()


def read_kernel(container: str, has_python: bool = True) -> dict[str, Any]:
    """Return what the kernel says of a running container.

    Without Python in it, a second container reads the same: it has the same user, and shares the processes and
    the network.
    """
    if has_python:
        output = docker("exec", container, "python", "-c", KERNEL_FACTS)
    else:
        shared = (f"--pid=container:{container}", f"--network=container:{container}")
        user = inspect(container)["Config"]["User"]
        output = docker("run", "--rm", *shared, "--user", user, PYTHON, "python", "-c", KERNEL_FACTS, "/proc/1/root")
    facts: dict[str, Any] = json.loads(output)
    return facts


def observe(container: str, has_python: bool = True) -> dict[str, Any]:
    """Return the facts of a running container, as the fields of a Subject."""
    found = inspect(container)
    return {
        "container": found,
        "networks": {
            name: json.loads(docker("network", "inspect", name))[0] for name in found["NetworkSettings"]["Networks"]
        },
        "kernel": read_kernel(container, has_python),
    }


def gather(service: Service, name: str | None = None) -> Subject:
    """Gather the facts of a service that runs as in production.

    `name` is another service of its compose file, with an image that is not its own.
    """
    compose = json.loads(service.compose("config", "--format", "json").stdout)
    container = service.compose("ps", "--quiet", name or service.name).stdout.splitlines()[0]
    image = inspect(container)["Image"]
    return Subject(
        own_image=name is None,
        files=read_files(service.project),
        compose=compose["services"][name or service.name],
        image=inspect(image),
        history=docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image).splitlines(),
        inside={} if name else service.contents,
        base_files=base_files(),
        host=host_namespaces(),
        **observe(container, has_python=name is None),
    )
