"""The report as text for a terminal of 80 columns, and as JSON."""

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Iterator

from .contents import Image
from .packages import APP, DEBIAN_PACKAGE, KINDS, OTHER, PYTHON, PYTHON_PACKAGE, Part

WIDTH = 80
LARGEST = 10
HEADINGS = {
    PYTHON_PACKAGE: "Python packages",
    DEBIAN_PACKAGE: "Debian packages",
    PYTHON: "Python itself",
    APP: "the app",
    OTHER: "other files",
}


def megabytes(size: int, sign: str = "") -> str:
    """Return a size as docker prints it, in powers of 1000."""
    for unit, name in ((1_000_000, "MB"), (1_000, "kB")):
        if abs(size) >= unit:
            return f"{size / unit:{sign}.1f} {name}"
    return f"{size:{sign}} B"


def describe(image: Image) -> Iterator[str]:
    """Yield the lines of the report on an image."""
    yield f"{image.name}, {image.platform}"
    yield ""
    yield f"{'layer':<6}{'unpacked':>10}{'to pull':>10}  made by"
    for layer in image.layers:
        row = f"{'base' if layer.of_base else 'own':<6}{megabytes(layer.size):>10}{megabytes(layer.pull):>10}  "
        yield _cut(row + layer.command)
    for name, of_base in (("base", True), ("own", False)) if image.base_layers else ():
        layers = [layer for layer in image.layers if layer.of_base is of_base]
        size, pull = sum(layer.size for layer in layers), sum(layer.pull for layer in layers)
        yield f"{name:<6}{megabytes(size):>10}{megabytes(pull):>10}  {count(len(layers), 'layer')} together"
    together = f"{count(len(image.layers), 'layer')} together"
    yield f"{'all':<6}{megabytes(image.size):>10}{megabytes(image.pull):>10}  {together}"
    yield ""
    yield describe_base(image)
    if image.pull_is_estimated:
        yield "What is to pull is estimated with gzip: the image is not from a registry."
    yield ""
    yield f"{'unpacked':>10}{'share':>8}  what"
    for name, size in by_kind(image):
        yield f"{megabytes(size):>10}{size / max(image.size, 1):>8.0%}  {name}"
    yield ""
    yield f"{'unpacked':>10}  {'Python package':<28}{'unpacked':>10}  Debian package"
    pairs = itertools.zip_longest(largest(image, PYTHON_PACKAGE), largest(image, DEBIAN_PACKAGE))
    for left, right in pairs:
        yield f"{_cell(left):<40}{_cell(right)}".rstrip()
    yield ""
    yield f"{'unpacked':>10}  in no package"
    for cell in largest(image, PYTHON, APP, OTHER):
        yield _cell(cell)


def describe_base(image: Image) -> str:
    """Say which layers are the base image's, or why that is not known."""
    if image.base is None:
        return "The image does not name its base image, so all layers count as its own."
    if not image.base_is_known:
        return f"The base image cannot be found, so all layers count as the image's own: {image.base}"
    if not image.base_layers:
        return f"No layer is one of the base image's: {image.base}"
    return f"The base image is {image.base}"


def by_kind(image: Image) -> list[tuple[str, int]]:
    """Return how many bytes each kind of files has; the sum is the size of the image."""
    sizes: Counter[str] = Counter()
    for part, size in image.parts:
        sizes[part.kind] += size
    found = [(HEADINGS[kind], sizes[kind]) for kind in KINDS if sizes[kind]]
    return [*found, ("replaced or removed by a later layer", image.hidden)] if image.hidden else found


def largest(image: Image, *kinds: str) -> list[tuple[Part, int]]:
    return [(part, size) for part, size in image.parts if part.kind in kinds][:LARGEST]


def describe_difference(image: Image, other: Image) -> Iterator[str]:
    """Yield the lines that say how an image differs from another one."""
    had = {layer.digest for layer in other.layers}
    new = [layer for layer in image.layers if layer.digest not in had]
    yield f"Against {other.name}, {other.platform}"
    yield ""
    yield f"{megabytes(image.size - other.size, '+'):>10}  unpacked"
    yield f"{megabytes(image.pull - other.pull, '+'):>10}  to pull"
    pull = megabytes(sum(layer.pull for layer in new))
    yield f"{pull:>10}  to pull in {len(new)} of {count(len(image.layers), 'layer')}, which the other one does not have"
    yield ""
    changes = compare(image, other)
    if not changes:
        yield "No package and no folder has another size or version."
        return
    yield f"{'unpacked':>10}  what changed"
    for change in changes[: 2 * LARGEST]:
        yield _cut(f"{megabytes(change.size, '+'):>10}  {change.what}")
    if len(changes) > 2 * LARGEST:
        rest = changes[2 * LARGEST :]
        yield f"{megabytes(sum(change.size for change in rest), '+'):>10}  in {len(rest)} more"


@dataclasses.dataclass(frozen=True)
class Change:
    """How many bytes a package or a folder has more than in the other image."""

    what: str
    size: int


def compare(image: Image, other: Image) -> list[Change]:
    """Return what differs between two images, the largest difference first."""
    here, there = ({(part.kind, part.name): (part, size) for part, size in side.parts} for side in (image, other))
    changes = []
    for key in here.keys() | there.keys():
        new, size = here.get(key, (None, 0))
        old, old_size = there.get(key, (None, 0))
        if size == old_size and (new and new.version) == (old and old.version):
            continue
        if new and old:
            what = str(new) if new.version == old.version else f"{old} -> {new.version}"
        else:
            what = f"{new} (added)" if new else f"{old} (removed)"
        changes.append(Change(what, size - old_size))
    if image.hidden != other.hidden:
        changes.append(Change("replaced or removed by a later layer", image.hidden - other.hidden))
    return sorted(changes, key=lambda change: (-abs(change.size), change.what))


def to_json(image: Image, other: Image | None) -> str:
    """Return the report as one JSON object."""
    found = _to_dict(image)
    if other:
        changes = [dataclasses.asdict(change) for change in compare(image, other)]
        found["against"] = _to_dict(other) | {"changes": changes}
    return json.dumps(found, indent=2)


def _to_dict(image: Image) -> dict[str, object]:
    found = dataclasses.asdict(image) | {"size": image.size, "pull": image.pull}
    return found | {"parts": [part._asdict() | {"size": size} for part, size in image.parts]}


def count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _cell(entry: tuple[Part, int] | None) -> str:
    if entry is None:
        return ""
    part, size = entry
    return _cut(f"{megabytes(size):>10}  {part}", 39)


def _cut(text: str, width: int = WIDTH) -> str:
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable if len(printable) <= width else f"{printable[: width - 1]}…"
