"""`fleet adopt` proposes the right answers for a project, adds the layout, or refuses in one sentence."""

import io
import json
import os
import pty
import shutil
import subprocess
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.adopt.project import open_project
from fleet.adopt.proposal import propose
from fleet.cli import main
from fleet.git import GitEnvironment
from testing import fleet as testing_fleet
from testing.answers import ADOPTED
from testing.fleet import NEW, OLD, Fleet, Outcome, fingerprint
from testing.git import commit, git
from testing.process import run
from testing.template import FIXTURES, copier, read_answers, snapshot

FLASK = "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get('/health')\ndef health():\n    return 'ok'\n"


@pytest.fixture
def project(tmp_path: Path):
    """Makes a committed project of the files that are given, by path and content."""

    def make(files: dict[str, str], name: str = "a-service") -> Path:
        testing_fleet.write_files(tmp_path / name, files)
        return commit(tmp_path / name)

    return make


def run_adopt(folder: Path, *options: str, template: Path | None = None) -> Outcome:
    """Run the command in this process, because importing Copier takes a second in each new one."""
    output, errors = io.StringIO(), io.StringIO()
    arguments = ["adopt", str(folder), "--template", str(template or snapshot()), *options]
    with redirect_stdout(output), redirect_stderr(errors), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        status = main(arguments)
    return Outcome(status, output.getvalue(), errors.getvalue())


def adopt(folder: Path, *options: str) -> dict[str, Any]:
    """Run `fleet adopt --dry-run --json`; return the result."""
    outcome = run_adopt(folder, "--dry-run", "--json", *options)
    assert outcome.status == 0, outcome
    return json.loads(outcome.stdout)


def answers(result: dict[str, Any]) -> dict[str, str]:
    return {answer["name"]: answer["value"] for answer in result["answers"]}


def propose_answers(folder: Path) -> dict[str, str]:
    """Return the proposed answers without generating the files, which takes a second."""
    return propose(open_project(folder, GitEnvironment.from_process()), {}).data


# Services of tests/fixtures, whose owners gave the answers in testing/answers.py


