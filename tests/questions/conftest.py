"""Print how many questions each kind of project asks."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "questions asked":
                case, number = value
                terminalreporter.write_line(f"{case}: {number} questions")
