"""An update that is interrupted or killed leaves each repository unchanged or finished; the next run does the rest."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from testing import fleet as testing_fleet
from testing.fleet import BRANCH, NEW, Fleet
from testing.git import git
from testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("fleet-states")

# KILL_SEED=NUMBER repeats a failure, as far as timing can be repeated.
SEED = int(os.environ.get("KILL_SEED") or random.randrange(1_000_000))
MOMENTS, SERVICES = 20, 6
# What git leaves if it is killed; the next run removes these files.
LEFT_BY_A_KILL = ("/tmp_", ".lock")


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
    remaining = lambda: processes(fleet.temporary)  # noqa: E731
    wait_until("all processes ended", lambda: not remaining(), remaining, seconds=120)


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
    finished = lambda: any((folder / ".git/refs/heads" / BRANCH).exists() for folder in repositories)  # noqa: E731
    with update(fleet, "--jobs", "2") as running:
        wait_until("the first branch exists", finished, seconds=120, every=0.01)
        running.send_signal(number)
        running.communicate()  # read what it prints, until it ends
    return running.returncode


def fingerprints(fleet: Fleet) -> dict[Path, dict[str, str]]:
    return {folder: testing_fleet.fingerprint(folder) for folder in sorted(fleet.folder.iterdir())}


def check_as_it_was_or_finished(before: dict[Path, dict[str, str]], left: tuple[str, ...] = ()) -> int:
    """Assert that of each repository; return how many are finished.

    `left` has parts of names of files that may be there besides.
    """
    finished = 0
    for repository, found in before.items():
        unexpected = testing_fleet.unexpected_changes(found, testing_fleet.fingerprint(repository))
        assert [path for path in unexpected if not any(part in path for part in left)] == []
        git(repository, "fsck", "--full", "--connectivity-only")
        branches = git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()
        if branches != ["main"]:
            assert branches == [BRANCH, "main"]
            assert git(repository, "rev-list", "--count", f"main..{BRANCH}") == "1"
            assert f"\n_commit: {NEW}\n" in git(repository, "show", f"{BRANCH}:.copier-answers.yml")
            finished += 1
    return finished


def check_next_run(fleet: Fleet, before: dict[Path, dict[str, str]], finished: int) -> None:
    """Assert that another update finishes what is missing, and removes what was left."""
    again = fleet.run("update")
    assert again.status == 0, again
    states = sorted(report["state"] for report in again.services.values())
    assert states == ["updated"] * (len(before) - finished) + ["waiting"] * finished
    assert check_as_it_was_or_finished(before) == len(before)
    assert list(fleet.temporary.iterdir()) == []


@pytest.fixture(scope="module")
def seconds(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long an update of SERVICES services takes."""
    base = tmp_path_factory.mktemp("measured")
    for number in range(SERVICES):
        shutil.copytree(pristine, base / "services" / f"service-{number}")
    fleet = Fleet(base / "services", base / "temporary")
    began = time.monotonic()
    with update(fleet) as running:
        running.communicate()
    assert running.returncode == 0
    return time.monotonic() - began


@pytest.mark.parametrize("number", range(MOMENTS))
def test_stopped_at_a_random_moment(small_fleet, seconds: float, number: int):
    moment = random.Random(SEED * MOMENTS + number).uniform(0.1, 1) * seconds
    how = ("INT", "TERM", "KILL", "KILL of all processes")[number % 4]
    print(f"KILL_SEED={SEED}, moment {number}: {how} after {moment:.3f} of {seconds:.3f} s")
    fleet = small_fleet(SERVICES)
    before = fingerprints(fleet)
    with update(fleet) as running:
        time.sleep(moment)
        stop(running, fleet, how)
    finished = check_as_it_was_or_finished(before, LEFT_BY_A_KILL if "KILL" in how else ())
    check_next_run(fleet, before, finished)


def test_killed_half_way_and_run_again_nothing_is_lost_or_doubled(small_fleet):
    fleet = small_fleet(4)
    before = fingerprints(fleet)
    assert stopped_half_way(fleet, signal.SIGKILL) == -signal.SIGKILL
    finished = check_as_it_was_or_finished(before, LEFT_BY_A_KILL)
    assert 1 <= finished < 4
    assert len(list(fleet.temporary.iterdir())) == 1, "the killed run could not remove its folder"
    check_next_run(fleet, before, finished)


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_stops_cleanly(small_fleet, number: signal.Signals, expected: int):
    fleet = small_fleet(3)
    before = fingerprints(fleet)
    assert stopped_half_way(fleet, number) == expected
    assert 1 <= check_as_it_was_or_finished(before) < 3
    assert list(fleet.temporary.iterdir()) == []


def test_a_process_that_dies_does_not_stop_the_rest(small_fleet):
    fleet = small_fleet(2)
    with update(fleet, "--json", "--jobs", "1") as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        work = lambda: list(fleet.temporary.glob("copier-fleet-*/worker-0/*"))  # noqa: E731
        wait_until("a worker started", work, seconds=120, every=0.01)
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        reports = json.loads(running.communicate()[0])["services"]
    assert running.returncode == 1
    assert [report["state"] for report in reports] == ["broken", "updated"]
    assert reports[0]["message"] == "its process ended with status -9"
