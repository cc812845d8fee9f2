"""What the user sees of a proposal: tables and lists, or JSON."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import FleetError
from .layout import Layout
from .proposal import Proposal

NEXT = (
    ("docker buildx bake --file docker-bake.hcl", "build the image"),
    ("docker compose --file docker-compose.prod.yml up --detach --wait", "run it as in production"),
    ("git diff && git add --all && git commit", "look at the changes, and commit them, .copier-answers.yml too"),
)


def describe_existing(layout: Layout) -> list[str]:
    """Return a sentence for each existing file that the adoption replaces or that hides a new file."""
    notes = []
    if layout.replaced:
        notes.append(f"These files are there already and are replaced: {', '.join(layout.replaced)}.")
    notes += [
        f"Docker Compose reads your {name}, not the new docker-compose.yml: rename it, or pass --file."
        for name in layout.shadowing
    ]
    if layout.ignored:
        notes.append(f"git ignores these new files: {', '.join(layout.ignored)}. Add them with git add --force.")
    return notes


def to_json(
    folder: Path, template: str, proposal: Proposal, layout: Layout, notes: Iterable[str], written: bool
) -> str:
    """Return the proposal as one JSON object."""
    content: dict[str, Any] = {
        "command": "adopt",
        "folder": str(folder),
        "template": template,
        "answers": [{"name": a.name, "value": a.value, "reason": a.reason} for a in proposal.answers],
        "unknown": list(proposal.unknown),
        "by_hand": [{"code": finding.code, "message": finding.message} for finding in proposal.by_hand],
        "files": {
            "new": list(layout.new),
            "replaced": list(layout.replaced),
            "shadowing": list(layout.shadowing),
            "ignored": list(layout.ignored),
        },
        "notes": [*notes, *describe_existing(layout)],
        "refusal": refusal_to_json(proposal.refusal),
        "written": written,
        "next": [command for command, _ in NEXT],
    }
    return json.dumps(content, indent=2)


def refusal_to_json(error: FleetError | None) -> dict[str, str] | None:
    """Return an error as JSON has it."""
    return {"code": error.code, "message": error.message, "hint": error.hint} if error else None


def print_proposal(folder: Path, proposal: Proposal, layout: Layout, notes: Iterable[str]) -> None:
    """Print the answers as a table, then what could not be told, what to do by hand, and the files."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    table = Table("answer", "proposed", "reason", box=None, pad_edge=False, header_style="bold")
    for answer in proposal.answers:
        table.add_row(Text(answer.name), Text(answer.value or "(none)"), Text(answer.reason, style="dim"))
    console.print(Text(f"{folder}\n"))
    console.print(table)
    _print_list(console, "Could not tell", proposal.unknown)
    _print_list(console, "By hand", [finding.message for finding in proposal.by_hand])
    _print_list(console, "Files", [f"New: {', '.join(layout.new)}.", *describe_existing(layout), *notes])
    console.print()


def print_next(folder: Path, layout: Layout) -> None:
    """Print what to do after the adoption."""
    console = Console(highlight=False)
    console.print(Text(f"The layout is in {folder}. Next, in this folder:\n"))
    for command, purpose in NEXT:
        console.print(Text(f"    {command:66}{purpose}"), soft_wrap=True)
    console.print(Text(f"\nNew files: {', '.join(layout.new)}."))
    if layout.replaced:
        console.print(Text(f"Replaced files: {', '.join(layout.replaced)}."))
    console.print(Text("docker/container-layout.md explains the layout."))


def _print_list(console: Console, title: str, items: Iterable[str]) -> None:
    items = list(items)
    if items:
        console.print(Text(f"\n{title}", style="bold"))
        for item in items:
            console.print(Text(f"  - {item}"))
