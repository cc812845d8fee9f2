"""The command line: `fleet status|update FOLDER...`, `fleet adopt FOLDER` and `fleet report IMAGE`."""

import argparse
import io
import os
import signal
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from . import report
from .discovery import NOT_FOUND, Service, find_services
from .errors import UNEXPECTED, Failure, FleetError, Success
from .git import GitEnvironment
from .pool import run_each, run_folder
from .report import Report, make_report
from .template import Template, open_template

EPILOG = """\
status compares each service with the newest release of its template, and counts the files of
the template that were edited. It changes nothing.

update puts each update on a branch, copier-update/VERSION, in the repository of the service.
It changes neither the checkout nor any other branch, pushes nothing, and trusts no template.
A service in a folder of a larger repository gets the branch copier-update/FOLDER/VERSION.

adopt gives a service that exists the layout of the template; see fleet adopt --help.

report says where the bytes of an image are; see fleet report --help.

exit status:
  0    status: all services are at the newest release
       update: all services are, or have a branch with the update
  1    at least one service needs attention (behind, conflict, dirty or broken)
  2    wrong usage, or no service found
  130  interrupted: each service is either unchanged or finished; run the command again"""


@dataclass(frozen=True)
class Options:
    """The parsed command line."""

    command: str
    folders: tuple[Path, ...]
    depth: int
    jobs: int
    template: str | None
    json: bool
    verbose: bool


def parse(arguments: list[str] | None) -> Options:
    """Parse the command line; exit with status 2 on wrong usage."""
    parser = argparse.ArgumentParser(
        prog="fleet",
        description="Compare many services with their template, and update them; adopt one; measure an image.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["status", "update", "adopt", "report"])
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="a service, or a folder of services")
    parser.add_argument("--from", type=Path, dest="file", metavar="FILE", help="read folders from FILE, one per line")
    parser.add_argument(
        "--depth", type=int, default=4, metavar="N", help="how many levels down to search (default: %(default)s)"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count(),
        metavar="N",
        help="how many services at a time (default: %(default)s)",
    )
    parser.add_argument(
        "--template", metavar="SOURCE", help="where the template is now, a path or URL; an update records it"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of a table")
    parser.add_argument("--verbose", action="store_true", help="print the traceback of every error to stderr")
    parsed = parser.parse_intermixed_args(arguments)
    if parsed.jobs < 1 or parsed.depth < 0:
        parser.error("--jobs must be at least 1, and --depth at least 0")
    folders = parsed.folders
    if parsed.file:
        try:
            folders += read_folders(parsed.file)
        except (OSError, UnicodeDecodeError) as error:
            parser.error(f"--from: {error}")
    if not folders:
        parser.error("name at least one folder")
    template = parsed.template
    if template and Path(template).expanduser().exists():
        template = str(Path(template).expanduser().resolve())
    return Options(parsed.command, tuple(folders), parsed.depth, parsed.jobs, template, parsed.json, parsed.verbose)


def read_folders(file: Path) -> list[Path]:
    """Read folders from a file, one per line, relative to the file; skip empty lines and comments."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return [file.parent / Path(line).expanduser() for line in lines if line and not line.startswith("#")]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words[:1] == ["adopt"]:
            from .adopt.command import main as adopt

            return adopt(words[1:])
        if words[:1] == ["report"]:
            from .image.command import main as report_image

            return report_image(words[1:])
        return run(parse(arguments))
    except KeyboardInterrupt:
        return 130


def run(options: Options) -> int:
    """Find the services, run the command for each, and print the reports."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    services = find_services(options.folders, options.depth)
    if all(isinstance(found, Failure) and found.code in NOT_FOUND for found in services.values()):
        for folder, found in services.items():
            if isinstance(found, Failure):
                print(f"fleet: {folder}: {found.message}", file=sys.stderr)
        return 2

    # Paths need not be UTF-8.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    labels = report.make_labels(services)
    reports: dict[Path, Report] = {}
    failures: dict[Path, Failure] = {}
    interrupted = False
    with report.show_progress(len(services)) as advance, closing(run_command(services, options)) as results:
        try:
            for made, failure in results:
                reports[made.path] = made
                if failure:
                    failures[made.path] = failure
                advance(labels[made.path], made)
        except KeyboardInterrupt:
            interrupted = True
    for folder, failure in failures.items():
        if failure.traceback and (options.verbose or failure.code == UNEXPECTED):
            report.print_traceback(labels[folder], failure)

    ordered = [reports[folder] for folder in services if folder in reports]
    seconds = round(time.monotonic() - began, 1)
    if options.json:
        report.print_json(options.command, ordered, seconds)
    else:
        report.print_table(options.command, ordered, labels, seconds)
    if interrupted:
        print("fleet: interrupted; services not listed are unchanged or finished: run it again", file=sys.stderr)
        return 130
    return int(report.needs_attention(ordered))


def run_command(
    services: Mapping[Path, Success[Service] | Failure], options: Options
) -> Generator[tuple[Report, Failure | None], None, None]:
    """Run the command for each service; yield reports, with the failure if there is one, as they are finished."""
    environment = GitEnvironment.from_process()
    with run_folder() as folder:
        templates: dict[str, Success[Template] | Failure] = {}
        ready: dict[Path, tuple[Service, Template]] = {}
        for path, found in services.items():
            if isinstance(found, Failure):
                yield make_report(path.name, path, found), found
                continue
            service = found.value
            source = options.template or service.answers.source
            if source not in templates:
                templates[source] = try_template(environment, source, folder / f"template-{len(templates)}.git")
            template = templates[source]
            if isinstance(template, Failure):
                yield make_report(service.name, path, template), template
            else:
                ready[path] = service, template.value
        if not ready:
            return
        from .jobs import Job, make_jobs, run_job  # imports Copier, which is slow

        jobs: dict[Path, Job] = {}
        for path, job in make_jobs(options.command, ready, environment, folder).items():
            if isinstance(job, Failure):
                yield make_report(ready[path][0].name, path, job), job
            else:
                jobs[path] = job
        with closing(run_each(run_job, jobs, options.jobs, folder)) as results:
            for path, result in results:
                name = jobs[path].service.name
                if isinstance(result, Failure):
                    yield make_report(name, path, result), result
                    continue
                finished = result.value
                outcome = finished.result
                value = outcome.value if isinstance(outcome, Success) else outcome
                failure = outcome if isinstance(outcome, Failure) else None
                yield make_report(name, path, value, finished.position, finished.seconds), failure


def try_template(environment: GitEnvironment, source: str, mirror: Path) -> Success[Template] | Failure:
    try:
        return Success(open_template(environment, source, mirror))
    except (FleetError, OSError) as error:
        return Failure.of(error)
