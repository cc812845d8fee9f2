"""The command line: `fleet status FOLDER...` and `fleet update FOLDER...`."""

import argparse
import dataclasses
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from .find import ANSWERS_FILE, Broken, Report, Service, Template, find_services, open_template
from .workers import configure_git, prepare_git, run, run_folder

EPILOG = """\
status compares each service with the newest release of its template, and counts the
template's own files that were edited. It changes nothing.

update puts an update on a branch, copier-update/VERSION, in the service's repository, and
touches neither the checkout nor any other branch. Nothing is pushed, no template is trusted.
A service in a folder of a larger repository gets copier-update/FOLDER/VERSION.

exit status:
  0    status: all are at the newest release; update: all are, or have a branch for it
  1    a person is needed: status: one is behind or broken; update: one is in conflict, dirty or broken
  2    wrong usage, or no service found
  130  interrupted: each is as it was, or finished; run it again"""

COLOURS = {
    "updated": "green",
    "waiting": "cyan",
    "behind": "yellow",
    "dirty": "yellow",
    "conflict": "red",
    "broken": "red",
}
NEEDS_A_PERSON = {"behind", "conflict", "dirty", "broken"}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line, read; SystemExit 2 where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="fleet",
        description="Where many services stand against their template, and their updates, in one call.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=["status", "update"])
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="a service, or a folder of services")
    parser.add_argument("--from", type=Path, dest="file", metavar="FILE", help="a file that names folders, one a line")
    parser.add_argument(
        "--depth", type=int, default=4, metavar="N", help="how many levels down to search (%(default)s)"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), metavar="N", help="how many at a time (%(default)s)"
    )
    parser.add_argument(
        "--template", metavar="SOURCE", help="where the template is now, path or URL; an update records it"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of a table")
    options = parser.parse_intermixed_args(arguments)
    if options.jobs < 1 or options.depth < 0:
        parser.error("--jobs is at least 1, and --depth at least 0")
    if options.file:
        try:
            lines = map(str.strip, options.file.read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            parser.error(f"--from: {error}")
        options.folders += [options.file.parent / Path(line).expanduser() for line in lines if line and line[0] != "#"]
    if not options.folders:
        parser.error("name a folder")
    if options.template and Path(options.template).expanduser().exists():
        options.template = str(Path(options.template).expanduser().resolve())
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    services = find_services(options.folders, options.depth)
    if not any((service.folder / ANSWERS_FILE).exists() for service in services):
        for service in services:
            print(f"fleet: {service.folder}: {service.problem}", file=sys.stderr)
        return 2
    labels = label(services)
    reports: dict[Path, Report] = {}
    interrupted = False
    with progress(len(services)) as advance, closing(work(services, options)) as working:
        try:
            for report in working:
                reports[report.path] = report
                advance(labels[report.path], report)
        except KeyboardInterrupt:
            interrupted = True
    ordered = [reports[service.folder] for service in services if service.folder in reports]
    counts = Counter(report.state for report in ordered)
    seconds = round(time.monotonic() - began, 1)
    if options.json:
        result = {"verb": options.verb, "services": ordered, "summary": counts, "seconds": seconds}
        print(json.dumps(result, indent=2, default=lambda o: str(o) if isinstance(o, Path) else dataclasses.asdict(o)))
    else:
        show(options.verb, ordered, labels)
        print(
            f"{len(ordered)} services in {seconds} s: {', '.join(f'{n} {state}' for state, n in counts.most_common())}"
        )
    if interrupted:
        print("fleet: interrupted; what is not listed is as it was, or finished: run it again", file=sys.stderr)
        return 130
    return int(bool(NEEDS_A_PERSON & counts.keys()))


def work(services: list[Service], options: argparse.Namespace) -> Iterator[Report]:
    """Do what `options` say to each of `services`; yield the reports as they come."""
    prepare_git()
    with run_folder() as folder:
        templates: dict[str, Template | str] = {}
        jobs = {}
        for service in services:
            if service.problem:
                yield Report(service.name, service.folder, message=service.problem)
                continue
            source = options.template or service.answers["_src_path"]
            if source not in templates:
                try:
                    templates[source] = open_template(source, folder / f"template-{len(templates)}.git")
                except Broken as error:
                    templates[source] = str(error)
            if isinstance(template := templates[source], str):
                yield Report(service.name, service.folder, message=template)
            else:
                jobs[service.folder] = options.verb, service, template
        opened = [template for template in templates.values() if isinstance(template, Template)]
        # The network is asked once for all services; Copier still sees, and records, the URL.
        configure_git({f"url.{template.repository}.insteadOf": template.url for template in opened if template.url})
        for path, report in run(jobs, options.jobs, folder):
            yield report if isinstance(report, Report) else Report(jobs[path][1].name, path, message=report)


def label(services: list[Service]) -> dict[Path, str]:
    """A short name for each folder: the part of its path in which they differ."""
    parents = [service.folder.parent for service in services]
    common = os.path.commonpath(parents)
    return {service.folder: service.folder.relative_to(common).as_posix() for service in services}


@contextmanager
def progress(total: int) -> Iterator[Callable[[str, Report], None]]:
    """Yields what is to be called for each service done: a bar on a terminal moves, else a line is printed."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:  # no thread
            task = bar.add_task("", total=total)
            yield lambda name, report: bar.update(task, advance=1, description=name, refresh=True)
        return
    done = 0

    def line(name: str, report: Report) -> None:
        nonlocal done
        done += 1
        print(f"[{done}/{total}] {name}: {report.state}", file=sys.stderr, flush=True)

    yield line


def show(verb: str, reports: list[Report], labels: dict[Path, str]) -> None:
    """Print the table of `reports`; it is as wide as it must be where no terminal limits it."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)
    table = Table(box=None, pad_edge=False)
    for heading in ("service", "state", "version", "newest", "behind"):
        table.add_column(heading, justify="right" if heading == "behind" else "left", no_wrap=heading != "service")
    if verb == "status":
        table.add_column("edited", justify="right")
        table.add_column("dirty")
    table.add_column("note", overflow="fold")
    for report in reports:
        behind = "" if report.behind is None else str(report.behind)
        cells = [Text(labels[report.path]), Text(report.state, COLOURS.get(report.state, ""))]
        cells += [Text(report.version or ""), Text(report.newest or ""), Text(behind)]
        if verb == "status":
            cells += [
                Text("" if report.edited is None else str(len(report.edited))),
                Text("dirty" if report.dirty else ""),
            ]
        table.add_row(*cells, Text(report.message))
    console.print(table)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
