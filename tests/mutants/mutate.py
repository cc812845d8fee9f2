"""Run the mutants of table.py: apply each defect to a copy of this repository, and run the test that must fail.

`make mutants` runs all of them, which takes about an hour; ARGS="-k NAME" runs those whose name, file
or test contains NAME, and ARGS=--list only lists them. The result is a Markdown table on standard output.
The exit status is 1 if a mutant survives, or if the table does not fit the repository any more.
"""

import argparse
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from table import MUTANTS, Killer, Mutant

ROOT = Path(__file__).parents[2]
# Not copied with the repository, because git ignores them.
INSTALLED = (".venv", ".venv-checkov", ".renovate")


@dataclasses.dataclass
class Outcome:
    """What pytest said of a killer: `passed`, `failed`, or `broken` with the reason."""

    status: str
    reason: str
    seconds: float


def copy_repository(target: Path) -> None:
    """Copy this checkout, uncommitted changes included; link to what is installed in it."""
    listed = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.strip("\0").split("\0"):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    for name in INSTALLED:
        if (ROOT / name).exists():
            (target / name).symlink_to((ROOT / name).resolve())


def check_text(mutant: Mutant, root: Path = ROOT) -> str:
    """Return why a mutant cannot be applied, or nothing."""
    file = root / mutant.file
    if not file.exists():
        return f"{mutant.file} does not exist"
    times = file.read_text().count(mutant.find)
    return "" if times == mutant.times else f"its text is in {mutant.file} {times} times, not {mutant.times}"


def run_tests(tests: Sequence[str], answers: str, mutant: Mutant | None = None) -> Outcome:
    """Run tests in a copy of the repository, with the defect of `mutant` if there is one."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as folder:
        root, report = Path(folder, "repository"), Path(folder, "report.xml")
        copy_repository(root)
        if mutant:
            file = root / mutant.file
            file.write_text(file.read_text().replace(mutant.find, mutant.replace))
        command = [root / ".venv/bin/python", "-m", "pytest", "--exitfirst", "--quiet", "-p", "no:cacheprovider"]
        # Some tests record properties, which the default family of reports refuses.
        command += ["--override-ini=junit_family=xunit1", f"--junitxml={report}"]
        command += [f"--basetemp={folder}/tests", *tests]
        # ANSWERS limits the generated projects to those that the test needs.
        variables = {"REQUIRE_ENGINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        variables |= {"ANSWERS": answers} if answers else {}
        ran = subprocess.run(
            command, cwd=root, env=os.environ | variables, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        status, reason = judge(ran, report)
    return Outcome(status, reason, time.monotonic() - began)


def judge(ran: subprocess.CompletedProcess[str], report: Path) -> tuple[str, str]:
    """Return the status of a run of pytest, and the first line of the failure."""
    said = ran.stdout + ran.stderr
    if ran.returncode in (4, 5) or not report.exists():
        return "broken", "no such test: adapt table.py\n" + said[-2000:]
    suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "errors", "failures", "skipped")}
    if ran.returncode == 0 and counts["tests"] and not counts["skipped"]:
        return "passed", ""
    if ran.returncode == 1 and counts["failures"] and not counts["errors"]:
        failure = suite.find(".//failure")
        assert failure is not None
        return "failed", failure.get("message", "").splitlines()[0]
    return "broken", f"not a failure of the test itself: {counts}\n{said[-2000:]}"


def check_killers(killers: Sequence[Killer], pool: ThreadPoolExecutor) -> dict[Killer, Outcome]:
    """Run each killer without a defect; those that generate the same projects run together."""

    def check(answers: str) -> dict[Killer, Outcome]:
        group = [killer for killer in killers if killer.answers == answers]
        together = run_tests([killer.test for killer in group], answers)
        if together.status == "passed":
            outcomes = dict.fromkeys(group, together)
        else:  # which one is it?
            outcomes = {killer: run_tests([killer.test], answers) for killer in group}
        for killer, outcome in outcomes.items():
            show(killer.test, outcome)
        return outcomes

    found = pool.map(check, dict.fromkeys(killer.answers for killer in killers))
    return {killer: outcome for outcomes in found for killer, outcome in outcomes.items()}


def show(what: str, outcome: Outcome) -> None:
    print(f"{what}: {outcome.status} after {outcome.seconds:.0f} s {outcome.reason}", file=sys.stderr, flush=True)


def run_all(mutants: Sequence[Mutant], jobs: int) -> dict[str, Outcome]:
    """Run the mutants whose test passes without a defect: some at a time, but one at a time on the engine."""
    outcomes: dict[str, Outcome] = {}
    sound: dict[Killer, Outcome] = {}

    def check_mutant(mutant: Mutant) -> None:
        problem, without = check_text(mutant), sound[mutant.killer]
        if problem:
            outcome = Outcome("broken", problem, 0)
        elif without.status != "passed":
            outcome = Outcome("broken", f"its test does not pass without it: {without.reason}", 0)
        else:
            outcome = run_tests([mutant.killer.test], mutant.killer.answers, mutant)
        outcomes[mutant.name] = outcome
        show(mutant.name, outcome)

    for needs_engine, workers in ((False, jobs), (True, 1)):
        chosen = [mutant for mutant in mutants if mutant.killer.needs_engine == needs_engine]
        with ThreadPoolExecutor(workers) as pool:
            sound |= check_killers(list(dict.fromkeys(mutant.killer for mutant in chosen)), pool)
            list(pool.map(check_mutant, chosen))
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", default="", metavar="NAME", help="only those whose name, file or test contains NAME")
    parser.add_argument("--no-engine", action="store_true", help="only those whose test needs no Docker Engine")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time, where no engine is needed")
    parser.add_argument("--list", action="store_true", help="list the mutants, and run nothing")
    options = parser.parse_args(arguments)
    mutants = [mutant for mutant in MUTANTS if any(options.k in text for text in mutant.texts)]
    mutants = [mutant for mutant in mutants if not (options.no_engine and mutant.killer.needs_engine)]
    if options.list:
        print(*(f"{mutant.name}: {mutant.killer.test}" for mutant in mutants), sep="\n")
        return 0

    began = time.monotonic()
    outcomes = run_all(mutants, options.jobs)
    print("| mutant | file | killed by | seconds |\n|---|---|---|---|")
    for mutant in mutants:
        outcome = outcomes[mutant.name]
        by = {"failed": f"{mutant.killer.kind} `{mutant.killer.test}`", "passed": "**survives**"}
        print(f"| {mutant.name} | `{mutant.file}` | {by.get(outcome.status, '**broken**')} | {outcome.seconds:.0f} |")
    killed = Counter(mutant.killer.kind for mutant in mutants if outcomes[mutant.name].status == "failed")
    print(f"\n{len(mutants)} mutants in {time.monotonic() - began:.0f} s: {killed.total()} killed,")
    print(", ".join(f"{count} by a {kind}" for kind, count in sorted(killed.items())) + ".")
    for title, status in (("Survivors", "passed"), ("Not run", "broken")):
        names = [mutant.name for mutant in mutants if outcomes[mutant.name].status == status]
        print(f"{title}: {', '.join(names) or 'none'}.")
        for name in names if status == "broken" else ():
            print(f"- {name}: {outcomes[name].reason}")
    return int(killed.total() < len(mutants))


if __name__ == "__main__":
    sys.exit(main())
