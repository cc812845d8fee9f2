"""What the tests do again and again: generate a project, and read what copying it says."""

import atexit
import functools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from copier import run_copy

ROOT = Path(__file__).parent.parent
DOCKER_UP = ROOT / "engine" / "docker-up"


@functools.cache
def snapshot() -> Path:
    """The template as it lies here, uncommitted changes included, without its history.

    Copier clones a repository for every copy; a plain folder spares the tests that time,
    and leaves no commit in the answers that would differ from copy to copy.
    """
    folder = Path(tempfile.mkdtemp(prefix="template-"))
    atexit.register(shutil.rmtree, folder)
    for name in ("copier.yml", "questions", "template", "base-image", "includes", "locks"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / name)
    return folder


def generate(destination: Path, **answers: Any) -> Path:
    """Generate a project into `destination`, with `answers` over the defaults; return it."""
    run_copy(str(snapshot()), destination, data=answers, defaults=True, quiet=True)
    return destination


FIXTURES = ROOT / "tests" / "fixtures"
# Services that were there before the template, and how their owners answer its questions.
ADOPTED: dict[str, dict[str, str]] = {
    "shop": {
        "app_dir": "shop",
        "start_command": 'gunicorn --bind 0.0.0.0:8000 "shop:create_app()"',
        "health_path": "/health",
    },
    "site": {
        "app_dir": "manage.py mysite blog",
        "requirements_file": "requirements/production.txt",
        "start_command": "gunicorn mysite.wsgi:application --bind 0.0.0.0:8080 --worker-tmp-dir /dev/shm",
        "port": "8080",
        "health_path": "/healthz/",
    },
    "consumer": {
        "app_dir": "consumer",
        "start_command": "python -m consumer",
        "port": "",
        "heartbeat_file": "/tmp/consumer.alive",
        "build_packages": "libpq-dev",
        "runtime_packages": "libpq5",
    },
}


def adopt(name: str, destination: Path, **answers: Any) -> Path:
    """Give the existing service `name` the container layout, in a copy of it at `destination`."""
    shutil.copytree(FIXTURES / name, destination, ignore=shutil.ignore_patterns("__pycache__"))
    own = {"source": "existing", "service_name": name} | ADOPTED[name] | answers
    run_copy(str(snapshot()), destination, data=own, defaults=True, overwrite=True, quiet=True)
    return destination


def start_engine() -> str | None:
    """Point the environment to a Docker Engine, started where there is none.

    Returns why there is none to be had, or None.
    """
    result = subprocess.run([DOCKER_UP], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        return result.stderr.strip().splitlines()[-1]
    for line in result.stdout.splitlines():
        for assignment in shlex.split(line.removeprefix("export ")):
            name, _, value = assignment.partition("=")
            os.environ[name] = value.replace("$PATH", os.environ["PATH"])
    return None


def run(
    *command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command; where it fails and `check` is set, fail with all that it said."""
    result = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if check and result.returncode:
        said = f"{result.stdout}\n{result.stderr}"[-8000:]
        raise AssertionError(f"exit status {result.returncode}: {' '.join(map(str, command))}\n{said}")
    return result


def copier(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Copier's command line; the template's own state is the caller's to give."""
    return subprocess.run(
        [sys.executable, "-m", "copier", *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def files(directory: Path) -> dict[str, bytes]:
    """Every file below `directory`: its path, relative and with slashes, and its bytes."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def questions() -> dict[str, Any]:
    """The template's questions, asked or computed, by name."""
    found: dict[str, Any] = {}
    for path in sorted((ROOT / "questions").glob("*.yml")):
        found |= yaml.safe_load(path.read_text()) or {}
    return found
