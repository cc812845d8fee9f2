"""What is in an image: its layers, and the size of each package in it."""

import itertools
import json
import posixpath
import re
import subprocess
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from ..errors import FleetError
from .engine import docker, find_image, find_layers, find_pull_sizes
from .packages import KEPT, Part, find_owners

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
BASE_LABEL = "org.opencontainers.image.base.name"
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True)
class Layer:
    """A layer; `pull` is its compressed size, and `digest` is that of the unpacked layer."""

    digest: str
    command: str
    size: int
    pull: int
    of_base: bool


@dataclass(frozen=True)
class Image:
    """An image; `hidden` is the size of the files that a later layer replaces or removes."""

    name: str
    platform: str
    base: str | None
    base_is_known: bool
    pull_is_estimated: bool
    layers: tuple[Layer, ...]
    parts: tuple[tuple[Part, int], ...]
    hidden: int

    @property
    def base_layers(self) -> int:
        return sum(layer.of_base for layer in self.layers)

    @property
    def size(self) -> int:
        return sum(layer.size for layer in self.layers)

    @property
    def pull(self) -> int:
        return sum(layer.pull for layer in self.layers)


def read_image(name: str, estimates: dict[str, int]) -> Image:
    """Read an image of the engine; pull it first if it is not there.

    `estimates` keeps the estimated sizes of layers, which take time, for another image with the same layers.
    """
    found = find_image(name)
    with tempfile.TemporaryFile() as file:
        # By its ID: for a name without a tag, docker saves all tags.
        docker("image", "save", "--", found["Id"], output=file)
        file.seek(0)
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                return _read_archive(name, archive, found.get("RepoDigests") or [], estimates)
        except (tarfile.TarError, zlib.error, KeyError, ValueError) as error:
            raise FleetError("image-unreadable", f"docker image save: {name} cannot be read: {error}") from None


def _read_archive(name: str, archive: tarfile.TarFile, digests: list[str], estimates: dict[str, int]) -> Image:
    """Read the archive that `docker image save` writes."""
    manifest = json.loads(_read(archive, "manifest.json"))[0]
    config = json.loads(_read(archive, manifest["Config"]))
    platform = f"{config['os']}/{config['architecture']}"
    settings = config.get("config") or {}
    diff_ids = config["rootfs"]["diff_ids"]
    base = (settings.get("Labels") or {}).get(BASE_LABEL)
    base_layers = find_layers(base, platform) if base else None
    of_base = len(base_layers) if base_layers and diff_ids[: len(base_layers)] == base_layers else 0

    tree = Tree()
    sizes, pulls, is_estimated = [], [], False
    for blob, diff_id in zip(manifest["Layers"], diff_ids, strict=True):
        with _open_member(archive, blob) as packed:
            kind = packed.read(4)
            compressed = kind.startswith((GZIP, ZSTD))
            packed.seek(0)
            if not compressed and diff_id not in estimates:
                estimates[diff_id] = _gzip_size(packed)
            pulls.append(archive.getmember(blob).size if compressed else estimates[diff_id])
            is_estimated |= not compressed
            packed.seek(0)
            sizes.append(tree.add(packed, is_zstd=kind.startswith(ZSTD)))
    if is_estimated and digests:
        known = find_pull_sizes(digests[0], platform)
        if known and len(known) == len(pulls):
            pulls, is_estimated = known, False

    commands = [entry.get("created_by", "") for entry in config.get("history", []) if not entry.get("empty_layer")]
    layers = [
        Layer(digest, _describe(command), size, pull, number < of_base)
        for number, (digest, command, size, pull) in enumerate(
            zip(diff_ids, itertools.chain(commands, itertools.repeat("")), sizes, pulls, strict=False)
        )
    ]
    parts = tree.parts(settings.get("WorkingDir", ""))
    hidden = sum(sizes) - sum(parts.values())
    ordered = tuple(sorted(parts.items(), key=lambda item: (-item[1], item[0])))
    return Image(name, platform, base, base_layers is not None, is_estimated, tuple(layers), ordered, hidden)


class Tree:
    """The files of an image, as its layers are put one on another."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.links: dict[str, str] = {}
        self.texts: dict[str, bytes] = {}

    def add(self, packed: IO[bytes], *, is_zstd: bool) -> int:
        """Put a layer on the tree; return the size of its files."""
        sizes: dict[str, int] = {}
        texts: dict[str, bytes] = {}
        removed, emptied = set(), set()
        with _unpack(packed) if is_zstd else tarfile.open(fileobj=packed) as layer:
            for entry in layer:
                path = posixpath.normpath(entry.name).lstrip("/")
                folder, name = posixpath.split(path)
                if name == OPAQUE:
                    emptied.add(folder)
                elif name.startswith(WHITEOUT):
                    removed.add(posixpath.join(folder, name.removeprefix(WHITEOUT)))
                elif not entry.isdir():
                    removed.add(path)
                    sizes[path] = entry.size
                    if entry.issym():
                        self.links[path] = entry.linkname
                    elif entry.isfile() and KEPT.search(path):
                        texts[path] = layer.extractfile(entry).read()  # type: ignore[union-attr]
        if removed or emptied:
            self.sizes = {
                path: size
                for path, size in self.sizes.items()
                if path not in removed and not any(p in removed or p in emptied for p in _parents(path))
            }
        self.sizes |= sizes
        self.texts |= texts
        return sum(sizes.values())

    def parts(self, working_folder: str) -> Counter[Part]:
        """Return the size of each part of the image."""
        owner = find_owners(
            {path: text for path, text in self.texts.items() if path in self.sizes}, self.links, working_folder
        )
        parts: Counter[Part] = Counter()
        for path, size in self.sizes.items():
            if size:
                parts[owner(path)] += size
        return parts


def _parents(path: str) -> Iterable[str]:
    while path := posixpath.dirname(path):
        yield path


def _describe(command: str) -> str:
    """Return the instruction of the Dockerfile that made a layer, without what the builder adds."""
    shell = re.match(r"(RUN )?(\|\d+ .*?)?/bin/sh -c (?P<nop>#\(nop\) )?", command)
    if shell:
        command = ("" if shell["nop"] else "RUN ") + command[shell.end() :]
    return " ".join(command.removesuffix("# buildkit").split())


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    with _open_member(archive, name) as file:
        return file.read()


def _open_member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is not a file")
    return file


def _gzip_size(file: IO[bytes]) -> int:
    """Return the size that a registry would store, if docker pushed the layer."""
    compressor = zlib.compressobj(wbits=31)
    size = 0
    while block := file.read(1 << 20):
        size += len(compressor.compress(block))
    return size + len(compressor.flush())


@contextmanager
def _unpack(packed: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """Open a layer that is compressed with zstd, which Python reads since 3.14 only."""
    with tempfile.TemporaryFile() as file:
        try:
            command: Any = ["zstd", "--decompress", "--stdout", "--quiet"]
            subprocess.run(command, input=packed.read(), stdout=file, check=True)
        except FileNotFoundError:
            message = "the image has layers that are compressed with zstd, which is not installed"
            raise FleetError("zstd-missing", message) from None
        except subprocess.CalledProcessError as error:
            raise ValueError(f"zstd ended with status {error.returncode}") from None
        file.seek(0)
        with tarfile.open(fileobj=file) as layer:
            yield layer
