"""An update that is interrupted or killed leaves each repository unchanged or finished; the next run does the rest."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from testing import fleet as testing_fleet
from testing.fleet import BRANCH, CHANGED, NEW, OLD, Fleet, Outcome
from testing.git import commit, git
from testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("fleet-states")

# KILL_SEED=NUMBER repeats a failure, as far as timing can be repeated.
SEED = int(os.environ.get("KILL_SEED") or random.randrange(1_000_000))
MOMENTS, SERVICES = 20, 6
# What git leaves if it is killed; the next run removes these files.
LEFT_BY_A_KILL = ("/tmp_", ".lock")


Fingerprints = dict[Path, dict[str, str]]


@dataclass(frozen=True)
class Moment:
    """A moment at which an update was stopped, and what was in the repositories before and after it."""

    fleet: Fleet
    how: str
    description: str
    before: Fingerprints
    after: Fingerprints


def processes(marker: Path) -> list[int]:
    """Return the processes that have the path `marker` in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str(marker).encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@contextmanager
def update(fleet: Fleet, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start an update in a process group of its own; at the end wait for all its processes."""
    with subprocess.Popen(
        testing_fleet.command("update", *options, fleet.folder),
        env=testing_fleet.environment(fleet.temporary),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as running:
        yield running
    wait_until(
        "all processes ended",
        lambda: not processes(fleet.temporary),
        lambda: processes(fleet.temporary),
        seconds=120,
    )


def stop(running: subprocess.Popen[str], fleet: Fleet, how: str) -> None:
    """Stop an update as a terminal (Ctrl-C), a supervisor, `kill -9` or the end of the machine does."""
    with suppress(ProcessLookupError):  # the update may have ended by itself
        if how == "INT":
            os.killpg(running.pid, signal.SIGINT)
        elif how == "TERM":
            running.terminate()
        elif how == "KILL":
            running.kill()
        else:
            for process in [running.pid, *processes(fleet.temporary)]:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)


def stopped_half_way(fleet: Fleet, number: signal.Signals) -> int:
    """Send `number` to an update once its first branch is there; return the exit status."""
    repositories = list(fleet.folder.iterdir())

    def has_branch() -> bool:
        return any((folder / ".git/refs/heads" / BRANCH).exists() for folder in repositories)

    with update(fleet, "--jobs", "2") as running:
        wait_until("the first branch exists", has_branch, seconds=120, every=0.01)
        running.send_signal(number)
        running.communicate()  # read what it prints, until it ends
    return running.returncode


def fingerprints(fleet: Fleet) -> Fingerprints:
    return {folder: testing_fleet.fingerprint(folder) for folder in sorted(fleet.folder.iterdir())}


def check_as_it_was_or_finished(before: Fingerprints, after: Fingerprints, left: tuple[str, ...] = ()) -> int:
    """Assert that of each repository; return how many are finished.

    `left` has parts of names of files that may be there besides.
    """
    finished = 0
    for repository, found in after.items():
        unexpected = testing_fleet.unexpected_changes(before[repository], found)
        assert [path for path in unexpected if not any(part in path for part in left)] == []
        git(repository, "fsck", "--full", "--connectivity-only")
        if f".git/refs/heads/{BRANCH}" in found:
            assert git(repository, "rev-list", "--count", f"main..{BRANCH}") == "1"
            assert f"_commit: {NEW}\n" in git(repository, "show", f"{BRANCH}:.copier-answers.yml")
            finished += 1
    return finished


def check_next_run(fleet: Fleet, before: Fingerprints, finished: int) -> None:
    """Assert that another update finishes what is missing, and removes what was left."""
    again = fleet.run("update")
    assert again.status == 0, again
    states = sorted(report["state"] for report in again.services.values())
    assert states == ["updated"] * (len(before) - finished) + ["waiting"] * finished
    assert check_as_it_was_or_finished(before, fingerprints(fleet)) == len(before)
    assert list(fleet.temporary.iterdir()) == []


@pytest.fixture(scope="module")
def make_fleet(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Fleet]:
    """Make fleets of SERVICES services, whose template is small so that most of the time git works."""
    base = tmp_path_factory.mktemp("moments")
    template = base / "template"
    testing_fleet.write_files(
        template, {"copier.yml": "{}\n", "{{_copier_conf.answers_file}}.jinja": "{{ _copier_answers|to_nice_yaml }}\n"}
    )
    for version in (OLD, NEW):
        (template / CHANGED).write_text(f"{version}\n")
        git(commit(template), "tag", version)
    service = commit(testing_fleet.generate_service(template, base / "service"))

    def make(name: str) -> Fleet:
        folder = base / "services" / name
        for number in range(SERVICES):
            shutil.copytree(service, folder / f"{name}-{number}")
        return Fleet(folder, base / "temporary")

    return make


@pytest.fixture(scope="module")
def moments(make_fleet: Callable[[str], Fleet]) -> list[Moment]:
    """Stop an update of a fleet at each of the moments."""
    measured = make_fleet("measured")
    began = time.monotonic()
    with update(measured) as running:
        running.communicate()
    assert running.returncode == 0
    seconds = time.monotonic() - began

    numbers = random.Random(SEED)
    found = []
    for number in range(MOMENTS):
        fleet = make_fleet(f"moment-{number}")
        how = ("INT", "TERM", "KILL", "KILL of all processes")[number % 4]
        after = numbers.uniform(0.1, 1) * seconds
        before = fingerprints(fleet)
        with update(fleet) as running:
            time.sleep(after)
            stop(running, fleet, how)
        description = f"KILL_SEED={SEED}, moment {number}: {how} after {after:.3f} of {seconds:.3f} s"
        found.append(Moment(fleet, how, description, before, fingerprints(fleet)))
    return found


@pytest.fixture(scope="module")
def next_run(moments: list[Moment]) -> Outcome:
    """Update all these fleets again, in one run."""
    return moments[0].fleet.run("update", folder=moments[0].fleet.folder.parent)


@pytest.mark.parametrize("number", range(MOMENTS))
def test_stopped_at_a_random_moment_nothing_is_half_finished(moments: list[Moment], number: int):
    moment = moments[number]
    print(moment.description)
    check_as_it_was_or_finished(moment.before, moment.after, LEFT_BY_A_KILL if "KILL" in moment.how else ())


@pytest.mark.parametrize("number", range(MOMENTS))
def test_the_next_run_finishes_what_was_stopped(moments: list[Moment], next_run: Outcome, number: int):
    moment = moments[number]
    print(moment.description)
    for folder, found in moment.after.items():
        expected = "waiting" if f".git/refs/heads/{BRANCH}" in found else "updated"
        assert next_run.services[folder.name]["state"] == expected, next_run.services[folder.name]
    assert check_as_it_was_or_finished(moment.before, fingerprints(moment.fleet)) == SERVICES


def test_the_next_run_removes_what_the_others_left(moments: list[Moment], next_run: Outcome):
    assert list(moments[0].fleet.temporary.iterdir()) == []


def test_killed_half_way_and_run_again_nothing_is_lost_or_doubled(small_fleet):
    fleet = small_fleet(4)
    before = fingerprints(fleet)
    assert stopped_half_way(fleet, signal.SIGKILL) == -signal.SIGKILL
    finished = check_as_it_was_or_finished(before, fingerprints(fleet), LEFT_BY_A_KILL)
    assert 1 <= finished < 4
    assert len(list(fleet.temporary.iterdir())) == 1, "the killed run could not remove its folder"
    check_next_run(fleet, before, finished)


def test_killed_while_it_removes_its_folder(small_fleet):
    fleet = small_fleet(1)
    program = (
        "import os, signal, sys, fleet.cli\n"
        "remove = os.rmdir\n"
        "def kill_at_the_end(path, **options):\n"
        "    if os.path.basename(path).startswith('copier-fleet-'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    remove(path, **options)\n"
        "os.rmdir = kill_at_the_end\n"
        "fleet.cli.main(sys.argv[1:])\n"
    )
    environment = testing_fleet.environment(fleet.temporary)
    killed = subprocess.run([sys.executable, "-c", program, "status", fleet.folder], env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(fleet.temporary.iterdir())) == 1
    fleet.plain("status", fleet.folder)
    assert list(fleet.temporary.iterdir()) == []


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_stops_cleanly(small_fleet, number: signal.Signals, expected: int):
    fleet = small_fleet(3)
    before = fingerprints(fleet)
    assert stopped_half_way(fleet, number) == expected
    assert 1 <= check_as_it_was_or_finished(before, fingerprints(fleet)) < 3
    assert list(fleet.temporary.iterdir()) == []


def test_a_process_that_dies_does_not_stop_the_rest(small_fleet):
    fleet = small_fleet(2)
    with update(fleet, "--json", "--jobs", "1") as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        wait_until(
            "a worker started",
            lambda: list(fleet.temporary.glob("copier-fleet-*/worker-0/*")),
            seconds=120,
            every=0.01,
        )
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        reports = json.loads(running.communicate()[0])["services"]
    assert running.returncode == 1
    assert [report["state"] for report in reports] == ["broken", "updated"]
    assert reports[0]["message"] == "its process ended with status -9"
