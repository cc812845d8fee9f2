"""Measure `fleet` on a hundred services beside the `fleet` of release 0.3.0, in one run.

    python -m bench.fleet [--services N] [--jobs N]

The services are generated from this template, one release behind, each in its own
repository: ten have edits, two conflict with the release, one is dirty, and one is broken.
Checked are the state of each and that every edit survives; if not, exit with status 1. CPU
seconds are those of all processes of a command. Compare figures of one run only.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testing import ROOT
from testing.fleet import (
    BRANCH,
    CHANGED,
    NEW,
    append,
    command,
    environment,
    generate_service,
    make_template,
    replace_first_line,
    state,
)
from testing.git import commit, git, isolate_git
from testing.template import isolate_copier

EDITED, CONFLICTING = range(10), range(10, 12)
DIRTY, BROKEN = 12, 13
EDIT = "# Mine, at the end"


def make_service(template: Path, folder: Path, number: int) -> None:
    """Generate service `number` in `folder`; its number decides whether it is edited, dirty or broken."""
    commit(generate_service(template, folder, service_name=folder.name))
    if number in EDITED:
        append(folder / CHANGED, EDIT)
    elif number in CONFLICTING:
        replace_first_line(folder / CHANGED, "# My first line")
    elif number == BROKEN:
        (folder / ".copier-answers.yml").write_text("answers: [\n")
    elif number == DIRTY:
        append(folder / CHANGED, EDIT)
        return
    else:
        return
    commit(folder)


@dataclass(frozen=True)
class Measured:
    """What a command printed, and the seconds that it took for each service."""

    printed: dict[str, Any]
    seconds: float
    cpu: float


def measure(base: Path, code: Path, *arguments: str | Path) -> Measured:
    """Run the `fleet` in the folder `code`."""
    variables = environment(base / "temporary") | {"PYTHONPATH": str(code)}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    result = subprocess.run(command(*arguments, "--json"), cwd=code, env=variables, capture_output=True, text=True)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode not in (0, 1):
        sys.exit(result.stderr)
    printed = json.loads(result.stdout)
    count = len(printed["services"])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(printed, seconds / count, cpu / count)


def compare(base: Path, old_code: Path, old: Path, new: Path, name: str, jobs: str) -> dict[str, Any]:
    """Run a command of 0.3.0 on the services in `old`, and of this checkout on those in `new`; return the latter's."""
    was = measure(base, old_code, name, "--jobs", jobs, old)
    now = measure(base, ROOT, name, "--jobs", jobs, new)
    count = len(now.printed["services"])
    for label, measured in (("0.3.0", was), ("now", now)):
        print(
            f"{name:7} {label:6} {measured.cpu:5.2f} CPU s and {measured.seconds:5.2f} s a service,"
            f" {measured.seconds * count:6.1f} s in all"
        )
    print(f"{name:7} now / 0.3.0: CPU {now.cpu / was.cpu:.2f}, time {now.seconds / was.seconds:.2f}")
    return now.printed


def expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        sys.exit(f"{what}: {found}, not {expected}")


def states(services: Path) -> dict[str, tuple[str, ...]]:
    with ProcessPoolExecutor() as pool:
        folders = sorted(services.iterdir())
        return dict(zip((folder.name for folder in folders), pool.map(state, folders), strict=True))


def check_branches(services: Path, before: dict[str, tuple[str, ...]]) -> int:
    """Check that each repository is unchanged, or has one new branch with one commit; return how many have."""
    finished = 0
    for name, (references, *rest) in states(services).items():
        old_references, *old_rest = before[name]
        expect(f"{name}, but for its branches", rest, old_rest)
        new = [line for line in references.splitlines() if line not in old_references.splitlines()]
        if new:
            expect(f"{name}, new branches", [line.split("\t")[1] for line in new], [f"refs/heads/{BRANCH}"])
            expect(f"{name}, commits", git(services / name, "rev-list", "--count", f"main..{BRANCH}"), "1")
            finished += 1
    return finished


def check_edits(folders: list[Path]) -> None:
    for number in EDITED:
        changed = git(folders[number], "show", f"{BRANCH}:{CHANGED}")
        expect(f"{folders[number].name}, its edit", changed.splitlines()[-1], EDIT)
    for number in CONFLICTING:
        changed = git(folders[number], "show", f"{BRANCH}:{CHANGED}")
        expect(f"{folders[number].name}, its marker", changed.startswith("<<<<<<< before updating\n"), True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    count, jobs = options.services, str(options.jobs)
    if count < 20:
        parser.error("--services must be at least 20")

    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as scratch:
        base = Path(scratch)
        isolate_git(base)
        isolate_copier(base)
        services = base / "services"
        template = make_template(base / "template")
        folders = [services / f"service-{number:03}" for number in range(count)]
        began = time.monotonic()
        with ProcessPoolExecutor(options.jobs) as pool:
            list(pool.map(make_service, [template] * count, folders, range(count)))
        print(f"generated {count} services in {time.monotonic() - began:.1f} s, {jobs} at a time")
        old = shutil.copytree(services, base / "services-0.3.0")
        before = states(services)
        old_code = base / "code-0.3.0"
        git(base, "clone", "--quiet", "--shared", "--no-checkout", ROOT, old_code)
        release = git(old_code, "log", "--format=%H", "--grep=^Release 0.3.0$")
        git(old_code, "checkout", "--quiet", release, "--", "fleet")

        alone = shutil.copytree(folders[-1], base / "alone")
        began = time.monotonic()
        by_hand = [sys.executable, "-W", "ignore", "-m", "copier", "update", "--quiet", "--defaults", "--vcs-ref", NEW]
        subprocess.run([*by_hand, alone], check=True)
        print(f"one `copier update` by hand: {time.monotonic() - began:.1f} s")

        result = compare(base, old_code, old, services, "status", jobs)
        expect("status", result["summary"], {"behind": count - 1, "broken": 1})
        edited = Counter(len(report["edited"] or []) for report in result["services"])
        expect("services by edited files", edited, {0: count - 13, 1: 13})
        expect("branches after status", check_branches(services, before), 0)

        result = compare(base, old_code, old, services, "update", jobs)
        expect("update", result["summary"], {"updated": count - 4, "conflict": 2, "dirty": 1, "broken": 1})
        expect("branches", check_branches(services, before), count - 2)
        check_edits(folders)
        expect("temporary files", list((base / "temporary").iterdir()), [])
        print("nothing is lost")


if __name__ == "__main__":
    main()
