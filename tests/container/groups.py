"""Which services a test is run for; those of one group share a worker, and so their image."""

import pytest

GROUPS = {"default": "production", "least_usual": "least_usual", "slim": "shared", "distroless": "shared"}


def services(*names: str) -> list:
    """The parameters of a fixture or a test: these services, by the names of their fixtures."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(GROUPS[name])) for name in names]
