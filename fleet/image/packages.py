"""Which package of an image a file belongs to."""

import csv
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

PYTHON_PACKAGE, DEBIAN_PACKAGE, PYTHON, APP, OTHER = "Python package", "Debian package", "Python", "app", "other"
KINDS = (PYTHON_PACKAGE, DEBIAN_PACKAGE, PYTHON, APP, OTHER)

# The records of pip and uv, of dpkg, and of distroless images, which have no dpkg.
KEPT = re.compile(
    r"\.dist-info/RECORD$|^var/lib/dpkg/(info/[^/]+\.list|status|status\.d/[^/]+)$",
)
SITE = re.compile(r"(?:^|/)(?:site|dist)-packages/(?P<top>[^/]+?)(?:/|\.py$|\.[^/]*so$)")
DISTRIBUTION = re.compile(r"(?P<name>[^/]+?)-(?P<version>[^/-]+)\.(?:dist|egg)-info")
BYTECODE = re.compile(r"(.*/)?__pycache__/([^/]+?)\.[^/]*\.pyc")


class Part(NamedTuple):
    """A package, or a file or folder that belongs to none."""

    kind: str
    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


def find_owners(texts: Mapping[str, bytes], links: Mapping[str, str], working_folder: str) -> Callable[[str], Part]:
    """Return a function that tells the part to which a path belongs.

    `texts` are the records of the package managers by their paths, and `links` the symbolic links.
    """
    records = {path: text.decode(errors="replace") for path, text in texts.items()}
    owners = dict(_read_debian(records, links)) | dict(_read_python(records))
    app = working_folder.strip("/")
    versions: dict[str, Part] = {}
    for part in owners.values():
        if part.kind == PYTHON_PACKAGE:
            versions[_normalize(part.name)] = part

    def find(path: str) -> Part:
        compiled = BYTECODE.fullmatch(path)
        source = f"{compiled[1] or ''}{compiled[2]}.py" if compiled else path
        if source in owners:
            return owners[source]
        site = SITE.search(source)
        if site:
            return _guess(site["top"], versions)
        if app and path.startswith(f"{app}/"):
            return Part(APP, _top(path, app.count("/") + 2))
        if path.startswith("usr/local/"):
            return Part(PYTHON, _top(path, 3))
        return Part(OTHER, _top(path, 2))

    return find


def _read_python(records: Mapping[str, str]) -> Iterator[tuple[str, Part]]:
    for path, text in records.items():
        if not path.endswith("/RECORD"):
            continue
        folder = posixpath.dirname(path)
        part = _guess(posixpath.basename(folder), {})
        for row in csv.reader(text.splitlines()):
            if row:
                yield posixpath.normpath(posixpath.join(posixpath.dirname(folder), row[0])).lstrip("/"), part


def _read_debian(records: Mapping[str, str], links: Mapping[str, str]) -> Iterator[tuple[str, Part]]:
    versions = {}
    for path, text in records.items():
        if "/dpkg/status" in path and not path.endswith(".md5sums"):
            for paragraph in re.split(r"\n\s*\n", text):
                fields = dict(re.findall(r"^(Package|Version): (.*)$", paragraph, re.MULTILINE))
                versions[fields.get("Package", "")] = fields.get("Version", "")
    for path, text in records.items():
        package, extension = posixpath.splitext(posixpath.basename(path))
        if extension not in {".list", ".md5sums"}:
            continue
        package = package.partition(":")[0]
        part = Part(DEBIAN_PACKAGE, package, versions.get(package, ""))
        for line in text.splitlines():
            file = line.split("  ", 1)[-1] if extension == ".md5sums" else line
            # Packages may name /lib, which is a link to /usr/lib.
            top, slash, rest = file.lstrip("/").partition("/")
            yield f"{links.get(top, top).lstrip('/')}{slash}{rest}", part


def _guess(top: str, versions: Mapping[str, Part]) -> Part:
    """Return the package to which a file or folder in site-packages belongs, by its name."""
    distribution = DISTRIBUTION.fullmatch(top)
    if distribution:
        return Part(PYTHON_PACKAGE, _normalize(distribution["name"]), distribution["version"])
    name = _normalize(top)
    return versions.get(name, Part(PYTHON_PACKAGE, name))


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _top(path: str, depth: int) -> str:
    """Return the first folders of a path."""
    return "/" + "/".join(path.split("/")[:depth])
