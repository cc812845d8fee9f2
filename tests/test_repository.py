"""The helpers and the Makefile of this repository."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testing import ROOT
from testing.git import commit, git
from testing.process import run
from testing.waiting import wait_until


def test_wait_until_returns_the_value_and_otherwise_says_what_it_awaited_and_shows_evidence():
    values = iter([0, 0, 7])
    assert wait_until("there is a value", lambda: next(values), every=0) == 7
    with pytest.raises(AssertionError, match=r"until the service answers; the last value was 0\nthe log"):
        wait_until("the service answers", lambda: 0, lambda: "the log", seconds=0)


def test_child_processes_can_be_interrupted_even_if_the_tests_run_in_the_background():
    child = subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"], stdout=-1)
    assert child.stdout
    with child:
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        began = time.monotonic()
        child.communicate()
    assert child.returncode == -signal.SIGINT and time.monotonic() - began < 30


def test_git_does_not_read_the_configuration_of_the_user(tmp_path: Path):
    repository = commit(tmp_path)
    assert git(repository, "log", "--format=%an <%ae>") == "A Developer <developer@example.com>"
    origins = {line.split()[0] for line in git(repository, "config", "--list", "--show-origin").splitlines()}
    assert len(origins) == 2 and "file:.git/config" in origins, origins


def test_make_help_needs_only_make_and_awk(tmp_path: Path):
    for name in ("make", "awk", "sh"):
        (tmp_path / name).symlink_to(Path(shutil.which(name) or "").resolve())
    listed = run(tmp_path / "make", "help", cwd=ROOT, env={"PATH": str(tmp_path)}).stdout.splitlines()
    assert {"demo", "test", "lint", "lock", "bench", "fleet", "release"} <= {line.split()[0] for line in listed}
