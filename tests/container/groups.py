"""The xdist group of each service: the tests of one group share a worker, and so the service's image."""

from collections.abc import Sequence
from typing import Any

import pytest

from testing.answers import BUILT

GROUPS = {name: "shared" if "base" in answers else "starters" for name, answers in BUILT.items()}
GROUPS |= {"default": "production", "least_usual": "least_usual"}
# The services that have a fixture of their own.
FIXTURES = ("default", "least_usual", "slim", "distroless")


def services(*names: str) -> Sequence[Any]:
    """Return the parameters of a fixture or a test that is run for these services."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(GROUPS[name])) for name in names]
