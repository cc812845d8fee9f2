"""`fleet report`, on images that the tests make: archives as `docker image save` writes them."""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from testing.fleet import command, environment

pytestmark = pytest.mark.xdist_group("fleet")

SITE = "opt/venv/lib/python3.13/site-packages"
RECORD = "one/__init__.py,sha256=x,1\nsingle.py,sha256=y,1\n../../../bin/one,,\none-1.0.dist-info/RECORD,,\n"
STATUS = "Package: libc6\nStatus: install ok installed\nVersion: 2.41-12\n"
# Stands in for docker: knows the images in the folder, and no registry.
DOCKER = """\
#!/bin/sh
for name; do :; done
file=$(dirname "$0")/images/$(echo "$name" | tr '/:' '__')
case "$*" in
    *'{{json .RootFS.Layers}}'*) kind=layers ;;
    'image inspect '*) kind=json ;;
    'image save '*) kind=tar ;;
    *) echo "Using default tag: latest" >&2; echo "no such image: $name" >&2; exit 1 ;;
esac
[ -e "$file.$kind" ] || { echo "no such image: $name" >&2; exit 1; }
cat "$file.$kind"
"""

Layer = Mapping[str, int | str]


@dataclass
class Engine:
    """A folder of images, and the command that reads them."""

    folder: Path
    layers: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, *layers: Layer, compress: bool = False, **labels: str) -> None:
        """Add an image; a layer gives a file's content, its size or, beginning with ->, the target of a link."""
        archive = io.BytesIO()
        packed, digests = [], []
        for layer in layers:
            content = pack({path: stored(value) for path, value in layer.items()})
            digests.append(f"sha256:{hashlib.sha256(content).hexdigest()}")
            packed.append(gzip.compress(content, mtime=0) if compress else content)
        config = {
            "os": "linux",
            "architecture": "amd64",
            "config": {"WorkingDir": "/app", "Labels": labels},
            "rootfs": {"diff_ids": digests},
            "history": [{"created_by": f"COPY number {number} # buildkit"} for number in range(len(layers))],
        }
        names = [f"blobs/{number}" for number in range(len(layers))]
        manifest = [{"Config": "config", "Layers": names}]
        files = {"manifest.json": json.dumps(manifest).encode(), "config": json.dumps(config).encode()}
        archive.write(pack(files | dict(zip(names, packed, strict=True))))
        identity = f"id-{len(self.layers)}"
        self.layers[name] = digests
        self.write(name, "json", json.dumps([{"Id": identity, "RepoDigests": []}]).encode())
        self.write(name, "layers", json.dumps(digests).encode())
        self.write(identity, "tar", archive.getvalue())

    def write(self, name: str, kind: str, content: bytes) -> None:
        (self.folder / "images" / f"{name.replace('/', '_').replace(':', '_')}.{kind}").write_bytes(content)

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        env = environment(self.folder / "tmp")
        env["PATH"] = f"{self.folder}:{env['PATH']}"
        return subprocess.run(command("report", *arguments), env=env, capture_output=True, text=True)

    def report(self, *arguments: str | Path) -> dict[str, Any]:
        ended = self.run("--json", *arguments)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


def stored(value: int | str) -> bytes | str:
    """Return the content of a file, or the target of a link."""
    if isinstance(value, str) and value.startswith("->"):
        return value.removeprefix("->")
    return value.encode() if isinstance(value, str) else bytes(value)


