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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much the update tests covered: releases and answers, and the edits made in each."""
    reports = terminalreporter.getreports("passed")
    edits = [value for report in reports for key, value in report.user_properties if key == "updated with edits"]
    if edits:
        terminalreporter.write_line(f"updated {len(edits)} projects (release x answers) with {sum(edits)} edits in all")
