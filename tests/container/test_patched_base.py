"""A patch of the base image changes the base's layers alone: what a registry and a host have to take then."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from testing.git import commit
from testing.process import run
from testing.registry import Registry
from testing.service import find_certificates
from testing.swarm import Swarm
from testing.template import generate

pytestmark = pytest.mark.xdist_group("reproducible")

BASE = "python:3.13-slim-trixie"
# A security fix of libc, in an image that was built again: its folders have other times.
PATCHED = f"""\
FROM before AS before
FROM {BASE} AS after
RUN --mount=type=bind,from=before,target=/before cp -a /before /after \\
 && echo >>/after/usr/lib/x86_64-linux-gnu/libc.so.6 \\
 && find /after -type d -exec touch --date=@1000000000 {{}} +
FROM scratch
COPY --from=after /after /
"""


class Image(NamedTuple):
    """The blobs of an image in the registry: the size of each by its digest."""

    base: dict[str, int]
    own: dict[str, int]


class Releases:
    """An engine whose releases go to a registry."""

    def __init__(self, swarm: Swarm, registry: Registry) -> None:
        self.swarm = swarm
        self.registry = registry
        self.tag_base("before", BASE)

    def tag_base(self, name: str, image: str) -> None:
        self.swarm.docker("tag", image, name)

    def patch_base(self, folder: Path) -> None:
        variables = json.loads(self.swarm.docker("image", "inspect", "--format", "{{json .Config.Env}}", "before"))
        folder.mkdir()
        (folder / "Dockerfile").write_text(PATCHED + "".join(f"ENV {variable}\n" for variable in variables))
        self.swarm.docker("build", "--quiet", "--tag", BASE, folder)

    def count_base_layers(self, project: Path) -> int:
        """Return how many layers of the service's image are the base's."""
        if "FROM scratch AS service" in (project / "Dockerfile").read_text():
            return 1
        return len(json.loads(self.swarm.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", BASE)))

    def release(self, project: Path, *options: str) -> Image:
        certificates = find_certificates()
        env = self.registry.env | {
            "DOCKER_HOST": f"unix://{self.swarm.home}/1/docker.sock",
            "REGISTRY": f"{self.registry.name}/team",
            "SSL_CERT_FILE": certificates,
            "VERSION": "1.2.3",
            # As a pipeline rebuilds a release: steps from the cache would keep the times of an earlier commit.
            "NO_CACHE": "true",
        }
        bake = (
            *("docker", "buildx", "bake", "--file", "docker-bake.hcl", "--allow", f"fs.read={certificates}"),
            *("--set", "release.platform=linux/amd64", "--provenance=false", "--sbom=false"),
            *("--set", "release.cache-from=", "--set", "release.cache-to=", *options),
        )
        released = run("make", "--no-print-directory", "release", f"bake={' '.join(bake)}", cwd=project, env=env)
        digest = released.stdout.splitlines()[-1].partition("@")[2]
        layers = json.loads(self.registry.blob(digest).read_text())["layers"]
        sizes = [(layer["digest"], layer["size"]) for layer in layers]
        count = self.count_base_layers(project)
        return Image(dict(sizes[:count]), dict(sizes[count:]))

    def stored(self) -> int:
        """Return the bytes of all blobs that the registry has."""
        blobs = self.registry.folder / "data/docker/registry/v2/blobs"
        return sum(path.stat().st_size for path in blobs.rglob("data"))


@pytest.fixture(scope="module")
def releases(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releases]:
    swarm = Swarm(1, options="--feature containerd-snapshotter=true")
    registry = Registry(tmp_path_factory.mktemp("registry"), f"{swarm.env['SWARM_NET']}.1")
    swarm.env["SSL_CERT_FILE"] = str(registry.certificates)
    with swarm, registry:
        swarm.load(BASE)
        yield Releases(swarm, registry)


def without_link(text: str) -> str:
    return text.replace("COPY --link ", "COPY ")


def without_times(text: str) -> str:
    return re.sub(r" \\\n && find [^\n]* -exec touch [^\n]*", "", without_link(text))


# What is changed in the generated Dockerfile, and options of the release.
LAYOUTS: dict[str, tuple[Callable[[str], str], tuple[str, ...]]] = {
    "as generated": (str, ()),
    "without --link": (without_link, ()),
    "without --link and times": (
        without_times,
        ("--set", "release.output=type=registry,compression=zstd,compression-level=19,force-compression=true"),
    ),
}


@pytest.mark.skipif(os.environ.get("REPRODUCIBLE") != "all", reason="minutes long: make reproducible runs it")
@pytest.mark.parametrize("flavor", ["slim", "distroless"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_patched_base_leaves_the_layers_of_the_service(releases: Releases, flavor: str, layout: str, tmp_path: Path):
    edit, options = LAYOUTS[layout]
    name = f"{flavor}-{layout.replace(' ', '').replace('--', '-')}"
    project = generate(tmp_path / "service", service_name=name, flavor=flavor)
    dockerfile = project / "Dockerfile"
    dockerfile.write_text(edit(dockerfile.read_text()))
    commit(project)
    releases.tag_base(BASE, "before")
    before = releases.release(project, *options)
    stored = releases.stored()
    releases.patch_base(tmp_path / "base")
    after = releases.release(project, *options)

    assert not before.base.keys() & after.base.keys(), "the base was not patched"
    changed = {digest: size for digest, size in after.own.items() if digest not in before.own}
    print(
        f"\n{flavor}, {layout}: {len(changed)} of {len(after.own)} layers of the service changed,"
        f" {sum(changed.values())} bytes; base {sum(after.base.values())} bytes,"
        f" pushed {releases.stored() - stored} bytes"
    )
    if layout == "without --link and times":
        assert sum(changed.values()) > 0.9 * sum(after.own.values())
    else:
        # In slim, the layer with the user has the base's /etc/passwd.
        assert len(changed) == (flavor == "slim")
        assert sum(changed.values()) < 10_000
