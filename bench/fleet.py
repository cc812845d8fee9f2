"""Measure `fleet` on a hundred services, and check that an update that is killed can be repeated.

    python -m bench.fleet [--services N] [--jobs N]

The services are generated from this template, one release behind, each in its own
repository: ten have edits, two conflict with the release, one is dirty, and one is broken.
Checked are the state of each, that every edit survives, and that an update that is killed
and repeated neither loses nor duplicates anything; if not, exit with status 1. Compare
figures of one run only.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

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


def fleet(base: Path, *arguments: str | Path) -> dict[str, Any]:
    """Run the command; return its result, and print the time it took."""
    result = subprocess.run(
        command(*arguments, "--json"), env=environment(base / "temporary"), capture_output=True, text=True
    )
    if result.returncode not in (0, 1):
        sys.exit(result.stderr)
    printed = json.loads(result.stdout)
    count, seconds = len(printed["services"]), printed["seconds"]
    each = statistics.median(report["seconds"] for report in printed["services"])
    summary = ", ".join(f"{number} {name}" for name, number in sorted(printed["summary"].items()))
    print(f"{arguments[0]}: {seconds:.1f} s for {count} services, {seconds / count:.2f} s a service; {summary}")
    print(f"    in its own process a service took {each:.2f} s (median)")
    return printed


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


def kill_half_way(base: Path, services: Path, jobs: str, half: int) -> None:
    """Start an update, and kill it as soon as `half` of its branches exist."""
    running = subprocess.Popen(
        command("update", "--jobs", jobs, services),
        env=environment(base / "temporary"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while sum((folder / ".git" / "refs" / "heads" / BRANCH).exists() for folder in services.iterdir()) < half:
        if running.poll() is not None:
            sys.exit("the update ended before it could be killed")
        time.sleep(0.05)
    running.kill()
    running.wait()
    time.sleep(1)  # its child processes notice, and exit


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
        killed = shutil.copytree(services, base / "killed")
        before = states(services)

        alone = shutil.copytree(folders[-1], base / "alone")
        began = time.monotonic()
        by_hand = [sys.executable, "-W", "ignore", "-m", "copier", "update", "--quiet", "--defaults", "--vcs-ref", NEW]
        subprocess.run([*by_hand, alone], check=True)
        print(f"one `copier update` by hand: {time.monotonic() - began:.1f} s")

        result = fleet(base, "status", "--jobs", jobs, services)
        expect("status", result["summary"], {"behind": count - 1, "broken": 1})
        edited = Counter(len(report["edited"] or []) for report in result["services"])
        expect("services by edited files", edited, {0: count - 13, 1: 13})
        expect("branches after status", check_branches(services, before), 0)

        result = fleet(base, "update", "--jobs", jobs, services)
        expected = {"updated": count - 4, "conflict": 2, "dirty": 1, "broken": 1}
        expect("update", result["summary"], expected)
        expect("branches", check_branches(services, before), count - 2)
        check_edits(folders)

        before = states(killed)
        kill_half_way(base, killed, jobs, (count - 2) // 2)
        finished = check_branches(killed, before)
        print(f"killed half way: {finished} have their branch, {count - finished} are as they were")
        result = fleet(base, "update", "--jobs", jobs, killed)
        summary = result["summary"]
        expect("updated or waiting", summary["updated"] + summary["waiting"], count - 4)
        expect("in conflict, dirty, broken", [summary[name] for name in ("conflict", "dirty", "broken")], [2, 1, 1])
        expect("branches", check_branches(killed, before), count - 2)
        check_edits(sorted(killed.iterdir()))
        expect("temporary files", list((base / "temporary").iterdir()), [])
        print("nothing is lost or duplicated")


if __name__ == "__main__":
    main()
