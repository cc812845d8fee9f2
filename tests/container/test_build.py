"""The build: what it caches, what enters its context, and where its secrets do not go."""

import json
import tarfile
from pathlib import Path

import pytest

from testing.docker import docker, inspect
from testing.process import run
from testing.service import Service, find_certificates
from testing.template import generate

pytestmark = pytest.mark.xdist_group("production")


def layers(image: str) -> list[str]:
    return inspect(image)["RootFS"]["Layers"]


def layer_bytes(image: str, layer: str, folder: Path) -> int:
    """The size of one layer of `image`, found by its digest in what `docker save` writes."""
    archive = folder / "image.tar"
    docker("save", "--output", archive, image)
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        path = manifest["Layers"][layers(image).index(layer)]
        return sum(member.size for member in tarfile.open(fileobj=tar.extractfile(path)))


def test_a_changed_source_file_rebuilds_the_sources_layer_alone(default: Service, tmp_path: Path):
    default.build()
    before = layers(default.image)
    source = default.project / "src" / default.package / "main.py"
    text = source.read_text()
    source.write_text(f"{text}\n# touched by {default.run_id}\n")
    try:
        progress = default.build(BUILDKIT_PROGRESS="plain").stderr
        after = layers(default.image)
        assert after[:-1] == before[:-1] and after[-1] != before[-1]
        done_again = [
            line
            for number, line in steps(progress).items()
            if number not in cached(progress) and ("RUN" in line or "COPY" in line)
        ]
        assert len(done_again) == 3, done_again  # copy the source, compile it, copy both to the runtime
        size = layer_bytes(default.image, after[-1], tmp_path)
        own = sum(file.stat().st_size for file in (default.project / "src").rglob("*.py"))
        assert own < size < 4 * own, (own, size)
    finally:
        source.write_text(text)


def steps(progress: str) -> dict[str, str]:
    """The numbered steps of a build that BuildKit printed in plain form."""
    found = {}
    for line in progress.splitlines():
        number, _, rest = line.partition(" ")
        if number.startswith("#") and rest.startswith("["):
            found.setdefault(number, rest)
    return found


def cached(progress: str) -> set[str]:
    return {line.split()[0] for line in progress.splitlines() if line.endswith(" CACHED")}


def test_two_services_share_all_layers_but_their_code(default: Service, folder: Path):
    """The second one is built without the cache, as on another machine."""
    other = generate(folder / "other", service_name="other-service")
    image = f"other-service-{default.run_id}"
    certificates = find_certificates()
    secret = ("--secret", f"id=ca-certificates,src={certificates}") if certificates else ()
    run("docker", "build", "--no-cache", "--tag", image, *secret, other)
    try:
        one, two = layers(default.image), layers(image)
        assert one[:-1] == two[:-1] and one[-1] != two[-1]
    finally:
        docker("image", "rm", "--force", image)


def test_only_what_is_named_enters_the_build_context(default: Service, tmp_path: Path):
    canaries = [
        ".git",
        ".",
        "docs",
        f"src/{default.package}/__pycache__",
        "secrets",
        "node_modules",
        "docker",
        ".venv/lib",
    ]
    files = [default.project / folder / "canary.txt" for folder in canaries]
    files += [
        default.project / name for name in (".env", ".netrc", "id_rsa", f"src/{default.package}/.env", "docker/.env")
    ]
    made = []
    try:
        for file in files:
            made += [folder for folder in file.parents if not folder.exists()]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("canary")
        probe = tmp_path / "Dockerfile"
        probe.write_text("FROM scratch\nCOPY . /\n")
        # A Dockerfile elsewhere reads the ignore file of the context.
        run("docker", "build", "--quiet", "--file", probe, "--output", tmp_path / "context", default.project)
        context = {
            path.relative_to(tmp_path / "context").as_posix()
            for path in (tmp_path / "context").rglob("*")
            if path.is_file()
        }
        assert context >= {"requirements.txt", "docker/healthcheck.py", f"src/{default.package}/main.py"}
        assert [path for path in context if (tmp_path / "context" / path).read_text() == "canary"] == []
        allowed = {"requirements.txt", "requirements-dev.txt", "pyproject.toml"}
        allowed |= {f"docker/{name}" for name in ("healthcheck.py", "logging.json", "logs.py", "start.py")}
        allowed |= {f"docker/build/{path.name}" for path in (default.project / "docker" / "build").iterdir()}
        assert {path for path in context if not path.startswith(("src/", "tests/"))} == allowed
    finally:
        for file in files:
            file.unlink(missing_ok=True)
        for folder in sorted(set(made), key=lambda path: -len(path.parts)):
            if folder.exists():
                folder.rmdir()