@pytest.mark.parametrize("name", ADOPTED)
def test_the_answers_of_the_owners_are_found(name: str, tmp_path: Path):
    shutil.copytree(FIXTURES / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    found = answers(adopt(commit(tmp_path / name)))
    expected = {"requirements_file": "requirements.txt", "port": "8000"} | ADOPTED[name]
    expected.pop("flavor", None)  # adopt proposes none: a project does not tell it
    sets = [dict(given, app_dir=set(given["app_dir"].split())) for given in (expected, found)]
    assert {key: sets[1].get(key) for key in sets[0]} == sets[0]


def test_an_adopted_service_has_the_layout_and_updates_later(tmp_path: Path):
    template = testing_fleet.make_template(tmp_path / "template")
    git(template, "checkout", "--quiet", OLD)
    git(template, "tag", "--delete", NEW)
    shutil.copytree(FIXTURES / "shop", tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    shop = commit(tmp_path / "shop")
    outcome = run_adopt(shop, "--yes", template=template)
    assert outcome.status == 0, outcome
    assert "docker compose --file docker-compose.prod.yml up" in outcome.stdout
    assert git(shop, "diff", "--name-only").split() == ["Dockerfile", "docker-compose.yml"]
    assert {"docker/healthcheck.py", "docker-compose.prod.yml", ".copier-answers.yml"} <= set(
        git(shop, "ls-files", "--others").split()
    )
    assert '"shop:create_app()"' in (shop / "Dockerfile").read_text()
    recorded = read_answers(shop)
    assert (recorded["_commit"], recorded["start_command"]) == (OLD, ADOPTED["shop"]["start_command"])

    commit(shop)
    git(template, "tag", NEW, "main")
    updated = copier("update", "--defaults", shop)
    assert updated.returncode == 0, updated
    assert read_answers(shop)["_commit"] == NEW
    assert not (shop / "dropped.txt").exists()


def test_a_terminal_shows_the_proposal_and_asks(project):
    folder = project({"requirements.txt": "flask\ngunicorn\n", "app.py": FLASK})
    before = fingerprint(folder)

    def answer(text: bytes) -> tuple[int, str]:
        master, slave = pty.openpty()
        process = subprocess.Popen(
            testing_fleet.command("adopt", folder, "--template", snapshot()),
            env=testing_fleet.environment(folder.parent / "temporary") | {"TERM": "xterm", "COLUMNS": "140"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        os.write(master, text)
        output = b""
        while True:
            try:
                output += os.read(master, 65536)
            except OSError:  # the terminal is closed
                break
        os.close(master)
        return process.wait(), output.decode()

    status, output = answer(b"n\n")
    assert status == 1 and "Nothing was written" in output, output
    for text in ("start_command", "gunicorn app:app", "Could not tell", "[y/N]"):
        assert text in output
    assert fingerprint(folder) == before
    status, output = answer(b"y\n")
    assert status == 0 and "docker buildx bake" in output, output
    assert (folder / "docker" / "healthcheck.py").exists()


# What is found


def test_a_django_project_with_celery_in_a_procfile(project):
    result = adopt(
        project(
            {
                "requirements/base.txt": "Django==5.2\ncelery==5.4\n",
                "requirements/production.txt": "-r base.txt\ngunicorn==23.0\npsycopg2==2.9\n",
                "requirements/dev.txt": "-r base.txt\npytest\n",
                ".python-version": "3.12\n",
                "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'blog.settings')\n"
                "import django\n",
                "blog/__init__.py": "",
                "blog/settings.py": "import os\nALLOWED_HOSTS = os.environ['HOSTS'].split()\nSTATIC_ROOT = 'static'\n"
                "INSTALLED_APPS = ['django.contrib.staticfiles']\n",
                "blog/wsgi.py": "from django.core.wsgi import get_wsgi_application\n"
                "application = get_wsgi_application()\n",
                "blog/celery.py": "from celery import Celery\napp = Celery('blog')\n",
                "blog/urls.py": "from django.urls import include, path\n"
                "urlpatterns = [path('api/', include('posts.urls'))]\n",
                "posts/urls.py": "from django.urls import path\nurlpatterns = [path('ping', lambda request: None)]\n",
                "templates/base.html": "",
                "docs/conf.py": "",
                "tests/test_blog.py": "",
                "Procfile": "release: python manage.py migrate\n"
                "web: gunicorn blog.wsgi --bind 0.0.0.0:$PORT --workers ${WORKERS:-3}\n"
                "worker: celery -A blog worker\n",
            }
        )
    )
    found = answers(result)
    assert found["start_command"] == "gunicorn blog.wsgi --bind 0.0.0.0:8000 --workers 3"
    assert (found["requirements_file"], found["python_version"]) == ("requirements/production.txt", "3.12")
    assert found["health_path"] == "/api/ping"
    assert found["app_dir"].split() == ["blog", "manage.py", "posts", "templates"]
    assert (found["build_packages"], found["runtime_packages"]) == ("libpq-dev", "libpq5")
    assert found["build_commands"] == "HOSTS=build python manage.py collectstatic --noinput"
    assert found["release_command"] == "python manage.py migrate --noinput"
    assert json.loads(found["processes"]) == [
        {"name": "worker", "command": "celery -A blog worker --include celery_heartbeat"}
    ]
    assert "allowed-hosts" in {finding["code"] for finding in result["by_hand"]}


def test_the_start_script_of_a_dockerfile_with_stages(project):
    result = adopt(
        project(
            {
                "Dockerfile": "FROM node:22 AS assets\nRUN npm ci && npm run build\n"
                "FROM python:3.12-slim AS builder\n"
                "RUN apt-get update && apt-get install -y --no-install-recommends \\\n"
                "    gcc libxml2-dev curl\nRUN pip install -r requirements.txt sentry-sdk\n"
                "FROM python:3.12-slim\nWORKDIR /srv/app\nENV MODE=live PORT=9000\n"
                "RUN apt-get update && apt-get install -y libxml2 libmagic1 curl\n"
                "COPY . .\nEXPOSE 9000\nVOLUME /srv/uploads\n"
                "HEALTHCHECK CMD curl --fail http://localhost:9000/internal/live?full=1 || exit 1\n"
                'ENTRYPOINT ["tini", "--", "/srv/app/docker/start.sh"]\n',
                "docker/start.sh": "#!/bin/sh\nset -e\nalembic upgrade head\n"
                "exec uvicorn api.main:app --host 0.0.0.0 \\\n    --port ${PORT:-8000} --workers $WEB_WORKERS\n",
                "requirements.txt": "fastapi\nuvicorn\nalembic\n",
                "api/main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
                "alembic.ini": "",
                "migrations/env.py": "",
            }
        )
    )
    found = answers(result)
    assert found["start_command"] == "uvicorn api.main:app --host 0.0.0.0 --port 9000"
    assert (found["port"], found["health_path"], found["python_version"]) == ("9000", "/internal/live?full=1", "3.12")
    assert found["app_dir"].split() == ["alembic.ini", "api", "migrations"]
    assert found["build_packages"] == "libxml2-dev"
    assert found["runtime_packages"].split() == ["libxml2", "libmagic1t64"]
    messages = {finding["code"]: finding["message"] for finding in result["by_hand"]}
    assert found["release_command"] == "alembic upgrade head"
    assert (found["environment"], found["data_dirs"]) == ("MODE=live", "/srv/uploads")
    assert "sentry-sdk" in messages["requirements"] and "assets" in messages
    assert any("curl" in text for text in result["unknown"])
    assert result["files"]["replaced"] == ["Dockerfile"]


@pytest.mark.parametrize(
    ("command", "expected", "port"),
    [
        ('CMD ["gunicorn", "app:app"]', "gunicorn app:app --bind 0.0.0.0:8000", "8000"),
        ("CMD gunicorn -b 127.0.0.1:80 app:app", "gunicorn -b 0.0.0.0:8000 app:app", "8000"),
        ("CMD exec /venv/bin/gunicorn app:app -w $N -b unix:/run/app.sock", "gunicorn app:app -b 0.0.0.0:8000", "8000"),
        ('CMD ["sh", "-c", "python3 -m gunicorn app:app -b :5000 2>&1"]', "gunicorn app:app -b :5000", "5000"),
        ('ENTRYPOINT ["python", "-m"]\nCMD ["app"]\nEXPOSE 7000', "python -m app", "7000"),
        (
            "CMD cd /code && uv run --no-sync gunicorn 'app:app' --bind=0.0.0.0:8100",
            "gunicorn app:app --bind=0.0.0.0:8100",
            "8100",
        ),
        ("CMD flask run --host 0.0.0.0", "gunicorn app:app --worker-tmp-dir /dev/shm --bind 0.0.0.0:8000", "8000"),
    ],
)
def test_each_form_of_a_command(project, command: str, expected: str, port: str):
    found = propose_answers(
        project(
            {
                "Dockerfile": f"FROM python:3.13\nWORKDIR /code\nCOPY . .\n{command}\n",
                "requirements.txt": "flask\ngunicorn\n",
                "app.py": FLASK,
            }
        )
    )
    assert (found["start_command"], found["port"]) == (expected, port)


def test_a_console_script_of_a_src_layout_is_started_without_an_installation(project):
    found = propose_answers(
        project(
            {
                "pyproject.toml": "[project]\nname = 'power-exporter'\ndescription = 'Exports power.'\n"
                "requires-python = '>=3.12,<3.13'\n[project.scripts]\npower-exporter = 'power.cli:main'\n",
                "requirements.txt": "prometheus-client==0.21\n",
                "src/power/__init__.py": "",
                "src/power/cli.py": "from prometheus_client import start_http_server\n\n\n"
                "def main():\n    start_http_server(9117)\n",
            }
        )
    )
    assert found["start_command"] == """python -c "__import__('pkgutil').resolve_name('power.cli:main')()" """.strip()
    assert (found["service_name"], found["description"]) == ("power-exporter", "Exports power.")
    assert (found["app_dir"], found["python_version"], found["health_path"]) == ("src", "3.12", "/metrics")


def test_compose_files_with_several_services(project):
    result = adopt(
        project(
            {
                "compose.yaml": yaml.safe_dump(
                    {
                        "services": {
                            "db": {"image": "postgres:17"},
                            "web": {
                                "build": ".",
                                "command": "hypercorn shop.api:create_app() --bind 0.0.0.0:8080",
                                "ports": ["80:8080"],
                                "healthcheck": {"test": ["CMD", "wget", "-q", "http://127.0.0.1:8080/livez"]},
                                "volumes": ["media:/app/media", "./:/app"],
                            },
                            "worker": {"build": ".", "command": ["celery", "-A", "shop.tasks", "worker"]},
                        }
                    }
                ),
                "requirements.txt": "quart\nhypercorn\ncelery\n",
                "shop/__init__.py": "",
                "shop/api.py": "from quart import Quart\n\n\ndef create_app():\n    return Quart('shop')\n",
            }
        )
    )
    found = answers(result)
    assert found["start_command"] == 'hypercorn "shop.api:create_app()" --bind 0.0.0.0:8080'
    assert (found["port"], found["health_path"]) == ("8080", "/livez")
    assert result["files"]["shadowing"] == ["compose.yaml"]
    assert json.loads(found["processes"]) == [
        {"name": "worker", "command": "celery -A shop.tasks worker --include celery_heartbeat"}
    ]
    assert found["data_dirs"] == "/app/media"


def test_a_fastapi_application_without_container_files(project):
    found = propose_answers(
        project(
            {
                "requirements.in": "fastapi[standard]\n",
                "requirements.txt": "# autogenerated by pip-compile\nfastapi[standard]==0.115\nuvicorn==0.34\n",
                "runtime.txt": "python-3.9.7\n",
                "app/main.py": "from fastapi import FastAPI\nfrom app.routers import status\n"
                "app = FastAPI()\napp.include_router(status.router, prefix='/v1')\n",
                "app/routers/status.py": "from fastapi import APIRouter\n"
                "router = APIRouter(prefix='/internal')\n\n\n"
                "@router.get('/healthz')\ndef healthz(): ...\n",
            }
        )
    )
    assert found["start_command"] == "uvicorn app.main:app --host 0.0.0.0 --port 8000"
    assert (found["health_path"], found["python_version"]) == ("/v1/internal/healthz", "3.11")


def test_an_answer_given_with_data_counts_more(project):
    folder = project({"requirements.txt": "flask\ngunicorn\n", "app.py": FLASK})
    options = ("--data", "port=9090", "--data", "service_name=till", "--data", "memory_limit=1g")
    result = adopt(folder, *options)
    found = answers(result)
    assert found["start_command"].endswith("--bind 0.0.0.0:9090")
    assert (found["port"], found["service_name"], found["memory_limit"]) == ("9090", "till", "1g")
    assert {answer["reason"] for answer in result["answers"] if answer["name"] == "service_name"} == {
        "given with --data"
    }


# What is refused

REFUSED = {
    "no requirements": ({"app.py": FLASK}, "neither a requirements file nor a lock"),
    "broken pyproject": ({"pyproject.toml": "[project\n", "app.py": FLASK}, "pyproject.toml is not TOML"),
    "no lock": (
        {"pyproject.toml": "[project]\nname = 'a'\ndependencies = ['flask', 'gunicorn']\n", "app.py": FLASK},
        "run `uv lock`, commit uv.lock",
    ),
    "two locks": (
        {
            "pyproject.toml": "[project]\nname = 'a'\n",
            "uv.lock": "version = 1\n",
            "poetry.lock": "[[package]]\nname = 'gunicorn'\nversion = '23.0'\n",
            "requirements.txt": "gunicorn\n",
            "app.py": FLASK,
        },
        "--data requirements_file=uv.lock or --data requirements_file=poetry.lock",
    ),
    "a poetry.lock with git": (
        {
            "pyproject.toml": "[tool.poetry]\nname = 'a'\n[tool.poetry.dependencies]\npython = '^3.11'\n",
            "poetry.lock": "[[package]]\nname = 'gunicorn'\nversion = '23.0'\n[package.source]\ntype = 'git'\n",
            "app.py": FLASK,
        },
        "poetry.lock has packages of git or of folders, which have no hash: gunicorn",
    ),
    "a process that is not required": (
        {"requirements.txt": "gunicorn\n", "app.py": FLASK, "Procfile": "web: gunicorn app:app\njobs: rq worker\n"},
        "the process jobs needs rq, which is not among the requirements",
    ),
    "two processes of one name": (
        {
            "requirements.txt": "gunicorn\n",
            "app.py": FLASK,
            "Procfile": "web: gunicorn app:app\njob_a: python a.py\njob-a: python b.py\n",
        },
        "the processes job_a and job-a would both be called job-a",
    ),
    "Pipfile.lock": (
        {"Pipfile": "", "Pipfile.lock": '{"default": {"gunicorn": {"version": "==23.0"}}}', "app.py": FLASK},
        "pipenv requirements --hash > requirements.txt",
    ),
    "pdm.lock": (
        {"pyproject.toml": "", "pdm.lock": "[[package]]\nname = 'gunicorn'\nversion = '23.0'\n", "app.py": FLASK},
        "pdm export --prod --output requirements.txt",
    ),
    "two requirements": (
        {"prod-requirements.txt": "gunicorn", "requirements-prod.txt": "gunicorn", "app.py": FLASK},
        "--data requirements_file=prod-requirements.txt or --data requirements_file=requirements-prod.txt",
    ),
    "two applications": (
        {"requirements.txt": "gunicorn\n", "one.py": FLASK, "two.py": FLASK},
        "several applications are equally likely: one:app, two:app",
    ),
    "no server": ({"requirements.txt": "flask\n", "app.py": FLASK}, "add gunicorn to them"),
    "a program that is not required": (
        {"requirements.txt": "flask\n", "app.py": FLASK, "Procfile": "web: gunicorn app:app\n"},
        "the start command needs gunicorn, which is not among the requirements",
    ),
    "nothing to start": (
        {"requirements.txt": "requests\n", "package/__init__.py": ""},
        "nothing tells how the service starts",
    ),
    "an old Python": (
        {
            "requirements.txt": "gunicorn\n",
            "app.py": FLASK,
            "pyproject.toml": "[project]\nname = 'a'\nrequires-python = '<3.9'\n",
        },
        "the project needs Python <3.9",
    ),
    "a file in the place of docker/": (
        {"requirements.txt": "flask\ngunicorn\n", "app.py": FLASK, "docker": ""},
        "the template needs a folder docker",
    ),
    "answers of another template": (
        {"requirements.txt": "gunicorn\n", "app.py": FLASK, ".copier-answers.yml": "_src_path: a\n_commit: b\n"},
        "of another template",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_one_sentence_and_writes_nothing(project, name: str):
    files, sentence = REFUSED[name]
    folder = project(files)
    before = fingerprint(folder)
    outcome = run_adopt(folder, "--yes", "--json")
    assert (outcome.status, json.loads(outcome.stdout)["written"]) == (1, False), outcome
    assert sentence in outcome.stderr and outcome.stderr.count("\n") == 1, outcome.stderr
    assert outcome.stderr.startswith("fleet: ") and json.loads(outcome.stdout)["refusal"]["message"] in outcome.stderr
    assert fingerprint(folder) == before


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("port=80", "Use a number from 1024 to 65535"),
        ("start_command=gunicorn app:app | tee log", "Use no shell syntax"),
        ("heartbeat=/tmp/x", "the template does not ask heartbeat"),
        ("requirements_file=other.txt", "there is no file other.txt"),
    ],
)
def test_a_wrong_answer_is_refused(project, data: str, sentence: str):
    folder = project({"requirements.txt": "flask\ngunicorn\n", "app.py": FLASK})
    before = fingerprint(folder)
    outcome = run_adopt(folder, "--yes", "--data", data)
    assert outcome.status == 1 and sentence in outcome.stderr, outcome
    assert fingerprint(folder) == before


def test_uncommitted_changes_prevent_an_adoption_but_not_a_dry_run(project):
    folder = project({"requirements.txt": "flask\ngunicorn\n", "app.py": FLASK})
    (folder / "new.txt").touch()
    outcome = run_adopt(folder, "--yes")
    assert outcome.status == 1 and "uncommitted changes" in outcome.stderr, outcome
    assert any("uncommitted" in note for note in adopt(folder)["notes"])


def test_without_a_terminal_it_needs_yes(project):
    folder = project({"requirements.txt": "flask\ngunicorn\n", "app.py": FLASK})
    before = fingerprint(folder)
    outcome = run_adopt(folder)
    assert outcome.status == 2 and outcome.stderr.count("\n") == 1 and "--yes" in outcome.stderr, outcome
    assert fingerprint(folder) == before


def test_a_file_is_not_a_folder_and_an_adopted_project_is_not_adopted_again(project):
    folder = project({"requirements.txt": "flask\ngunicorn\n", "app.py": FLASK})
    assert "is not a folder" in run_adopt(folder / "app.py", "--dry-run").stderr
    shutil.rmtree(folder / ".git")
    first = run_adopt(folder, "--yes")
    assert first.status == 0 and "not in a git repository" in first.stdout, first
    again = run_adopt(folder, "--yes")
    assert again.status == 1 and "fleet update" in again.stderr, again


def test_a_member_of_a_uv_workspace_is_adopted_in_the_root(project):
    root = project(
        {
            "pyproject.toml": "[tool.uv.workspace]\nmembers = ['services/*']\n",
            "uv.lock": "version = 1\n[[package]]\nname = 'api'\nsource = { editable = 'services/api' }\n"
            "dependencies = [{ name = 'uvicorn' }]\n[[package]]\nname = 'uvicorn'\nversion = '0.34'\n",
            "services/api/pyproject.toml": "[project]\nname = 'api'\n[build-system]\nrequires = ['hatchling']\n"
            "build-backend = 'hatchling.build'\n",
            "services/api/api/__init__.py": "",
            "services/api/api/main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
        }
    )
    outcome = run_adopt(root / "services" / "api", "--yes", "--json")
    assert outcome.status == 0 and (root / "Dockerfile").exists(), outcome
    result = json.loads(outcome.stdout)
    found = answers(result)
    assert found["start_command"] == "uvicorn api.main:app --host 0.0.0.0 --port 8000"
    assert (found["workspace_member"], found["local_packages"], found["app_dir"]) == ("api", "services/api", "")
    assert any("the root of the uv workspace" in note for note in result["notes"])


def test_nothing_of_the_project_runs(project, tmp_path: Path):
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    folder = project(
        {
            "requirements.txt": "flask\ngunicorn\n",
            "app.py": FLASK + trap,
            "setup.py": trap,
            "gunicorn.conf.py": trap,
            "sitecustomize.py": trap,
            "copier.py": trap,
        }
    )
    outcome = Fleet(folder, tmp_path / "temporary").plain("adopt", folder, "--template", snapshot(), "--yes")
    assert outcome.status == 0 and not (tmp_path / "ran").exists(), outcome


def test_help_describes_the_exit_status():
    assert "exit status:" in run(*testing_fleet.command("adopt", "--help"), env={"COLUMNS": "100"}).stdout
