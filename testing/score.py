"""Build every kind of service, run each as in production, and print its score by the checklist.

    python -m testing.score

`make score` runs this. It writes the same table to docs/checklist.md, with the items.
"""

import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from testing import ROOT
from testing.answers import STARTERS
from testing.checklist import ITEMS, Subject, applicable, gather, missing
from testing.engine import EngineError, ensure_engine
from testing.process import run
from testing.service import BaseImage, Service
from testing.template import adopt, generate, isolate_copier

PAGE = ROOT / "docs" / "checklist.md"
INTRODUCTION = """\
# The container checklist

60 items, one point each, merged from the CIS Docker Benchmark, OWASP's Docker rules, NIST SP 800-190, the
Kubernetes Pod Security Standards, Dockle, Trivy, Checkov and the tests of the official images. `testing/checklist`
checks them on the files, on the image, and on the running container by what the kernel and the engine say of it.
`make test` checks the services that it builds; `make score` builds every kind of service and writes this page.
Other tests send a container faults (memory, processes and `/tmp` used up) and look for canaries in builds.

For the adopted service, items 35 and 39 are its owner's: it has no bot, and no hashes in its requirements.
"""


def describe_items() -> str:
    """Return the table of all items."""
    rows = [f"| {item.number} | {item.title} | {item.met_by} |" for item in ITEMS]
    return "\n".join(["| # | item | how it is met |", "|---|---|---|", *rows, ""])


def describe_scores(scores: dict[str, tuple[int, dict[int, str]]]) -> str:
    """Return the table of scores, and below it the reasons of what is missing."""
    rows = [
        f"| {kind} | {asked - len(found)}/{asked} | {', '.join(map(str, found)) or 'nothing'} |"
        for kind, (asked, found) in scores.items()
    ]
    reasons = sorted({(number, reason) for _, found in scores.values() for number, reason in found.items()})
    table = ["| kind of service | score | missing items |", "|---|---|---|", *rows, ""]
    return "\n".join([*table, *(f"- {number}: {reason}." for number, reason in reasons), ""])


def subjects(folder: Path) -> Iterator[tuple[str, Subject]]:
    """Build and run every kind of service, one after the other."""
    name = f"score-base-{uuid.uuid4().hex[:8]}"
    with BaseImage(generate(folder / "base", kind="base-image", image_name=name)) as base:
        base.make("build")
        for framework in ("fastapi", *STARTERS):
            for base_kind in ("upstream", "shared"):
                for flavor in ("slim", "distroless"):
                    kind = f"{framework}, {base_kind}, {flavor}"
                    answers = {"framework": framework, "base": base_kind, "flavor": flavor, "base_image": base.name}
                    project = generate(folder / kind.replace(", ", "-"), service_name=f"score-{framework}", **answers)
                    with Service(project) as service:
                        service.build()
                        with service.production():
                            yield kind, gather(service)
    with Service(adopt("shop", folder / "shop")) as shop:
        shop.bake("image")
        with shop.production():
            yield "an existing service, adopted", gather(shop)
    run(ROOT / "engine" / "build-haproxy")
    with Service(generate(folder / "proxied", service_name="score-proxied", targets=["proxy"])) as proxied:
        proxied.build()
        with proxied.production():
            yield "fastapi behind the proxy", gather(proxied)
            yield "the proxy: only what can be asked of an image of others", gather(proxied, f"{proxied.name}-proxy")


def main() -> None:
    ensure_engine()
    scores = {}
    with tempfile.TemporaryDirectory(prefix="score-") as folder:
        isolate_copier(Path(folder))
        for kind, subject in subjects(Path(folder)):
            scores[kind] = len(applicable(subject)), missing(subject)
            print(f"{kind}: misses {', '.join(map(str, scores[kind][1])) or 'nothing'}", file=sys.stderr)
    print(describe_scores(scores))
    sections = (INTRODUCTION, "## Scores", describe_scores(scores), "## Items", describe_items())
    PAGE.write_text("\n".join(f"{section}\n" if section.startswith("##") else section for section in sections))


if __name__ == "__main__":
    try:
        main()
    except EngineError as error:
        sys.exit(f"make score: {error}")
