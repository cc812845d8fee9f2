"""What is installed in an image, and what an SBOM says of it."""

import json
import re
from typing import Any
from urllib.parse import unquote

# Python code that prints the distributions and the Debian packages of the image in which it runs.
INSTALLED = r"""
import importlib.metadata, json, pathlib, re
folders = map(str, pathlib.Path("/").glob("*/**/site-packages"))
python = [d.metadata["Name"] for d in importlib.metadata.distributions(path=list(folders))]
records = [pathlib.Path("/var/lib/dpkg/status"), *pathlib.Path("/var/lib/dpkg/status.d").glob("*")]
text = "\n\n".join(r.read_text() for r in records if r.is_file() and not r.name.endswith(".md5sums"))
print(json.dumps({"pypi": python, "deb": re.findall("^Package: (.*)", text, re.MULTILINE)}))
"""


def read_installed(printed: str) -> dict[str, set[str]]:
    """Return the names that INSTALLED printed."""
    return {kind: {normalize(name) for name in names} for kind, names in json.loads(printed).items()}


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_sbom(sbom: dict[str, Any]) -> dict[str, set[str]]:
    """Return the names that an SBOM has of Python distributions and of Debian packages."""
    found: dict[str, set[str]] = {"pypi": set(), "deb": set()}
    for package in sbom["packages"]:
        for reference in package.get("externalRefs", []):
            purl = re.match("pkg:(pypi|deb/debian)/([^@]+)@", reference["referenceLocator"])
            if purl:
                found[purl[1].split("/")[0]].add(normalize(unquote(purl[2])))
    return found
