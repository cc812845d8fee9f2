"""Which services a test is run for, and how they are generated.

Those of one group share a worker, and so their image.
"""

from typing import Any

import pytest

STARTERS = ("flask", "django", "worker")
GROUPS = {"default": "production", "least_usual": "least_usual", "slim": "shared", "distroless": "shared"}
# Every starter but FastAPI, which the others are about, on every base.
STARTER_SERVICES: dict[str, dict[str, Any]] = {}
for starter in STARTERS:
    STARTER_SERVICES[starter] = {"framework": starter}
    for flavor in ("slim", "distroless"):
        STARTER_SERVICES[f"{starter}-{flavor}"] = {"framework": starter, "base": "shared", "flavor": flavor}
GROUPS |= {name: "shared" if "base" in answers else "starters" for name, answers in STARTER_SERVICES.items()}


def services(*names: str) -> list:
    """The parameters of a fixture or a test: these services, by the names of their fixtures."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(GROUPS[name])) for name in names]
