"""What all tests share: isolation from the machine, and the engine."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from testing.engine import EngineError, ensure_engine
from testing.git import isolate_git
from testing.score import describe_scores
from testing.template import isolate_copier


def pytest_configure() -> None:
    # A shell starts background commands with SIGINT ignored, and child processes inherit that.
    # Tests send SIGINT to children, so restore Python's own handler.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A make that a test starts must not take over the options of the `make` that runs the tests.
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session", autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the configuration of the user and of the machine away from git and Copier."""
    folder = tmp_path_factory.mktemp("isolated")
    isolate_git(folder)
    isolate_copier(folder)
    return folder


@pytest.fixture(scope="session")
def engine(isolated: Path) -> None:
    """Reach a Docker Engine, or start one.

    If that is impossible, skip the test with the reason, or fail it if REQUIRE_ENGINE is set.
    """
    try:
        ensure_engine()
    except EngineError as error:
        (pytest.fail if os.environ.get("REQUIRE_ENGINE") else pytest.skip)(str(error))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the scores, how much the update tests covered, the commands of each page, and the fault table."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    scores = dict(value for report in reports for key, value in report.user_properties if key == "score")
    if scores:
        terminalreporter.write_line(describe_scores(dict(sorted(scores.items()))))
    edits = [value for report in reports for key, value in report.user_properties if key == "updated with edits"]
    if edits:
        terminalreporter.write_line(
            f"updated {len(edits)} projects (a release and a set of answers each) with {sum(edits)} edits in all"
        )
    commands = [value for report in reports for key, value in report.user_properties if key == "commands"]
    for page, count in sorted(commands):
        terminalreporter.write_line(f"docs/{page}: {count} commands")
    if os.environ.get("FAULTS") == "all":
        reports = [report for name in ("passed", "failed", "error") for report in terminalreporter.getreports(name)]
        print_faults(terminalreporter, reports)


def print_faults(terminalreporter: pytest.TerminalReporter, reports: Sequence[pytest.TestReport]) -> None:
    """Print a Markdown table of what the tests of the faults measured: a row each, and a column for each service."""
    cells: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}
    for report in reports:
        for key, value in report.user_properties:
            if key == "fault":
                row, column, figure = value
                columns[column] = None
                # The last value counts: the first one is empty, for a test that does not come to its figure.
                cells.setdefault(row, {})[column] = "**failed**" if report.failed else figure
    if not cells:
        return
    terminalreporter.write_sep("=", "faults")
    for line in (["fault", *columns], ["---"] * (len(columns) + 1)):
        terminalreporter.write_line(f"| {' | '.join(line)} |")
    for row, figures in cells.items():
        terminalreporter.write_line(f"| {' | '.join([row, *(figures.get(column, '') for column in columns)])} |")
