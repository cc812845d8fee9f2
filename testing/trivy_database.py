"""Write a database of vulnerabilities for Trivy, which has no other way to get one without a network.

The format is that of bbolt, an embedded key-value store: pages, of which the first two say where the rest is.
"""

import json
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PAGE = 4096
META, LEAF, FREELIST = 4, 2, 16

# The values of a bucket are bytes, or buckets.
Bucket = dict[str, Any]


def write_database(cache: Path, packages: dict[str, dict[str, str | None]]) -> None:
    """Write a database in which each version of these Python packages has vulnerabilities of high severity.

    `packages` gives the ids of the vulnerabilities of each package, and the version that fixes one, or None.
    """
    advisories: Bucket = {}
    details: Bucket = {}
    for package, vulnerabilities in packages.items():
        of_package: Bucket = {}
        for name, fixed in vulnerabilities.items():
            versions = {"VulnerableVersions": [">=0"], "PatchedVersions": [fixed] if fixed else []}
            of_package[name] = json.dumps(versions).encode()
            details[name] = json.dumps({"Title": name, "Severity": "HIGH"}).encode()
        advisories[package] = of_package
    source = "pip::a database for tests"
    described = json.dumps({"ID": "test", "Name": "test", "URL": "https://example.com/"}).encode()
    folder = cache / "db"
    folder.mkdir(parents=True)
    content: Bucket = {source: advisories, "data-source": {source: described}, "vulnerability": details}
    (folder / "trivy.db").write_bytes(bolt(content))
    now = datetime.now(UTC)
    dates = {"UpdatedAt": now, "DownloadedAt": now, "NextUpdate": now + timedelta(days=1)}
    metadata = {"Version": 2} | {key: date.isoformat() for key, date in dates.items()}
    (folder / "metadata.json").write_text(json.dumps(metadata))


def bolt(root: Bucket) -> bytes:
    """Return a bbolt database with these buckets."""
    pages = [b"", b"", page(2, FREELIST, 0, b"")]
    top = add(pages, root)
    for number in (0, 1):
        meta = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, top, 0, 2, len(pages), number)
        pages[number] = page(number, META, 0, meta + struct.pack("<Q", fnv(meta)))
    # bbolt maps at least 32 kB.
    return b"".join(pages).ljust(8 * PAGE, b"\0")


def add(pages: list[bytes], bucket: Bucket) -> int:
    """Append a bucket to the pages, those in it first; return the number of its page."""
    entries = []
    for key, value in sorted(bucket.items()):
        flag = 0
        if isinstance(value, dict):
            flag, value = 1, struct.pack("<QQ", add(pages, value), 0)
        entries.append((flag, key.encode(), value))
    offset = 16 * len(entries)
    elements = data = b""
    for position, (flag, name, content) in enumerate(entries):
        elements += struct.pack("<IIII", flag, offset + len(data) - 16 * position, len(name), len(content))
        data += name + content
    pages.append(page(len(pages), LEAF, len(entries), elements + data))
    return len(pages) - 1


def page(number: int, kind: int, count: int, content: bytes) -> bytes:
    assert len(content) <= PAGE - 16, "larger buckets need several pages"
    return (struct.pack("<QHHI", number, kind, count, 0) + content).ljust(PAGE, b"\0")


def fnv(content: bytes) -> int:
    """Return the checksum FNV-1a."""
    value = 0xCBF29CE484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
