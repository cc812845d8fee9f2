"""Find services in folders."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .answers import ANSWERS_FILE, Answers, parse_answers
from .errors import Failure, FleetError, Success

# These folders contain no services, and may be large.
NOT_SEARCHED = {"node_modules", "venv", "__pycache__"}
# The codes of failures to find any answers file.
NOT_FOUND = {"no-such-folder", "no-answers-file"}


@dataclass(frozen=True)
class Service:
    """A folder with an answers file."""

    folder: Path
    answers: Answers

    @property
    def name(self) -> str:
        return str(self.answers.values.get("service_name") or self.folder.name)


def find_services(roots: Iterable[Path], depth: int) -> dict[Path, Success[Service] | Failure]:
    """Find the services in and below each of `roots`, at most `depth` levels down, sorted by path.

    A root without any service is a failure, as is a service whose answers cannot be read.
    Symbolic links and hidden folders are not followed.
    """
    found: dict[Path, Success[Service] | Failure] = {}
    for root in roots:
        root = root.resolve()
        folders = list(_folders_with_answers(root, depth)) if root.is_dir() else []
        for folder in folders:
            found[folder] = _read_service(folder)
        if not folders:
            found.setdefault(root, _no_service(root))
    return dict(sorted(found.items()))


def _read_service(folder: Path) -> Success[Service] | Failure:
    try:
        return Success(Service(folder, parse_answers((folder / ANSWERS_FILE).read_bytes())))
    except (FleetError, OSError) as error:
        return Failure.of(error)


def _no_service(root: Path) -> Failure:
    if root.is_dir():
        return Failure("no-answers-file", f"there is no {ANSWERS_FILE} in it")
    return Failure("no-such-folder", "there is no such folder")


def _folders_with_answers(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    if any(entry.name == ANSWERS_FILE for entry in entries):
        yield folder
    if depth:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and entry.name[0] != "." and entry.name not in NOT_SEARCHED:
                yield from _folders_with_answers(Path(entry.path), depth - 1)
