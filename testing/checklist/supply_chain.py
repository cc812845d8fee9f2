"""Items 56 to 59: what proves where an image comes from. The template generates no pipeline yet.

The checks of 56 to 58 look for the steps of a pipeline and of a release. What the steps do is to be tested when
there are any. `make reproducible` compares the digests of two builds.
"""

import re
from collections.abc import Iterator

from testing.checklist.facts import Subject
from testing.checklist.items import item


@item(56, "The SBOM matches the image", "planned", of_image=True)
def sbom(s: Subject) -> Iterator[str]:
    if "type=sbom" not in s.files.get("docker-bake.hcl", ""):
        yield "a release has no SBOM"
    if not re.search(r"\bsbom\b", s.pipelines):
        yield "no pipeline compares the SBOM with the image"


@item(57, "Provenance, and a signature", "planned", of_image=True)
def provenance(s: Subject) -> Iterator[str]:
    if "type=provenance" not in s.files.get("docker-bake.hcl", ""):
        yield "a release has no provenance"
    if not re.search(r"cosign sign\b", s.pipelines):
        yield "no pipeline signs the image"


@item(58, "A scan for vulnerabilities in CI", "planned", of_image=True)
def scan(s: Subject) -> Iterator[str]:
    if not re.search(r"\b(trivy|grype|osv-scanner)\b", s.pipelines):
        yield "no pipeline scans the image"


@item(59, "A rebuild gives the same digest", "the commit's time for files, and equal times for layers", of_image=True)
def reproducible(s: Subject) -> Iterator[str]:
    if "rewrite-timestamp=true" not in s.files.get("docker-bake.hcl", ""):
        yield "a release keeps the time of its build in the image"