def pack(files: Mapping[str, bytes | str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for path, value in files.items():
            entry = tarfile.TarInfo(path)
            if isinstance(value, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, value
                archive.addfile(entry)
            else:
                entry.size = len(value)
                archive.addfile(entry, io.BytesIO(value))
    return content.getvalue()


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    (tmp_path / "images").mkdir()
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    return Engine(tmp_path)


def sizes(report: dict[str, Any], kind: str) -> dict[str, int]:
    parts = [part for part in report["parts"] if part["kind"] == kind]
    return {f"{part['name']} {part['version']}".rstrip(): part["size"] for part in parts}


def test_a_python_package_has_its_files_its_bytecode_and_its_programs(engine: Engine):
    engine.add(
        "service",
        {
            f"{SITE}/one-1.0.dist-info/RECORD": RECORD,
            f"{SITE}/one/__init__.py": 1000,
            f"{SITE}/one/__pycache__/__init__.cpython-313.pyc": 2000,
            f"{SITE}/single.py": 100,
            f"{SITE}/__pycache__/single.cpython-313.pyc": 200,
            "opt/venv/bin/one": 300,
            f"{SITE}/planted/data.bin": 5000,
            f"{SITE}/two-2.0.dist-info/METADATA": 40,
            f"{SITE}/two/module.py": 60,
        },
    )
    found = sizes(engine.report("service"), "Python package")
    assert found == {"one 1.0": 3600 + len(RECORD), "planted": 5000, "two 2.0": 40, "two": 60}


@pytest.mark.parametrize(
    "records",
    [
        {"var/lib/dpkg/info/libc6:amd64.list": "/.\n/lib/libc.so.6\n", "var/lib/dpkg/status": STATUS},
        {"var/lib/dpkg/status.d/libc6.md5sums": "d41d8c  usr/lib/libc.so.6\n", "var/lib/dpkg/status.d/libc6": STATUS},
    ],
    ids=["dpkg", "distroless"],
)
def test_a_debian_package_has_its_files(engine: Engine, records: Layer):
    engine.add("service", {"lib": "->usr/lib", "usr/lib/libc.so.6": 7000, "usr/share/more": 30, **records})
    report = engine.report("service")
    assert sizes(report, "Debian package") == {"libc6 2.41-12": 7000}
    assert sizes(report, "other")["/usr/share"] == 30


def test_files_that_a_later_layer_replaces_or_removes_count_once_as_hidden(engine: Engine):
    engine.add(
        "service",
        {"app/a": 100, "app/gone": 20, "app/old/x": 3, "app/old/y": 4, "app/emptied/z": 5},
        {"app/a": 200, "app/.wh.gone": 0, "app/.wh.old": 0, "app/emptied/.wh..wh..opq": 0, "app/emptied/new": 6},
    )
    report = engine.report("service")
    assert sizes(report, "app") == {"/app/a": 200, "/app/emptied": 6}
    assert (report["hidden"], report["size"]) == (100 + 20 + 7 + 5, 338)
    assert [layer["size"] for layer in report["layers"]] == [132, 206]


BASE = {"usr/local/lib/libpython3.13.so": 900}
LABEL = "org.opencontainers.image.base.name"


def test_the_layers_of_the_base_image_stand_beside_the_own_ones(engine: Engine):
    engine.add("python:3.13", BASE)
    engine.add("service", BASE, {"app/main.py": 50}, **{LABEL: "python:3.13"})
    report = engine.report("service")
    assert [layer["of_base"] for layer in report["layers"]] == [True, False]
    text = engine.run("service").stdout
    assert "base       900 B" in text and "own         50 B" in text and "The base image is python:3.13" in text


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({}, "The image does not name its base image, so all layers count as its own."),
        ({LABEL: "gone:1"}, "The base image cannot be found, so all layers count as the image's own: gone:1"),
        ({LABEL: "other:1"}, "No layer is one of the base image's: other:1"),
    ],
    ids=["unnamed", "missing", "from-scratch"],
)
def test_it_says_why_no_layer_is_the_bases(engine: Engine, labels: dict[str, str], sentence: str):
    engine.add("other:1", {"etc/other": 1})
    engine.add("service", BASE, {"app/main.py": 50}, **labels)
    text = engine.run("service").stdout
    assert sentence in text.splitlines() and "base " not in text.split("\n\n")[1]


def test_what_is_to_pull_is_the_compressed_size_or_an_estimate(engine: Engine):
    content = {"app/zeros": 100_000}
    engine.add("compressed", content, compress=True)
    engine.add("unpacked", content)
    compressed, estimated = engine.report("compressed"), engine.report("unpacked")
    assert (compressed["pull_is_estimated"], estimated["pull_is_estimated"]) == (False, True)
    assert 0 < compressed["pull"] < 1000 and abs(compressed["pull"] - estimated["pull"]) < 100
    assert "estimated" in engine.run("unpacked").stdout and "estimated" not in engine.run("compressed").stdout


def test_a_layer_in_zstd_is_read_by_the_program_zstd(engine: Engine):
    engine.add("service", {"app/x": 100}, compress=True)
    archive = engine.folder / "images/id-0.tar"
    with tarfile.open(archive) as saved:
        files = {entry.name: saved.extractfile(entry).read() for entry in saved}  # type: ignore[union-attr]
    files["blobs/0"] = b"\x28\xb5\x2f\xfd" + gzip.decompress(files["blobs/0"])
    archive.write_bytes(pack(files))
    # The stand-in removes the magic number, and nothing is compressed.
    (engine.folder / "zstd").write_text("#!/bin/sh\nexec tail -c +5\n")
    (engine.folder / "zstd").chmod(0o755)
    report = engine.report("service")
    assert (report["size"], report["pull"], report["pull_is_estimated"]) == (100, len(files["blobs/0"]), False)

    (engine.folder / "zstd").unlink()
    for program in ("sh", "cat", "tr", "dirname"):
        (engine.folder / program).symlink_to(shutil.which(program) or "")
    env = environment(engine.folder / "tmp") | {"PATH": str(engine.folder)}
    ended = subprocess.run(command("report", "service"), env=env, capture_output=True, text=True)
    sentence = "fleet: the image has layers that are compressed with zstd, which is not installed\n"
    assert (ended.returncode, ended.stderr) == (1, sentence)


def test_the_difference_names_packages_by_version_and_what_was_added(engine: Engine):
    def layer(version: str) -> Layer:
        record = f"one/__init__.py,,\none-{version}.dist-info/RECORD,,\n"
        return {f"{SITE}/one-{version}.dist-info/RECORD": record, f"{SITE}/one/__init__.py": 10}

    engine.add("old", BASE, layer("1.0"), {"app/dropped": 70_000})
    engine.add("new", BASE, layer("1.1"), {"app/data.bin": 5_000_000})
    report = engine.report("new", "--against", "old")
    assert report["against"]["changes"] == [
        {"what": "/app/data.bin (added)", "size": 5_000_000},
        {"what": "/app/dropped (removed)", "size": -70_000},
        {"what": "one 1.0 -> 1.1", "size": 0},
    ]
    text = engine.run("new", "--against", "old").stdout
    assert "   +5.0 MB  /app/data.bin (added)" in text and "2 of 3 layers" in text
    same = engine.run("new", "--against", "new").stdout
    assert "No package and no folder has another size or version." in same and "0 of 3 layers" in same


def test_the_tables_fit_a_terminal_and_the_drawing_is_svg(engine: Engine, tmp_path: Path):
    name = f"{'a-very-long-name' * 8}<&>\u202e"
    engine.add("service", {f"{SITE}/{name}/data": 10, f"app/{name}": 20, f"opt/{name}/x": 30})
    text = engine.run("service", "--svg", tmp_path / "report.svg").stdout
    assert max(len(line) for line in text.splitlines()) <= 80 and "\u202e" not in text
    drawing = (tmp_path / "report.svg").read_text()
    assert "prefers-color-scheme: dark" in drawing and ElementTree.fromstring(drawing).tag.endswith("svg")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["gone"], "docker image pull: no such image: gone"),
        (["service", "--against", "gone"], "docker image pull: no such image: gone"),
        (["service", "--svg", "no-such-folder/report.svg"], "No such file or directory"),
        (["broken"], "docker image save: broken cannot be read"),
        (["cut"], "docker image save: cut cannot be read"),
    ],
)
def test_an_error_is_one_sentence(engine: Engine, arguments: list[str], reason: str):
    engine.add("service", {"app/x": 1})
    engine.add("cut", {"app/x": 1})
    for name, content in (("broken", b"no archive"), ("cut", (engine.folder / "images/id-1.tar").read_bytes()[:1000])):
        engine.write(name, "json", json.dumps([{"Id": name}]).encode())
        engine.write(name, "tar", content)
    ended = engine.run(*arguments)
    assert ended.returncode == 1 and not ended.stdout
    assert ended.stderr.startswith("fleet: ") and reason in ended.stderr and ended.stderr.count("\n") == 1


def test_without_docker_it_says_so(engine: Engine):
    (engine.folder / "docker").unlink()
    env = environment(engine.folder / "tmp") | {"PATH": str(engine.folder)}
    ended = subprocess.run(command("report", "service"), env=env, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (1, "fleet: docker is not installed\n")
