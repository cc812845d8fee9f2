"""Items 56 to 59: what proves where an image comes from.

The checks look for the steps of a release and of a pipeline. tests/container/test_supply_chain.py,
test_pipelines.py and test_reproducible.py show what the steps do.
"""

import re
from collections.abc import Iterator

from testing.checklist.facts import Subject
from testing.checklist.items import item


def runs(s: Subject, target: str) -> bool:
    """Return whether a pipeline runs a target of the Makefile."""
    return bool(re.search(rf"\bmake {target}\b", s.pipelines))


@item(56, "The SBOM matches the image", "`make release` attaches it; the pipeline verifies it", of_image=True)
def sbom(s: Subject) -> Iterator[str]:
    if "type=sbom" not in s.files.get("docker-bake.hcl", ""):
        yield "a release has no SBOM"
    if not (runs(s, "release") and runs(s, "verify")):
        yield "no pipeline releases the image and verifies its SBOM"


@item(57, "Provenance, and a signature", "`make release` and `make sign`, by the pipeline", of_image=True)
def provenance(s: Subject) -> Iterator[str]:
    if "type=provenance" not in s.files.get("docker-bake.hcl", ""):
        yield "a release has no provenance"
    if not runs(s, "sign"):
        yield "no pipeline signs the image"


@item(58, "A scan for vulnerabilities in CI", "`make scan`, by the pipeline", of_image=True)
def scan(s: Subject) -> Iterator[str]:
    if not runs(s, "scan"):
        yield "no pipeline scans the image"


@item(59, "A rebuild gives the same digest", "the commit's time for files, and equal times for layers", of_image=True)
def reproducible(s: Subject) -> Iterator[str]:
    if "rewrite-timestamp=true" not in s.files.get("docker-bake.hcl", ""):
        yield "a release keeps the time of its build in the image"
