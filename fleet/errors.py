"""Errors that fleet reports, and results that are a value or an error."""

import traceback
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")

# The code of an error that nobody expected, which deserves a bug report.
UNEXPECTED = "unexpected"


class FleetError(Exception):
    """An error with a code for programs, a sentence for people and, if there is one, a cure."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Success(Generic[Value]):
    """The value of a task that succeeded."""

    value: Value


@dataclass(frozen=True)
class Failure:
    """The error of a task that failed."""

    code: str
    message: str
    hint: str = ""
    traceback: str = ""

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """Describe an exception that was just caught."""
        trace = traceback.format_exc()
        if isinstance(error, FleetError):
            return cls(error.code, error.message, error.hint, trace)
        # Errors of Copier and of the operating system are expected.
        message = summarize(str(error)) or type(error).__name__
        module = type(error).__module__.partition(".")[0]
        if module == "copier" or message.startswith("Validation error for question"):
            return cls("copier-failed", message, traceback=trace)
        if isinstance(error, OSError):
            return cls("system-error", message, traceback=trace)
        return cls(UNEXPECTED, message, "report this with the traceback on stderr", trace)


def summarize(text: str) -> str:
    """Return the line of an error message that gives the reason: git's `fatal:` or `error:`, or else the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if line.startswith(("fatal: ", "error: ")):
            return line.partition(": ")[2]
    return lines[0] if lines else ""
