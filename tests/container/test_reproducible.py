"""Two clean builds of one commit, a day apart by the clock that the build sees, give the same image."""

import json
import os
import shlex
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from testing import ROOT
from testing.git import commit, git
from testing.process import run
from testing.registry import Registry
from testing.service import find_certificates
from testing.swarm import Swarm
from testing.template import generate

pytestmark = pytest.mark.xdist_group("reproducible")

PYTHON = "python:3.13-slim-trixie"
SERVICES: dict[str, dict[str, Any]] = {
    "upstream distroless": {"flavor": "distroless"},
    "upstream slim": {"flavor": "slim"},
    "upstream slim, no bytecode": {"flavor": "slim", "bytecode": False},
    "shared distroless": {"base": "shared", "flavor": "distroless"},
    "shared slim": {"base": "shared", "flavor": "slim"},
}
FLAVORS = ("builder", "slim", "distroless")
# `make reproducible` builds all kinds.
KINDS = ["upstream slim"]
if os.environ.get("REPRODUCIBLE") == "all":
    KINDS = [*(f"base {flavor}" for flavor in FLAVORS), *SERVICES]


class Engine(Swarm):
    """An engine with a store that can rewrite times, whose builds see a clock that is some days ahead."""

    def __init__(self, days: int) -> None:
        super().__init__(1, options="--feature containerd-snapshotter=true")
        exports = run(ROOT / "engine" / "moved-clock", str(days)).stdout
        self.env |= dict([shlex.split(exports)[1].split("=", 1)])
        # The variables with which docker reaches the registry.
        self.client: dict[str, str] = {}

    def trust(self, registry: Registry) -> None:
        """Make the engine, which does not run yet, trust a registry."""
        self.env["SSL_CERT_FILE"] = str(registry.certificates)
        self.client = {"DOCKER_CONFIG": registry.env["DOCKER_CONFIG"]}

    def build(self, project: Path, folder: Path, *targets: str, load: bool = False, **args: str) -> list[str]:
        """Build without a cache what `make release` pushes, for this platform; return the digests of the manifests.

        The layers are compressed at the default level, which is faster. `load` keeps the images in the engine.
        """
        folder.mkdir()
        certificates = find_certificates()
        env = self.client | {"SSL_CERT_FILE": certificates, "EPOCH": git(project, "log", "-1", "--format=%ct")}
        bake = ("buildx", "bake", "--file", project / "docker-bake.hcl")
        printed = json.loads(self.docker(*bake, "--print", "release", env=env))["target"]
        (release,) = next(iter(printed.values()))["output"]
        left_out = ("type", "push", "store", "compression-level")
        output = ",".join(["type=oci", *(f"{key}={value}" for key, value in release.items() if key not in left_out)])
        sets = [f"*.context={project}", *(f"*.args.{name}={value}" for name, value in args.items())]
        sets += [f"{target}.output={output},dest={folder}/{target}.tar" for target in targets]
        allowed = [f"fs.read={certificates}", f"fs.read={project}", f"fs.write={folder}"]
        options = [word for what in allowed for word in ("--allow", what)] + [
            word for value in sets for word in ("--set", value)
        ]
        self.docker(*bake, "--no-cache", *options, *targets, env=env)
        digests = []
        for target in targets:
            archive = folder / f"{target}.tar"
            if load:
                self.docker("load", "--quiet", "--input", archive)
            with tarfile.open(archive) as image:
                index = image.extractfile("index.json")
                assert index
                digests.append(json.load(index)["manifests"][0]["digest"])
            archive.unlink()
        return digests


Engines = tuple[Engine, Engine]


class Base(NamedTuple):
    """A base image in the registry, and the digests of each flavor from both engines."""

    name: str
    digests: dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def places(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engines, Registry]]:
    """Start the engines, and a registry that both reach."""
    today, tomorrow = Engine(0), Engine(1)
    registry = Registry(tmp_path_factory.mktemp("registry"), f"{today.env['SWARM_NET']}.1")
    for one in (today, tomorrow):
        one.trust(registry)
    with today, tomorrow, registry:
        for one in (today, tomorrow):
            one.load("debian:trixie-slim", PYTHON)
        yield (today, tomorrow), registry


@pytest.fixture(scope="module")
def engines(places: tuple[Engines, Registry]) -> Engines:
    return places[0]


@pytest.fixture(scope="module")
def base(places: tuple[Engines, Registry], tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Build the base images in both engines, and push those of the first; services pull them."""
    engines, registry = places
    folder = tmp_path_factory.mktemp("base")
    project = commit(generate(folder / "base", kind="base-image", registry=f"{registry.name}/team"))
    variables = json.loads(engines[0].docker("image", "inspect", "--format", "{{json .Config.Env}}", PYTHON))
    version = dict(variable.split("=", 1) for variable in variables)["PYTHON_VERSION"]
    targets = [f"image-3-13-{flavor}" for flavor in FLAVORS]
    first, second = (
        one.build(project, folder / str(number), *targets, load=True, PYTHON_VERSION=version)
        for number, one in enumerate(engines)
    )
    name = f"{registry.name}/team/python-base"
    for flavor in FLAVORS:
        engines[0].docker("push", "--quiet", f"{name}:3.13-{flavor}", env=engines[0].client)
    return Base(name, dict(zip(FLAVORS, zip(first, second, strict=True), strict=True)))


def build(engines: Engines, project: Path) -> tuple[str, str]:
    """Build a service in both engines; return the digests."""
    first, second = (one.build(project, project.parent / str(n), "image")[0] for n, one in enumerate(engines))
    return first, second


@pytest.mark.parametrize("kind", KINDS)
def test_two_builds_give_the_same_digest(request: pytest.FixtureRequest, engines: Engines, kind: str, tmp_path: Path):
    if kind in SERVICES:
        answers = SERVICES[kind]
        if kind.startswith("shared"):
            answers = answers | {"base_image": request.getfixturevalue("base").name}
        first, second = build(engines, commit(generate(tmp_path / "s", service_name="hello", **answers)))
    else:
        first, second = request.getfixturevalue("base").digests[kind.removeprefix("base ")]
    print(f"\n{kind:26} {first}\n{'a day later':26} {second}")
    assert first == second


def test_a_build_date_in_a_file_is_noticed(engines: Engines, tmp_path: Path):
    """The negative control: the two builds do see different days."""
    project = commit(generate(tmp_path / "service", service_name="hello-service", flavor="slim"))
    dockerfile = project / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("useradd", "date +%F >/built && SOURCE_DATE_EPOCH=1 useradd"))
    first, second = build(engines, project)
    assert first != second
