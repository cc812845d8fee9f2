"""Render the template onto the services in examples/.

Run it by `make examples`, then read `git diff examples`.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from testing import ROOT
from testing.template import ANSWERS_FILE, generate, snapshot

EXAMPLES = ROOT / "examples"


class Example(NamedTuple):
    """A service: the files and folders that its owner wrote, and its answers."""

    source: tuple[str, ...]
    answers: dict[str, Any]


TABLE = {
    "stack/orders": Example(
        ("manage.py", "orders", "sales", "requirements.in", "requirements.txt"),
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
    ),
}


def render(name: str, folder: Path) -> Path:
    """Copy the owner's files of an example to `folder`, and render the template onto them; return it."""
    example = TABLE[name]
    for entry in example.source:
        source = EXAMPLES / name / entry
        if source.is_dir():
            shutil.copytree(source, folder / entry, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / entry)
    generate(folder, **example.answers)
    answers = folder / ANSWERS_FILE
    answers.write_text(answers.read_text().replace(str(snapshot()), "URL-OF-THE-TEMPLATE"))
    return folder


def main() -> None:
    for name in TABLE:
        with tempfile.TemporaryDirectory() as folder:
            rendered = render(name, Path(folder, "rendered"))
            shutil.rmtree(EXAMPLES / name)
            shutil.copytree(rendered, EXAMPLES / name)


if __name__ == "__main__":
    main()
