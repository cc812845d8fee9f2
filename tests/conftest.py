"""Fixtures that every kind of test shares."""

import os

import pytest
from support import start_engine


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker Engine that answers, started where there is none; the environment points to it.

    Without one the test is skipped with the reason, or fails where REQUIRE_ENGINE is set.
    """
    if reason := start_engine():
        (pytest.fail if os.environ.get("REQUIRE_ENGINE") else pytest.skip)(reason)
