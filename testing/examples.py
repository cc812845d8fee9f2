"""Write the generated files in examples/.

Run it by `make examples`, then read `git diff examples`.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from testing import ROOT
from testing.git import commit, isolate_git
from testing.process import run
from testing.template import ANSWERS_FILE, FIXTURES, generate, snapshot

EXAMPLES = ROOT / "examples"


class Example(NamedTuple):
    """A project: its answers, and the files and folders that its owner wrote."""

    answers: dict[str, Any]
    source: tuple[str, ...] = ()


TABLE = {
    "default/hello-service": Example({"service_name": "hello-service"}),
    "django/bookings": Example(
        {
            "service_name": "bookings",
            "description": "Takes bookings for the rooms of a guest house",
            "framework": "django",
            "flavor": "distroless",
            "ci": "github",
            "registry": "registry.example.com/team",
            "targets": ["kubernetes"],
        }
    ),
    "base-image/python-base": Example(
        {
            "kind": "base-image",
            "image_name": "python-base",
            "python_versions": ["3.13"],
            "registry": "registry.example.com/team",
            "ci": "github",
        }
    ),
    "monorepo/services/api": Example(
        {
            "service_name": "api",
            "description": "Answers the clients",
            "registry": "registry.example.com/team",
            "ci": "none",
        }
    ),
    "monorepo/services/jobs": Example(
        {
            "service_name": "jobs",
            "description": "Does what takes longer than a request",
            "framework": "worker",
            "registry": "registry.example.com/team",
            "ci": "none",
        }
    ),
    "stack/orders": Example(
        {
            "source": "existing",
            "service_name": "orders",
            "description": "Takes orders and sends them",
            "app_dir": "manage.py orders sales",
            "flavor": "distroless",
            "start_command": "gunicorn orders.wsgi --bind 0.0.0.0:8000 --threads 8 --worker-tmp-dir /dev/shm"
            " --no-control-socket --graceful-timeout 20",
            "health_path": "/healthz/",
            "health_https": True,
            "start_period": "60",
            "release_command": "python manage.py migrate --noinput",
            "processes": [
                {
                    "name": "worker",
                    "command": "celery -A orders worker --concurrency 2 --include celery_heartbeat",
                    "stop_signal": "SIGQUIT",
                },
                {"name": "beat", "command": "celery -A orders beat --schedule /tmp/celerybeat-schedule --pidfile="},
            ],
            "targets": ["proxy"],
        },
        ("manage.py", "orders", "sales", "requirements.in", "requirements.txt"),
    ),
}

# A service of tests/fixtures, which tests/container builds before and after it is adopted.
ADOPTED = "shop"


def render(folder: Path) -> Path:
    """Write the generated files of examples/, and what their services consist of besides, to `folder`; return it."""
    for name, example in TABLE.items():
        for entry in example.source:
            copy(EXAMPLES / name / entry, folder / name / entry)
        generate(folder / name, **example.answers)
    adopt(folder / "adopted")
    for answers in folder.rglob(ANSWERS_FILE):
        answers.write_text(answers.read_text().replace(str(snapshot()), "URL-OF-THE-TEMPLATE"))
    return folder


def adopt(folder: Path) -> None:
    """Write a service before and after `fleet adopt`, and what the command printed."""
    copy(FIXTURES / ADOPTED, folder / "before")
    with tempfile.TemporaryDirectory() as temporary:
        service = Path(temporary).resolve() / ADOPTED
        copy(FIXTURES / ADOPTED, service)
        commit(service)
        command = (sys.executable, "-m", "fleet", "adopt", service, "--template", snapshot(), "--yes")
        output = run(*command, env={"PYTHONPATH": str(ROOT), "COLUMNS": "100"}).stdout
        shutil.rmtree(service / ".git")
        copy(service, folder / "after")
    lines = output.replace(str(service), f"~/{ADOPTED}").strip().splitlines()
    text = "\n".join(line.rstrip() for line in lines)
    (folder / "adopt.txt").write_text(f"$ fleet adopt ~/{ADOPTED} --yes\n{text}\n")


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def generated(folder: Path) -> list[Path]:
    """Return the files and folders of examples/, in `folder`, that are generated as a whole."""
    return [folder / name for name in (*TABLE, "adopted/before", "adopted/after", "adopted/adopt.txt")]


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        isolate_git(Path(temporary))
        rendered = render(Path(temporary, "examples"))
        for committed in generated(EXAMPLES):
            if committed.is_dir():
                shutil.rmtree(committed)
            copy(rendered / committed.relative_to(EXAMPLES), committed)


if __name__ == "__main__":
    main()
