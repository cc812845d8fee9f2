"""Run jobs in several processes, and leave nothing behind.

The processes are forked: importing Copier takes longer than the status of a service. Each works
on one job after the other, because Copier keeps the templates that it compiled. This program
has no other thread while it forks.
"""

import fcntl
import itertools
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
from typing import NamedTuple, TypeVar

from .errors import Failure, Success

Key = TypeVar("Key")
Job = TypeVar("Job")
Value = TypeVar("Value")

# How the names of the folders of runs begin.
PREFIX = "copier-fleet-run-"


@contextmanager
def run_folder() -> Iterator[Path]:
    """Yield a folder for all temporary files of this run; first remove those that killed runs left.

    A run locks its folder. The lock ends with the processes of the run, however they end.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError), _locked(folder):
            shutil.rmtree(folder)
    with ExitStack() as stack:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            # Until it is locked, another run may take the folder for one that was left, and remove it.
            with suppress(OSError):
                stack.enter_context(_locked(folder))
                break
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder of this user's; raise OSError if another process has locked it, or if it no longer exists."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(handle).st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to another user")
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.stat()
        yield
    finally:
        os.close(handle)


class _Worker(NamedTuple):
    process: ForkProcess
    connection: connection.Connection


def run_each(
    function: Callable[[Job, Path], Value], jobs: Mapping[Key, Job], limit: int, folder: Path
) -> Generator[tuple[Key, Success[Value] | Failure], None, None]:
    """Call `function` for each job, `limit` at a time; yield keys and results as they are finished.

    `function` also gets an empty folder for its temporary files, which lies in `folder`. A process
    that dies does not end the others. If the generator is closed early, or an exception is raised in
    it, end all processes and what they have started.
    """
    waiting = list(jobs)[::-1]
    folders = (folder / f"worker-{number}" for number in itertools.count())
    workers: list[_Worker] = []
    running: dict[connection.Connection, tuple[Key, _Worker]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < limit:
                idle = [worker for worker in workers if worker.connection not in running]
                if not idle:
                    idle = [_start_worker(function, jobs, next(folders))]
                    workers += idle
                key, worker = waiting.pop(), idle[0]
                worker.connection.send(key)
                running[worker.connection] = key, worker
            for ready in connection.wait(list(running)):
                assert isinstance(ready, connection.Connection)
                key, worker = running.pop(ready)
                try:
                    result = ready.recv()
                except EOFError:
                    worker.process.join()
                    workers.remove(worker)
                    status = worker.process.exitcode
                    result = Failure("process-died", f"its process ended with status {status}", "run the command again")
                yield key, result
    finally:
        for worker in workers:
            _end(worker.process, signal.SIGTERM)  # git removes its lock files on this signal
        for worker in workers:
            worker.process.join(5)
            _end(worker.process, signal.SIGKILL)


def _start_worker(function: Callable[[Job, Path], Value], jobs: Mapping[Key, Job], folder: Path) -> _Worker:
    context = multiprocessing.get_context("fork")
    own, other = context.Pipe()
    process = context.Process(target=_work, args=(other, function, jobs, folder), daemon=True)
    process.start()
    other.close()
    return _Worker(process, own)


def _end(process: ForkProcess, number: signal.Signals) -> None:
    assert process.pid
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    if process.is_alive():
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _work(
    keys: connection.Connection, function: Callable[[Job, Path], Value], jobs: Mapping[Key, Job], folder: Path
) -> None:
    """Run the jobs whose keys arrive, and send the results.

    The process leads a process group, so one signal ends it and its children.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.setsid()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    while True:
        job = jobs[keys.recv()]
        folder.mkdir()
        tempfile.tempdir = str(folder)  # Copier's temporary files go there too
        result: Success[Value] | Failure
        try:
            result = Success(function(job, folder))
        except Exception as error:
            result = Failure.of(error)
        shutil.rmtree(folder)
        keys.send(result)


def _end_with_parent() -> None:
    """Wait until the parent process ends; then end this process with all that it started."""
    parent = multiprocessing.parent_process()
    assert parent
    connection.wait([parent.sentinel])
    os.killpg(0, signal.SIGTERM)
