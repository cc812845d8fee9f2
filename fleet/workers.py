"""Run tasks in processes of their own, some at a time, and leave nothing behind.

A process for each, because Copier changes the working directory, and so that one that dies
takes no other along; forked, because the import of Copier takes longer than a status. The
program has no other thread while it forks.
"""

import fcntl
import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import connection
from pathlib import Path
from typing import Any

from plumbum import local

from .find import Report

# A run's folder, and the file in it that says so: a folder without it is somebody else's.
PREFIX = "copier-fleet-"
MARK = ".run-of-fleet"


@contextmanager
def run_folder() -> Iterator[Path]:
    """A folder for everything temporary; on the way in, those that killed runs left are removed.

    A run holds a lock on the mark in its folder, and the lock ends with it, however it ends.
    """
    for mark in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{MARK}"):
        with suppress(OSError), _locked(mark):
            shutil.rmtree(mark.parent)
    with ExitStack() as stack:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            (folder / MARK).touch()
            with suppress(OSError):  # another run may take it for a left one, just now
                stack.enter_context(_locked(folder / MARK))
                break
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold a lock on `file`. OSError, if another process has it, or the file is gone by then."""
    with file.open("r+b") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.stat()
        yield


def prepare_git() -> None:
    """Set what git, and git under Copier, is to heed from now on, whoever calls this program."""
    for name in subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True).stdout.split():
        if not name.startswith("GIT_CONFIG"):
            os.environ.pop(name, None)  # a hook's, which would name its own repository
    os.environ["GIT_LFS_SKIP_SMUDGE"] = "1"  # what LFS keeps stays a pointer: an update does not need it
    configure_git(
        {"core.hooksPath": os.devnull, "commit.gpgSign": "false", "gc.auto": "0", "maintenance.auto": "false"}
    )


def configure_git(settings: dict[str, str]) -> None:
    """Add `settings` to those that git reads from the environment."""
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(settings.items(), count):
        os.environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    os.environ["GIT_CONFIG_COUNT"] = str(count + len(settings))


def run(jobs: dict[Any, tuple], limit: int, folder: Path) -> Iterator[tuple[Any, Report | str]]:
    """Perform each job, given as the arguments for it, `limit` at a time; yield key and report as they come.

    For one whose process died the report is a string that says so. Temporary files go to
    `folder`. Left early, by an exception or a signal, it ends the processes and their gits.
    """
    if not jobs:
        return
    from . import work  # noqa: F401 (Copier, once for all; not before it is needed)

    context = multiprocessing.get_context("fork")
    waiting = list(jobs.items())[::-1]
    slots = [folder / f"slot-{number}" for number in range(limit)]
    running: dict[connection.Connection, tuple[Any, Any, Path]] = {}
    try:
        while waiting or running:
            while waiting and slots:
                key, arguments = waiting.pop()
                slot = slots.pop()
                slot.mkdir(exist_ok=True)
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(sender, slot, arguments), daemon=True)
                process.start()
                sender.close()
                running[receiver] = key, process, slot
            for receiver in connection.wait(list(running)):
                key, process, slot = running.pop(receiver)
                try:
                    result = receiver.recv()
                except EOFError:
                    process.join()
                    result = f"its process ended with status {process.exitcode}"
                receiver.close()
                process.join()
                slots.append(slot)
                yield key, result
    finally:
        processes = [process for _, process, _ in running.values()]
        for process in processes:
            _end(process, signal.SIGTERM)  # git removes its locks on this one
        for process in processes:
            process.join(5)
            _end(process, signal.SIGKILL)


def _end(process: Any, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    if process.is_alive():
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _work(sender: connection.Connection, slot: Path, arguments: tuple) -> None:
    """What a worker does. It leads a group of its own, so that it can be ended with its gits."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    tempfile.tempdir = str(slot)
    os.environ["COPIER_CACHE_DIR"] = str(slot / "copier")  # its mirrors are not made for several at once
    local.env.clear()  # what Copier starts git with, from before prepare_git
    local.env.update(os.environ)
    from .work import perform

    sender.send(perform(*arguments))


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one; then end with all that this one started."""
    connection.wait([multiprocessing.parent_process().sentinel])
    os.killpg(0, signal.SIGTERM)
