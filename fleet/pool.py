"""Run jobs in processes of their own, a limited number at a time, and leave nothing behind.

Each job has its own process because Copier changes the working directory, and because a process
that dies must not end the others. The processes are forked: importing Copier takes longer than
the status of a service. This program has no other thread while it forks.
"""

import fcntl
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from .errors import Failure, Success

Key = TypeVar("Key")
Job = TypeVar("Job")
Value = TypeVar("Value")

# The folder of a run, and the file in it that marks it. A folder without the file belongs to someone else.
PREFIX = "copier-fleet-"
MARK = ".run-of-fleet"


@contextmanager
def run_folder() -> Iterator[Path]:
    """Yield a folder for all temporary files of this run; first remove those that killed runs left.

    A run locks the file that marks its folder. The lock ends with the process, however that ends.
    """
    for mark in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{MARK}"):
        with suppress(OSError), _locked(mark):
            shutil.rmtree(mark.parent)
    with ExitStack() as stack:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            (folder / MARK).touch()
            # Until it is locked, another run may take the folder for one that was left, and remove it.
            with suppress(OSError):
                stack.enter_context(_locked(folder / MARK))
                break
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Lock `file`; raise OSError if another process has locked it, or if it no longer exists."""
    with file.open("r+b") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.stat()
        yield


class _Running(NamedTuple):
    process: ForkProcess
    slot: Path


def run_each(
    function: Callable[[Job, Path], Value], jobs: Mapping[Key, Job], limit: int, folder: Path
) -> Generator[tuple[Key, Success[Value] | Failure], None, None]:
    """Call `function` for each job, `limit` at a time; yield keys and results as they are finished.

    `function` also gets a folder for its temporary files, which lies in `folder`. If the
    generator is closed early, or an exception is raised in it, end all processes and what they
    have started.
    """
    context = multiprocessing.get_context("fork")
    waiting = list(jobs.items())[::-1]
    slots = [folder / f"slot-{number}" for number in range(limit)]
    running: dict[connection.Connection, tuple[Key, _Running]] = {}
    try:
        while waiting or running:
            while waiting and slots:
                key, job = waiting.pop()
                slot = slots.pop()
                slot.mkdir(exist_ok=True)
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(sender, slot, function, job), daemon=True)
                process.start()
                sender.close()
                running[receiver] = key, _Running(process, slot)
            for receiver in _ready(running):
                key, (process, slot) = running.pop(receiver)
                result = _receive(receiver, process)
                slots.append(slot)
                yield key, result
    finally:
        processes = [process for _, (process, _) in running.values()]
        for process in processes:
            _end(process, signal.SIGTERM)  # git removes its lock files on this signal
        for process in processes:
            process.join(5)
            _end(process, signal.SIGKILL)


def _ready(running: Mapping[connection.Connection, object]) -> list[connection.Connection]:
    """Wait until at least one connection has a result or is closed; return those."""
    ready = connection.wait(list(running))
    return [receiver for receiver in running if receiver in ready]


def _receive(receiver: connection.Connection, process: ForkProcess) -> Success[Any] | Failure:
    try:
        result: Success[Any] | Failure = receiver.recv()
    except EOFError:
        process.join()
        result = Failure("process-died", f"its process ended with status {process.exitcode}")
    receiver.close()
    process.join()
    return result


def _end(process: ForkProcess, number: signal.Signals) -> None:
    assert process.pid
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    if process.is_alive():
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _work(sender: connection.Connection, slot: Path, function: Callable[[Job, Path], Value], job: Job) -> None:
    """Run a job and send its result.

    The process leads a process group, so one signal ends it and its children.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    tempfile.tempdir = str(slot)  # Copier offers no other way to choose where its temporary files go
    result: Success[Value] | Failure
    try:
        result = Success(function(job, slot))
    except Exception as error:
        result = Failure.of(error)
    sender.send(result)


def _end_with_parent() -> None:
    """Wait until the parent process ends; then end this process with all that it started."""
    parent = multiprocessing.parent_process()
    assert parent
    connection.wait([parent.sentinel])
    os.killpg(0, signal.SIGTERM)
