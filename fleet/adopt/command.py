"""The command `fleet adopt FOLDER`."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ..answers import ANSWERS_FILE
from ..errors import FleetError
from ..git import GitEnvironment
from . import display
from .layout import default_template, is_dirty, plan, write
from .project import open_project
from .proposal import propose
from .workspace import enter_workspace

EPILOG = """\
adopt reads the project, and runs nothing of it. It proposes an answer to each question of the
template with the reason, asks for confirmation, and lets Copier write the files. Commit the
project first: files that are there already are named, and replaced.

exit status:
  0    the layout is in the project (with --dry-run: it could be)
  1    refused, with the reason and what to do about it; nothing was written
  2    wrong usage, or no terminal to ask on; nothing was written
  130  interrupted"""


@dataclass(frozen=True)
class Options:
    """The parsed command line."""

    folder: Path
    template: str | None
    data: dict[str, str]
    dry_run: bool
    json: bool
    yes: bool


def parse(arguments: Sequence[str]) -> Options:
    """Parse the command line; exit with status 2 on wrong usage."""
    parser = argparse.ArgumentParser(
        prog="fleet adopt",
        description="Give a service that exists the container layout of the template.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder of the project")
    parser.add_argument(
        "--template", metavar="SOURCE", help="the template, a path or URL (default: where fleet is from)"
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME=ANSWER",
        help="an answer that counts more than what is found",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the proposal, and write nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object; needs --yes or --dry-run")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    parsed = parser.parse_args(arguments)
    data = {}
    for item in parsed.data:
        name, equals, value = item.partition("=")
        if not equals or not name:
            parser.error(f"--data {item}: write NAME=ANSWER")
        data[name] = value
    template = parsed.template
    if template and Path(template).expanduser().exists():
        template = str(Path(template).expanduser().resolve())
    return Options(parsed.folder, template, data, parsed.dry_run, parsed.json, parsed.yes)


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    options = parse(arguments)
    try:
        return adopt(options)
    except (FleetError, OSError) as caught:
        error = caught if isinstance(caught, FleetError) else FleetError("system-error", str(caught))
        if options.json:
            refusal = display.refusal_to_json(error)
            print(
                json.dumps(
                    {"command": "adopt", "folder": str(options.folder), "refusal": refusal, "written": False}, indent=2
                )
            )
        return _refuse(error)


def _refuse(error: FleetError) -> int:
    hint = f": {error.hint}" if error.hint else ""
    print(f"fleet: {error.message}{hint}", file=sys.stderr)
    return 2 if error.code == "no-terminal" else 1


def adopt(options: Options) -> int:
    """Propose, ask and write; return the exit status. Raise FleetError if the project is refused."""
    environment = GitEnvironment.from_process()
    project, notes = enter_workspace(open_project(options.folder, environment), options.data, environment)
    _refuse_answers_file(project.folder)
    if project.repository is None:
        notes.append("The folder is not in a git repository, so the files that are replaced cannot be restored.")
    elif is_dirty(project, environment):
        if not options.dry_run:
            message = f"{options.folder} has uncommitted changes, so the adoption could not be reverted"
            raise FleetError("dirty", message, "commit or stash them, and run this again")
        notes.append("There are uncommitted changes: commit or stash them before the adoption.")
    proposal = propose(project, options.data)
    template = options.template or default_template()
    layout = plan(project, template, proposal.data, environment)

    if not options.json:
        display.print_proposal(project.folder, proposal, layout, notes)
    will_write = not options.dry_run and proposal.refusal is None and _is_confirmed(options)
    if will_write:
        write(project, template, proposal.data)
    if options.json:
        print(display.to_json(project.folder, template, proposal, layout, notes, will_write))
    if proposal.refusal:
        return _refuse(proposal.refusal)
    if will_write and not options.json:
        display.print_next(project.folder, layout)
    return 0 if will_write or options.dry_run else 1


def _refuse_answers_file(folder: Path) -> None:
    """Raise FleetError if the project was generated or adopted before."""
    if not (folder / ANSWERS_FILE).exists():
        return
    try:
        values = yaml.safe_load((folder / ANSWERS_FILE).read_bytes())
    except (yaml.YAMLError, OSError):
        values = None
    values = values if isinstance(values, dict) else {}
    if {"bytecode", "pids_limit"} <= set(values) or "python_versions" in values:
        raise FleetError(
            "adopted-already", f"{folder.name} has the layout already", f"run fleet update {folder} for a newer release"
        )
    message = f"{folder.name} has a {ANSWERS_FILE} of another template, which this one would replace"
    raise FleetError("other-template", message, "rename it, and pass its new name to that template's updates")


def _is_confirmed(options: Options) -> bool:
    """Ask whether to write; raise FleetError if nobody can be asked."""
    if options.yes:
        return True
    if options.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise FleetError(
            "no-terminal", "there is no terminal to ask for confirmation on", "pass --yes, or --dry-run to look only"
        )
    try:
        answer = input("Add the layout with these answers? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        print("Nothing was written. Pass --data NAME=ANSWER for other answers.")
        return False
    return True
