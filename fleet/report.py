"""What the user sees: a report on each service, as a table or as JSON, and the progress."""

import dataclasses
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from .errors import Failure
from .results import Outcome, Position, Status, Update, describe_problems

COLOURS = {
    "updated": "green",
    "waiting": "cyan",
    "behind": "yellow",
    "dirty": "yellow",
    "conflict": "red",
    "broken": "red",
}
NEEDS_ATTENTION = {"behind", "conflict", "dirty", "broken"}


@dataclass(frozen=True)
class Report:
    """One row of the table, and one object in the JSON output.

    The state is current, behind or broken for `status`; for `update` it is broken or one of
    the outcomes of an update. `code` and `hint` belong to the state broken.
    """

    name: str
    path: Path
    state: str
    version: str | None = None
    newest: str | None = None
    behind: int | None = None
    dirty: bool | None = None
    edited: tuple[str, ...] | None = None
    branch: str | None = None
    conflicts: tuple[str, ...] = ()
    message: str = ""
    code: str | None = None
    hint: str | None = None
    seconds: float = 0.0


def make_report(
    name: str, path: Path, result: Status | Update | Failure, position: Position | None = None, seconds: float = 0.0
) -> Report:
    """Describe the result for one service."""
    known = dataclasses.asdict(position) if position else {}
    known |= {"name": name, "path": path, "seconds": round(seconds, 2)}
    if isinstance(result, Failure):
        return Report(state="broken", message=result.message, code=result.code, hint=result.hint or None, **known)
    if isinstance(result, Status):
        state = "behind" if position and position.behind else "current"
        message = "; ".join(_describe_status(result))
        return Report(state=state, edited=result.edited, branch=result.branch, message=message, **known)
    return Report(
        state=result.outcome.value,
        branch=result.branch,
        conflicts=tuple(result.problems),
        message=_describe_update(result),
        **known,
    )


def _describe_status(status: Status) -> Iterator[str]:
    if status.branch:
        yield f"its update waits on {status.branch}"
    if status.operation:
        yield f"a {status.operation} is in progress, so finish or abort it before an update"
    if status.answers:
        yield f"answers edited by hand, which an update applies to the files: {', '.join(status.answers)}"


def _describe_update(update: Update) -> str:
    if update.outcome is Outcome.CURRENT:
        return ""
    if update.outcome is Outcome.DIRTY:
        return "not updated, because it has uncommitted changes: commit or stash them, and run the command again"
    if update.outcome is Outcome.UPDATED:
        return f"on {update.branch}"
    if update.outcome is Outcome.WAITING:
        return f"on {update.branch}, since an earlier run"
    if update.is_new:
        return f"on {update.branch}. {describe_problems(update.problems)}"
    return f"the conflicts on {update.branch} are not resolved yet"


def count_states(reports: Iterable[Report]) -> Counter[str]:
    return Counter(report.state for report in reports)


def needs_attention(reports: Iterable[Report]) -> bool:
    return any(report.state in NEEDS_ATTENTION for report in reports)


def print_json(command: str, reports: list[Report], seconds: float) -> None:
    """Print all reports as one JSON object."""
    services = [dataclasses.asdict(report) | {"path": str(report.path)} for report in reports]
    result = {"command": command, "services": services, "summary": count_states(reports), "seconds": seconds}
    print(json.dumps(result, indent=2))


def print_table(command: str, reports: list[Report], labels: dict[Path, str], seconds: float) -> None:
    """Print the reports as a table; without a terminal it is as wide as its content."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)
    table = Table(box=None, pad_edge=False)
    for heading in ("service", "state", "version", "newest", "behind"):
        table.add_column(heading, justify="right" if heading == "behind" else "left", no_wrap=heading != "service")
    if command == "status":
        table.add_column("edited", justify="right")
        table.add_column("dirty")
    table.add_column("note", overflow="fold")
    for report in reports:
        behind = "" if report.behind is None else str(report.behind)
        cells = [Text(labels[report.path]), Text(report.state, COLOURS.get(report.state, ""))]
        cells += [Text(report.version or ""), Text(report.newest or ""), Text(behind)]
        if command == "status":
            cells += [
                Text("" if report.edited is None else str(len(report.edited))),
                Text("dirty" if report.dirty else ""),
            ]
        table.add_row(*cells, Text(f"{report.message} ({report.hint})" if report.hint else report.message))
    console.print(table)
    counts = ", ".join(f"{count} {state}" for state, count in count_states(reports).most_common())
    print(f"{len(reports)} services in {seconds} s: {counts}")
    if command == "update" and len(reports) == 1 and reports[0].branch:
        print(_describe_next_step(reports[0].state, reports[0].branch))


def _describe_next_step(state: str, branch: str) -> str:
    if state == "conflict":
        return f"Resolve the conflicts on the branch (git switch {branch}), commit, and merge it into yours."
    return f"Review the update with `git diff HEAD...{branch}`, and take it with `git merge {branch}`."


def print_traceback(label: str, failure: Failure) -> None:
    """Print the traceback of a failure to stderr."""
    print(f"fleet: {label}: {failure.code}: {failure.message}\n{failure.traceback}", file=sys.stderr)


def make_labels(folders: Iterable[Path]) -> dict[Path, str]:
    """Return a short name for each folder: its path below the folder that contains them all."""
    folders = list(folders)
    common = os.path.commonpath([folder.parent for folder in folders])
    return {folder: _on_one_line(folder.relative_to(common).as_posix()) for folder in folders}


def _on_one_line(text: str) -> str:
    """Escape control characters, such as a newline in a path."""
    return re.sub("[\x00-\x1f\x7f]", lambda match: repr(match[0])[1:-1], text)


@contextmanager
def show_progress(total: int) -> Iterator[Callable[[str, Report], None]]:
    """Yield a function to call for each finished service; it moves a bar, or prints a line without a terminal."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        # auto_refresh would start a thread, and this program must not fork with threads.
        with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
            task = bar.add_task("", total=total)
            yield lambda label, report: bar.update(task, advance=1, description=label, refresh=True)
        return
    done = 0

    def print_line(label: str, report: Report) -> None:
        nonlocal done
        done += 1
        print(f"[{done}/{total}] {label}: {report.state}", file=sys.stderr, flush=True)

    yield print_line
