"""Look for secrets in what a release leaves behind, in every form in which they may stand there."""

import base64
import contextlib
import gzip
import io
import json
import subprocess
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def forms(secret: str) -> set[bytes]:
    """Return the secret as it is, URL-encoded, and as base64 has it at any place in a longer text."""
    found = {secret, quote(secret), quote(secret, safe="")}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            encoded = encode(b"\0" * shift + secret.encode()).decode()
            # Without the characters that depend on what is beside the secret.
            found.add(encoded[(shift * 8 + 5) // 6 : len(secret + "\0" * shift) * 8 // 6])
    return {form.encode() for form in found}


def unpack(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the data and the files in it by name: an archive's, and decompressed ones."""
    if data.startswith(ZSTD):
        data = subprocess.run(["zstd", "--decompress", "--stdout"], input=data, capture_output=True, check=True).stdout
    elif data.startswith(GZIP):
        # Some packages ship files for tests that are broken.
        with contextlib.suppress(OSError, EOFError, zlib.error):
            data = gzip.decompress(data)
    if data[257:262] != b"ustar":
        yield name, data
        return
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            path = f"{name}: {member.name}"
            yield path, json.dumps([member.name, member.linkname, member.pax_headers]).encode()
            if member.isreg():
                content = archive.extractfile(member)
                assert content
                yield from unpack(path, content.read())


class Search:
    """The places searched, by kind, and the secrets found there."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.forms = {name: forms(secret) for name, secret in secrets.items()}
        self.places: dict[str, dict[str, int]] = {}
        self.found: set[tuple[str, str, str]] = set()

    def look(self, kind: str, name: str, data: str | bytes) -> None:
        """Search a text or the content of a file, unpacked."""
        places = self.places.setdefault(kind, {})
        for path, content in unpack(name, data.encode() if isinstance(data, str) else data):
            places[path] = places.get(path, 0) + len(content)
            for secret, wanted in self.forms.items():
                if any(form in content for form in wanted):
                    self.found.add((secret, kind, path))

    def look_on_disk(self, kind: str, folder: Path) -> None:
        """Search the files of a folder as they are, by grep, since there are many and large ones."""
        patterns = {form: secret for secret, wanted in self.forms.items() for form in wanted}
        options = [word for form in patterns for word in ("--regexp", form)]
        listed = subprocess.run(
            ["grep", "--recursive", "--text", "--only-matching", "--fixed-strings", *options, folder],
            capture_output=True,
        )
        assert listed.returncode in (0, 1), listed.stderr
        for line in listed.stdout.splitlines():
            path, _, form = line.partition(b":")
            self.found.add((patterns[form], kind, path.decode()))
        self.places[kind] = {str(folder): sum(file.lstat().st_size for file in folder.rglob("*"))}

    def kinds(self, secret: str) -> set[str]:
        return {kind for name, kind, _ in self.found if name == secret}

    def describe(self) -> str:
        """Return a line for each kind of place: what was searched."""
        return "\n".join(
            f"{kind}: {len(places)} places, {sum(places.values())} bytes, such as {next(iter(places))}"
            for kind, places in self.places.items()
        )
