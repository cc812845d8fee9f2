"""What a template generates for some answers, by Copier.

Copier's public functions clone the template, compile its Jinja templates again, and start git for
each file. This module keeps a checkout and the compiled templates of each release. It is the only
one that uses names that Copier does not document; tests/fleet/test_rendering.py compares it with
`copier copy` and `copier update`.
"""

import functools
import os
import tempfile
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from copier import run_copy
from copier._main import Worker, as_operation
from copier._settings import SettingsModel
from copier._template import Template as CopierTemplate
from jinja2 import Environment
from packaging.version import InvalidVersion, Version

from .answers import ANSWERS_FILE, Answers
from .errors import FleetError

REGULAR, EXECUTABLE, LINK = "100644", "100755", "120000"


@dataclass(frozen=True)
class File:
    """A file as git stores it: its mode, and its content or the target of the link."""

    mode: str
    content: bytes


@dataclass(frozen=True)
class Rendering:
    """The files that a release generates, by path.

    `is_excluded` and `is_user_owned` tell of a path whether the release leaves it out (Copier's
    `_exclude`), or generates it once and then leaves it to the user (`_skip_if_exists`).
    """

    files: Mapping[str, File]
    is_excluded: Callable[[str], bool]
    is_user_owned: Callable[[str], bool]

    @property
    def answers(self) -> bytes:
        """The content of the answers file."""
        if ANSWERS_FILE not in self.files:
            raise FleetError("answers-not-recorded", f"the template generates no {ANSWERS_FILE}")
        return self.files[ANSWERS_FILE].content


class Release:
    """A release of a template, checked out in a folder, with its compiled Jinja templates.

    `source` and `version` are what the answers file records.
    """

    def __init__(self, source: str, version: str, checkout: Path) -> None:
        self.version = version
        self._template = CopierTemplate(url=source, ref=version)
        # These are cached properties. Copier would clone the template and run git to find them.
        self._template.local_abspath = checkout.resolve()
        self._template.vcs = "git"
        self._template.commit = version
        self._template.git_index_modes = {}
        self._jinja: Environment | None = None

    def render(self, answers: Answers, operation: Literal["copy", "update"] = "update") -> Rendering:
        """Generate the files of a first copy or of an update, which may leave more out.

        Raise an error of Copier's if that is impossible.
        """
        with tempfile.TemporaryDirectory(prefix="generated-") as scratch:
            folder = Path(scratch, "service")
            folder.mkdir()
            (folder / ANSWERS_FILE).write_text(answers.to_yaml())
            worker = _Worker(
                src_path=self._template.url,
                dst_path=folder,
                vcs_ref=self.version,
                settings=SettingsModel(),  # trust no template, whatever the user's settings say
                defaults=True,
                overwrite=True,
                quiet=True,
                skip_answered=True,
            )
            worker.template = self._template
            if self._jinja is None:
                self._jinja = compile_once(worker.jinja_env)
            vars(worker)["jinja_env"] = self._jinja
            as_operation(operation)(worker.run_copy)()
            return Rendering(
                _read_files(folder),
                lambda path: bool(worker.match_exclude(Path(path))),
                lambda path: bool(worker.match_skip(Path(path))),
            )

    def refuse_migrations(self, before: "Release") -> None:
        """Raise FleetError if an update from `before` needs migrations, which run commands of the template."""
        try:
            self._template.version, before._template.version = Version(self.version), Version(before.version)
        except InvalidVersion:
            return
        if any(self._template.migration_tasks(stage, before._template) for stage in ("before", "after")):
            raise FleetError(
                "migrations",
                f"{self.version} has migrations, which run commands of the template",
                "if you trust the template, run copier update --trust in the service",
            )


def compile_once(environment: Environment) -> Environment:
    """Make a Jinja environment keep what it compiles: Copier compiles each string again for each use."""
    vars(environment)["from_string"] = functools.cache(environment.from_string)
    return environment


class _Worker(Worker):
    """Copier's worker, without the work that is useless here."""

    # The variables for Jinja, once all questions are answered.
    _context: dict[str, Any] | None = None

    def _render_template(self) -> None:
        """Generate the files, all with the same variables: Copier computes them again for each string."""
        self._path, self._context = self.answers_relpath, dict(self._render_context())
        super()._render_template()

    def _render_context(self) -> MutableMapping[str, Any]:
        return super()._render_context() if self._context is None else self._context

    @property
    def answers_relpath(self) -> Path:
        return super().answers_relpath if self._context is None else self._path

    def _sync_git_index_executable_bit(self, dst_relpath: Path, src_mode: int) -> None:
        """Do nothing: the files are generated outside of any repository."""


def copy_template(source: str, folder: Path, answers: Mapping[str, Any]) -> None:
    """Generate a project in `folder` by Copier, with the defaults for all questions without an answer.

    Files that are there already are replaced. Raise an error of Copier's if it refuses an answer.
    """
    run_copy(
        source,
        folder,
        data=dict(answers),
        settings=SettingsModel(),  # trust no template, whatever the user's settings say
        defaults=True,
        overwrite=True,
        quiet=True,
    )


def expand_source(source: str) -> str:
    """Return what git can clone for the source of a template, such as gh:owner/name."""
    from copier._vcs import get_repo

    return str(get_repo(source) or source)


def _read_files(folder: Path) -> dict[str, File]:
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            files[name] = File(LINK, os.fsencode(path.readlink()))
        elif path.is_file():
            files[name] = File(EXECUTABLE if path.stat().st_mode & 0o100 else REGULAR, path.read_bytes())
    return files
