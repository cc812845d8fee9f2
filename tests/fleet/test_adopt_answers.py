"""What `fleet adopt` proposes of locks, wheels, assets, build steps, processes, volumes and variables."""

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.adopt.dockerfile import read_dockerfile
from fleet.adopt.lifecycle import seconds, signal_name
from fleet.adopt.project import Project, open_project
from fleet.adopt.proposal import Proposal, propose
from fleet.adopt.scripts import branches, select_branch
from fleet.adopt.workspace import enter_workspace
from fleet.errors import FleetError
from fleet.git import GitEnvironment
from testing.fleet import write_files
from testing.template import questions

FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"
DJANGO = {
    "requirements.txt": "django\ngunicorn\n",
    "manage.py": "import os, django\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
    "shop/__init__.py": "",
    "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
}
LIVE = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.live')\n"
FLASK_FILES = {"requirements.txt": "flask\ngunicorn\n", "app.py": FLASK}
BUILD = "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"
PROJECT = f"{BUILD}[project]\nname = 'a'\nversion = '1'\n"
UV = "version = 1\n" + "".join(
    f"[[package]]\nname = '{name}'\nversion = '1'\nsource = {{ registry = 'https://index.example' }}\n"
    for name in ("flask", "gunicorn", "celery")
)
UV_OWN = (
    UV + "[[package]]\nname = 'a'\nversion = '1'\nsource = { editable = '.' }\n"
    "dependencies = [{ name = 'flask' }, { name = 'gunicorn' }]\n"
)


def open_files(folder: Path, files: dict[str, str]) -> Project:
    write_files(folder, files)
    return open_project(folder, GitEnvironment.from_process())


def look(folder: Path, files: dict[str, str], **given: str) -> Proposal:
    project, _ = enter_workspace(open_files(folder, files), given, GitEnvironment.from_process())
    return propose(project, given)


def answers(folder: Path, files: dict[str, str], **given: str) -> dict[str, str]:
    return look(folder, files, **given).data


def codes(proposal: Proposal) -> set[str]:
    return {finding.code for finding in proposal.by_hand}


def dockerfile(*lines: str) -> str:
    return "\n".join(["FROM python:3.13", "WORKDIR /srv/app", *lines, "CMD gunicorn app:app -b :8000"]) + "\n"


def django(settings: str, **more: str) -> dict[str, str]:
    files = {name.replace("__", "/").replace("_dot_", "."): content for name, content in more.items()}
    return DJANGO | {"shop/settings.py": f"import os\nfrom pathlib import Path\n{settings}"} | files


def test_each_proposed_answer_belongs_to_a_question(tmp_path: Path):
    files = django(
        "STATIC_ROOT = Path(__file__).parent / 'static'\nMEDIA_ROOT = '/media'\nALLOWED_HOSTS = ['shop.example']\n"
        "INSTALLED_APPS = ['django.contrib.staticfiles', 'django.contrib.auth']\nDATABASES = {}\n"
        "SECURE_SSL_REDIRECT = True\nSECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'https')\n",
        Procfile="web: gunicorn shop.wsgi\nworker: python manage.py work\n",
    )
    assert set(answers(tmp_path, files)) <= set(questions())


# Requirements


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"pyproject.toml": PROJECT, "uv.lock": UV_OWN, "requirements.txt": "flask"}, {"requirements_file": "uv.lock"}),
        ({"pylock.toml": "[[packages]]\nname = 'gunicorn'\n"}, {"requirements_file": "pylock.toml"}),
        (
            {
                "pyproject.toml": "[tool.poetry.group.server.dependencies]\ngunicorn = '*'\n",
                "poetry.lock": "[[package]]\nname = 'flask'\ngroups = ['main']\n"
                "[[package]]\nname = 'gunicorn'\ngroups = ['server']\n",
            },
            {"requirements_file": "poetry.lock", "groups": "server"},
        ),
        (
            {
                "pyproject.toml": PROJECT,
                "uv.lock": UV_OWN,
                "poetry.lock": "",
                "Dockerfile": dockerfile("RUN poetry install --no-root"),
            },
            {"requirements_file": "poetry.lock"},
        ),
        (
            {
                "pyproject.toml": PROJECT,
                "uv.lock": UV_OWN,
                "base.txt": "flask",
                "server.txt": "gunicorn",
                "Dockerfile": dockerfile("RUN pip install -r base.txt -r /tmp/server.txt"),
            },
            {"requirements_file": "base.txt server.txt"},
        ),
        (
            {
                "requirements.txt": "-r requirements/base.txt\ngunicorn\n",
                "requirements/base.txt": "-c ../pins.txt\nflask\n",
                "pins.txt": "flask==3\n",
            },
            {"requirements_file": "requirements.txt", "requirements_includes": "requirements/base.txt pins.txt"},
        ),
        (
            {"requirements/prod.txt": "-r base.txt\ngunicorn\n", "requirements/base.txt": "flask\n"},
            {"requirements_file": "requirements/prod.txt", "requirements_includes": None},
        ),
        (
            {
                "pyproject.toml": f"{PROJECT}[project.optional-dependencies]\nweb = ['x']\ntests = ['y']\n"
                "[dependency-groups]\nprod = ['gunicorn']\ndev = ['pytest']\n",
                "uv.lock": UV_OWN,
                "Dockerfile": dockerfile("RUN uv sync --no-dev --all-extras --group prod --no-install-project"),
            },
            {"extras": "web", "groups": "prod", "local_packages": None},
        ),
        (
            {
                "pyproject.toml": "[tool.poetry]\nname = 'a'\n[tool.poetry.extras]\npg = ['x']\n"
                "[tool.poetry.group.prod]\n[tool.poetry.group.dev]\n",
                "poetry.lock": "[[package]]\nname = 'gunicorn'\n",
                "Dockerfile": dockerfile("RUN poetry install --no-root --only main,prod -E pg"),
            },
            {"extras": "pg", "groups": "prod"},
        ),
        (
            {"requirements.txt": "gunicorn\nx @ git+https://git.example/x\n"},
            {"build_packages": "git"},
        ),
    ],
)
def test_what_is_installed(tmp_path: Path, files: dict[str, str], expected: dict[str, str | None]):
    found = answers(tmp_path, {"app.py": FLASK} | files)
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"pyproject.toml": PROJECT, "uv.lock": UV, "poetry.lock": ""}, "several locks, uv.lock and poetry.lock"),
        ({"pyproject.toml": PROJECT}, "pyproject.toml has no lock file"),
        ({"pdm.lock": "", "pyproject.toml": ""}, "cannot install pdm.lock"),
        ({"uv.lock": UV}, "neither a requirements file nor a lock"),
        (
            {
                "pyproject.toml": PROJECT,
                "poetry.lock": "[[package]]\nname = 'gunicorn'\n[package.source]\ntype = 'git'\n",
            },
            "packages of git or of folders, which have no hash",
        ),
    ],
)
def test_requirements_that_are_refused(tmp_path: Path, files: dict[str, str], sentence: str):
    def run() -> None:
        refusal = look(tmp_path, {"app.py": FLASK, "Procfile": "web: gunicorn app:app\n"} | files).refusal
        if refusal:
            raise refusal

    with pytest.raises(FleetError, match=sentence):
        run()


def test_a_second_index_has_no_mirror(tmp_path: Path):
    lock = UV_OWN.replace(
        "'https://index.example' }\n[[package]]\nname = 'gunicorn'",
        "'https://other.example' }\n[[package]]\nname = 'gunicorn'",
    )
    proposal = look(tmp_path, {"pyproject.toml": PROJECT, "uv.lock": lock, "app.py": FLASK})
    assert any("INDEX_URL" in text for text in proposal.unknown)


# Wheels and workspaces


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {
                "pyproject.toml": f"{PROJECT}readme = 'README.md'\n",
                "Dockerfile": dockerfile("COPY . .", "RUN uv sync"),
                "alembic.ini": "",
                "README.md": "",
            },
            {"local_packages": ".", "package_files": "src README.md", "app_dir": "alembic.ini"},
        ),
        (
            {"Dockerfile": dockerfile("COPY . .", "RUN uv sync --no-install-project")},
            {"local_packages": None, "app_dir": "src"},
        ),
        (
            {
                "pyproject.toml": f"{PROJECT}[project.scripts]\nserve = 'a.app:main'\n",
                "Procfile": "web: serve --fast\n",
            },
            {"local_packages": ".", "start_command": "serve --fast", "app_dir": ""},
        ),
        (
            {"src/a/app.py": f"from importlib.metadata import version as get_version\nget_version('a')\n{FLASK}"},
            {"local_packages": ".", "app_dir": ""},
        ),
        (  # a wheel of setuptools has no data, so the source is in /app too
            {
                "pyproject.toml": PROJECT.replace("hatchling.build", "setuptools.build_meta"),
                "src/a/page.html": "",
                "Dockerfile": dockerfile("RUN pip install ."),
            },
            {"local_packages": ".", "app_dir": "src"},
        ),
        (  # the settings look for files beside the package
            {"src/a/paths.py": "TOP = __file__.parent.parent.parent\n", "Dockerfile": dockerfile("RUN pip install .")},
            {"local_packages": ".", "app_dir": "src"},
        ),
        (
            {
                "uv.lock": UV_OWN + "[[package]]\nname = 'lib'\nversion = '1'\nsource = { directory = 'libs/lib' }\n",
                "libs/lib/pyproject.toml": PROJECT.replace("'a'", "'lib'"),
                "libs/lib/lib/__init__.py": "",
            },
            {"local_packages": None},  # nothing needs it
        ),
        (
            {
                "uv.lock": UV_OWN.replace("{ name = 'flask' }", "{ name = 'flask' }, { name = 'lib' }")
                + "[[package]]\nname = 'lib'\nversion = '1'\nsource = { directory = 'libs/lib' }\n",
                "libs/lib/pyproject.toml": PROJECT.replace("'a'", "'lib'"),
                "libs/lib/lib/__init__.py": "",
            },
            {"local_packages": "libs/lib"},
        ),
        (
            {"pyproject.toml": "[project]\nname = 'a'\n", "Dockerfile": dockerfile("RUN uv sync")},
            {"local_packages": None},
        ),
    ],
)
def test_what_is_installed_as_a_wheel(tmp_path: Path, files: dict[str, str], expected: dict[str, str | None]):
    project = {"pyproject.toml": PROJECT, "uv.lock": UV_OWN, "src/a/__init__.py": "", "src/a/app.py": FLASK}
    found = answers(tmp_path, project | files)
    assert {name: found.get(name) for name in expected} == expected


def member(name: str, *needs: str) -> str:
    listed = "".join(f"{{ name = '{need}' }}, " for need in needs)
    return (
        f"[[package]]\nname = '{name}'\nversion = '1'\nsource = {{ editable = 'members/{name}' }}\n"
        f"dependencies = [{listed}]\n"
    )


WORKSPACE = {
    "pyproject.toml": "[tool.uv.workspace]\nmembers = ['members/*']\n",
    "uv.lock": UV + member("api", "flask", "gunicorn", "common") + member("common") + member("jobs", "celery"),
    "members/api/pyproject.toml": PROJECT.replace("'a'", "'api'"),
    "members/api/api/__init__.py": FLASK,
    "members/common/pyproject.toml": PROJECT.replace("'a'", "'common'"),
    "members/common/common/__init__.py": "",
    "members/jobs/pyproject.toml": PROJECT.replace("'a'", "'jobs'"),
    "members/jobs/jobs/__init__.py": "",
}
TWO = {"members/jobs/jobs/queue.py": "from celery import Celery\napp = Celery()\n"}


@pytest.mark.parametrize(
    ("files", "given", "folder", "expected"),
    [
        ({}, {}, ".", ("api", "members/api members/common", "")),
        ({}, {}, "members/api", ("api", "members/api members/common", "")),
        (TWO, {"workspace_member": "jobs"}, ".", ("jobs", "members/jobs", "")),
        (TWO, {}, "members/jobs", ("jobs", "members/jobs", "")),
        (
            TWO | {"Dockerfile": "FROM python\nRUN uv sync --package api\n"},
            {},
            ".",
            ("api", "members/api members/common", ""),
        ),
        (
            {
                "members/api/alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\n",
                "members/api/migrations/env.py": "",
            },
            {},
            ".",
            ("api", "members/api members/common", "members/api/alembic.ini members/api/migrations"),
        ),
    ],
)
def test_a_member_of_a_workspace(
    tmp_path: Path, files: dict[str, str], given: dict[str, str], folder: str, expected: tuple[str, str, str]
):
    write_files(tmp_path, WORKSPACE | files)
    environment = GitEnvironment.from_process()
    opened = open_project(tmp_path / folder, environment)
    if folder != ".":  # outside of git nothing tells where the repository ends
        opened = Project(opened.folder, opened.files, tmp_path)
    project, notes = enter_workspace(opened, given, environment)
    found = propose(project, given).data
    assert (found["workspace_member"], found["local_packages"], found["app_dir"]) == expected
    assert bool(notes) == (folder != ".") and project.folder == tmp_path


@pytest.mark.parametrize(
    ("files", "given", "sentence"),
    [
        (TWO, {}, "several members of the workspace have an application: api, jobs"),
        ({}, {"workspace_member": "web"}, "the workspace has no member web"),
        ({"members/api/api/__init__.py": ""}, {}, "no member of the workspace has an application"),
    ],
)
def test_a_workspace_whose_service_cannot_be_told(
    tmp_path: Path, files: dict[str, str], given: dict[str, str], sentence: str
):
    project = open_files(tmp_path, WORKSPACE | files)
    with pytest.raises(FleetError, match=sentence):
        enter_workspace(project, given, GitEnvironment.from_process())


# What is built


STATIC = "INSTALLED_APPS = ['django.contrib.staticfiles']\nSTATIC_ROOT = Path(__file__).parent / 'static'\n"
COLLECT = "python manage.py collectstatic --noinput"


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        (django(STATIC), COLLECT),
        (django(f"{STATIC}SECRET_KEY = os.environ['SECRET_KEY']\n"), f"SECRET_KEY=build {COLLECT}"),
        (django(f"{STATIC}SECRET_KEY = os.environ.get('SECRET_KEY', 'x')\n"), COLLECT),
        (django(f"{STATIC}if 'BUCKET' in os.environ:\n    B = os.environ['BUCKET']\n"), COLLECT),
        (django(f"{STATIC}A = env.db('DATABASE_URL')\nB = env.int('N')\nC = env('X', default='')\n"),
         f"DATABASE_URL=sqlite:// N=1 {COLLECT}"),
        (
            django(f"{STATIC}class S(pydantic_settings.BaseSettings):\n    token: str\n    n: int = 1\n"),
            f"TOKEN=build {COLLECT}",
        ),
        (
            django("", Dockerfile=dockerfile("RUN S=x ./manage.py collectstatic", "RUN manage.py compilemessages")),
            f"S=x {COLLECT} && python manage.py compilemessages",
        ),
        (
            django("", Dockerfile="FROM python\nENTRYPOINT ./a.sh\n", a_dot_sh=f"{COLLECT}\nexec gunicorn shop.wsgi\n"),
            COLLECT,
        ),
        (django(f"{STATIC}STATICFILES_STORAGE = 'storages.backends.s3boto3.S3StaticStorage'\n"), None),
        (
            FLASK_FILES | {"Dockerfile": dockerfile("RUN pybabel compile -d translations")},
            "pybabel compile -d translations",
        ),
        (FLASK_FILES, None),
    ],
)  # fmt: skip
def test_what_runs_when_the_image_is_built(tmp_path: Path, files: dict[str, str], commands: str | None):
    assert answers(tmp_path, files).get("build_commands") == commands


def test_compilemessages_needs_gettext_and_static_files_may_be_elsewhere(tmp_path: Path):
    settings = STATIC.replace("Path(__file__).parent / 'static'", "'/srv/static'")
    found = answers(tmp_path, django(settings, Dockerfile=dockerfile("RUN python manage.py compilemessages")))
    assert (found["build_packages"], found["build_outputs"]) == ("gettext", "/srv/static")


PACKAGE = json.dumps({"scripts": {"build": "vite build", "css": "tailwindcss -i css/in.css -o static/out.css"}})
NODE = (
    "FROM node:22 AS node\nWORKDIR /ui\nCOPY ui/package.json ui/package-lock.json ./\nCOPY ui .\nRUN npm ci && {run}\n"
)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"ui/package.json": PACKAGE, "ui/package-lock.json": "{}", "ui/src/a.js": "", "ui/README.md": ""},
            {"assets_lock": "ui/package-lock.json", "assets_files": None, "assets_output": "ui/dist"},
        ),
        (
            {
                "ui/package.json": PACKAGE,
                "ui/pnpm-lock.yaml": "",
                "ui/vite.config.ts": "build: { outDir: '../static/ui' }",
            },
            {"assets_command": "pnpm run build", "assets_output": "static/ui"},
        ),
        (
            {
                "ui/package.json": PACKAGE,
                "ui/package-lock.json": "{}",
                "Dockerfile": NODE.format(run="npm run build")
                + dockerfile("COPY --from=node /ui/dist /srv/app/ui/dist"),
            },
            {"assets_lock": "ui/package-lock.json", "assets_command": None, "assets_output": "ui/dist"},
        ),
        (
            {
                "package.json": PACKAGE,
                "package-lock.json": "{}",
                "css/in.css": "",
                "Dockerfile": "FROM node:22 AS css\nWORKDIR /x\nCOPY package*.json .\nCOPY css css\n"
                "RUN --mount=type=cache,target=/npm npm run css\n"
                + dockerfile("COPY --from=css /x/static/out.css /srv/app/static/"),
            },
            {"assets_files": "css", "assets_command": "npm run css", "assets_output": "static/out.css"},
        ),
        ({"ui/package.json": PACKAGE, "ui/package-lock.json": "{}", "Dockerfile": dockerfile()}, {"assets_lock": None}),
        ({"package.json": '{"scripts": {"lint": "eslint"}}', "package-lock.json": "{}"}, {"assets_lock": None}),
    ],
)
def test_what_node_builds(tmp_path: Path, files: dict[str, str], expected: dict[str, str | None]):
    found = answers(tmp_path, FLASK_FILES | files)
    assert {name: found.get(name) for name in expected} == expected


def test_assets_that_node_cannot_build(tmp_path: Path):
    proposal = look(tmp_path, FLASK_FILES | {"package.json": PACKAGE})
    assert [f.message for f in proposal.by_hand if f.code == "assets"] == [
        "package.json has no lock file beside it: run npm install, commit package-lock.json, and run this again."
    ]


def test_assets_whose_place_has_changed(tmp_path: Path):
    files = {
        "ui/package.json": PACKAGE,
        "ui/package-lock.json": "{}",
        "Dockerfile": NODE.format(run="npm run build") + dockerfile("COPY --from=node /ui/dist /opt/ui"),
    }
    assert "assets" in codes(look(tmp_path / "a", FLASK_FILES | files))
    files["Dockerfile"] = files["Dockerfile"].replace("CMD", "ENV UI=/opt/ui\nCMD")
    proposal = look(tmp_path / "b", FLASK_FILES | files)
    assert "assets" not in codes(proposal) and proposal.data["environment"] == "UI=/app/ui/dist"


# What runs


@pytest.mark.parametrize(
    ("files", "command"),
    [
        (FLASK_FILES | {"requirements.txt": "flask\ngunicorn\nalembic\n", "alembic.ini": ""}, "alembic upgrade head"),
        (FLASK_FILES | {"requirements.txt": "gunicorn\nalembic\n", "db/alembic.ini": ""},
         "alembic -c db/alembic.ini upgrade head"),
        (FLASK_FILES | {"Procfile": "release: flask db upgrade\nweb: gunicorn app:app\n"}, "flask db upgrade"),
        (django("DATABASES = {}\n", shop__migrations__0001_initial_dot_py=""), "python manage.py migrate --noinput"),
        (django("", Procfile="release: ./manage.py migrate && ./manage.py loaddata x\nweb: gunicorn shop.wsgi\n"),
         "python manage.py migrate --noinput"),
        (
            FLASK_FILES
            | {"Dockerfile": 'FROM python\nENTRYPOINT ["/start.sh"]\n', "requirements.txt": "gunicorn\nalembic\n",
               "start.sh": "#!/bin/sh\nif true; then\n  alembic upgrade head\nfi\nexec gunicorn app:app\n"},
            "alembic upgrade head",
        ),
        (django("DATABASES = {}\n"), None),
        (FLASK_FILES, None),
    ],
)  # fmt: skip
def test_what_runs_before_a_release(tmp_path: Path, files: dict[str, str], command: str | None):
    assert answers(tmp_path, files).get("release_command") == command


def test_the_place_of_manage_py_and_commands_that_are_left_out(tmp_path: Path):
    files = {f"src/{name}" if name != "requirements.txt" else name: text for name, text in DJANGO.items()}
    files |= {"src/shop/settings.py": "", "Procfile": "release: python manage.py migrate; python manage.py setup\n"}
    proposal = look(tmp_path, files)
    assert proposal.data["release_command"] == "python src/manage.py migrate --noinput"
    assert any("setup" in finding.message for finding in proposal.by_hand if finding.code == "migrations")


def compose(**services: dict[str, Any]) -> str:
    return json.dumps({"services": {name: {"build": "."} | service for name, service in services.items()}})


WORKER = {"name": "worker", "command": "celery -A app worker --include celery_heartbeat"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"Procfile": "web: gunicorn app:app\nworker: celery -A app worker\n"}, [WORKER]),
        ({"Procfile": "web: gunicorn app:app\nworker: celery worker -A app -I a,b --pidfile=/x\n"},
         [{"name": "worker", "command": "celery -A app worker --include a,b,celery_heartbeat"}]),
        ({"Procfile": "web: gunicorn app:app\nBeat_1: celery -A app beat -s /x/y\n"},
         [{"name": "beat-1", "command": "celery -A app beat --schedule /tmp/celerybeat-schedule --pidfile="}]),
        (
            {"compose.yaml": compose(
                web={"command": "gunicorn app:app", "ports": ["8000:8000"]},
                worker={"command": ["celery", "-A", "app", "worker"], "stop_grace_period": "2m"},
                flower={"command": "celery -A app flower"},
                migrate={"command": "flask db upgrade"},
                watch={"command": "npm run dev"},
                logs={"command": "tail -f /dev/null"},
            )},
            [WORKER | {"stop_grace_period": 120},
             {"name": "flower", "command": "celery -A app flower", "port": 5555, "health_path": "/healthcheck"}],
        ),
        ({"Procfile": "web: gunicorn app:app\njobs: ./jobs.sh\n", "jobs.sh": "exec python jobs.py\n"},
         [{"name": "jobs", "command": "python jobs.py"}]),
        ({"Dockerfile": dockerfile().replace("CMD", "CMD supervisord #"),
          "supervisord.conf": "[program:web]\ncommand=gunicorn app:app\n"
                              "[program:jobs]\ncommand=python /srv/app/jobs.py\n",
          "jobs.py": ""},
         [{"name": "jobs", "command": "python jobs.py"}]),
        ({"queue.py": "from celery import Celery\napp = Celery()\napp.conf.beat_schedule = {}\n"},
         [{"name": "worker", "command": "celery -A queue worker --include celery_heartbeat"},
          {"name": "beat", "command": "celery -A queue beat --schedule /tmp/celerybeat-schedule --pidfile="}]),
        ({}, None),
    ],
)  # fmt: skip
def test_the_other_processes(tmp_path: Path, files: dict[str, str], expected: list[dict[str, Any]] | None):
    base = FLASK_FILES | {"requirements.txt": "flask\ngunicorn\ncelery\n"}
    found = answers(tmp_path, base | files).get("processes")
    assert (json.loads(found) if found else None) == expected


@pytest.mark.parametrize(
    ("procfile", "given", "sentence"),
    [
        ("w_1: python a.py\nw-1: python b.py\n", {}, "the processes w_1 and w-1 would both be called w-1"),
        ("jobs: rq worker\n", {}, "the process jobs needs rq"),
        ("", {"processes": '[{"name": "a", "command": "python a.py"}, {"name": "a", "command": "python b.py"}]'},
         "two processes are called a"),
        ("", {"processes": '[{"name": "a", "command": "rq worker"}]'}, "the process a needs rq"),
        ("", {"processes": "a: b"}, "is not a list of mappings"),
    ],
)  # fmt: skip
def test_processes_that_are_refused(tmp_path: Path, procfile: str, given: dict[str, str], sentence: str):
    files = FLASK_FILES | {"Procfile": f"web: gunicorn app:app\n{procfile}"}
    with pytest.raises(FleetError, match=sentence):
        look(tmp_path, files, **given)


def test_the_branches_of_a_start_script():
    text = (
        'web() {\n  exec gunicorn a\n}\ncase "$1" in\n  web)\n    shift\n    web\n    ;;\n'
        '  jobs) exec rq worker ;;\n  *) exec "$@" ;;\nesac\n'
    )
    assert branches(text) == ["web", "jobs"]
    assert "gunicorn a" in select_branch(text, "web") and "rq worker" in select_branch(text, "jobs")
    assert select_branch(text, "other") == text


def test_a_celery_worker_as_the_service_has_a_heartbeat(tmp_path: Path):
    found = answers(
        tmp_path, {"requirements.txt": "celery", "Procfile": "worker: celery -A app worker\n", "app.py": ""}
    )
    assert found["start_command"] == WORKER["command"] and found["heartbeat_file"] == "/tmp/heartbeat"


# Volumes, checks, signals, variables


@pytest.mark.parametrize(
    ("files", "folders"),
    [
        (FLASK_FILES | {"Dockerfile": dockerfile("VOLUME /data /srv/app/files")}, "/data /app/files"),
        (
            FLASK_FILES
            | {"x/a.js": "", "compose.yaml": compose(web={"volumes": ["up:/data/uploads", "data:/data", "./x:/x"]})},
            "/data",
        ),
        (django("BASE_DIR = Path(__file__).resolve().parent.parent\nMEDIA_ROOT = BASE_DIR / 'media'\n"), "/app/media"),
        (django("MEDIA_ROOT = os.path.join(os.path.dirname(os.path.dirname(__file__)), 'media')\n"), "/app/media"),
        (django("MEDIA_ROOT = os.environ.get('MEDIA', '/files')\n"), "/files"),
        (FLASK_FILES | {"config.py": "class Config:\n    UPLOAD_FOLDER = 'uploads'\n"}, "/app/uploads"),
        (FLASK_FILES | {"Dockerfile": dockerfile("VOLUME /tmp/x /srv/app /opt/x /var/lib/postgresql/data")}, None),
        (FLASK_FILES, None),
    ],
)
def test_the_folders_that_the_service_writes(tmp_path: Path, files: dict[str, str], folders: str | None):
    proposal = look(tmp_path, files)
    assert proposal.data.get("data_dirs") == folders
    assert ("writes" in codes(proposal)) == ("postgresql" in files.get("Dockerfile", ""))


REDIRECT = "SECURE_SSL_REDIRECT = {}\n"
HEADER = "SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'https')\n"


@pytest.mark.parametrize(
    ("settings", "expected", "by_hand"),
    [
        ("ALLOWED_HOSTS = ['.shop.example', 'b.example']", {"health_host": "shop.example"}, set()),
        ("ALLOWED_HOSTS = ['shop.example', 'localhost']", {"health_host": None}, set()),
        ("ALLOWED_HOSTS = ['*']", {"health_host": None}, set()),
        ("ALLOWED_HOSTS = os.environ['HOSTS'].split(',')", {"health_host": None}, {"allowed-hosts"}),
        ("ALLOWED_HOSTS = env.list('HOSTS', default=['a.example'])", {"health_host": "a.example"}, set()),
        (REDIRECT.format("True") + HEADER, {"health_https": "true"}, set()),
        (REDIRECT.format("env.bool('R', default=True)") + HEADER, {"health_https": "true"}, set()),
        (REDIRECT.format("env.bool('R', default=False)") + HEADER, {"health_https": None}, set()),
        (REDIRECT.format("True"), {"health_https": None}, {"https-redirect"}),
        ("if os.environ.get('S'):\n    SECURE_SSL_REDIRECT = True", {"health_https": None}, set()),
    ],
)
def test_what_django_asks_of_the_health_check(
    tmp_path: Path, settings: str, expected: dict[str, str | None], by_hand: set[str]
):
    proposal = look(tmp_path, django(f"{settings}\n"))
    assert {name: proposal.data.get(name) for name in expected} == expected
    assert codes(proposal) & {"allowed-hosts", "https-redirect"} == by_hand


@pytest.mark.parametrize(
    ("check", "path"),
    [("/", "/"), ("/?a=b&c=d", "/?a=b&c=d"), ("/up?q=[x]", "/up"), ("/a", "/a")],
)
def test_the_path_of_an_old_health_check(tmp_path: Path, check: str, path: str):
    files = FLASK_FILES | {"Dockerfile": dockerfile(f'HEALTHCHECK CMD curl --fail "http://localhost:8000{check}"')}
    assert answers(tmp_path, files)["health_path"] == path


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"Dockerfile": dockerfile("HEALTHCHECK --start-period=1m30s CMD true")}, {"start_period": "90"}),
        ({"Dockerfile": dockerfile("HEALTHCHECK --start-period=5s CMD true")}, {"start_period": None}),
        ({"compose.yaml": compose(
            web={"healthcheck": {"start_period": "2m"}, "stop_grace_period": "90s", "stop_signal": "QUIT"})},
         {"start_period": "120", "stop_grace_period": "90", "stop_signal": "SIGQUIT"}),
        ({"Dockerfile": dockerfile("STOPSIGNAL SIGINT")}, {"stop_signal": "SIGINT"}),
        ({"Dockerfile": dockerfile("STOPSIGNAL 15")}, {"stop_signal": None}),
        ({"Procfile": "web: uwsgi --http :8000 --module app\n"}, {"stop_signal": "SIGINT"}),
        ({"Procfile": "web: uwsgi uwsgi.ini\n", "uwsgi.ini": "[uwsgi]\ndie-on-term\n"}, {"stop_signal": None}),
    ],
)  # fmt: skip
def test_how_the_service_starts_and_stops(tmp_path: Path, files: dict[str, str], expected: dict[str, str | None]):
    found = answers(tmp_path, FLASK_FILES | {"requirements.txt": "flask\ngunicorn\nuwsgi\n"} | files)
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(("text", "number"), [("1m30s", 90), ("500ms", 1), ("40", 40), ("1h", 3600), ("x", 0), ("", 0)])
def test_durations(text: str, number: int):
    assert seconds(text) == number


@pytest.mark.parametrize(("text", "name"), [("2", "SIGINT"), ("quit", "SIGQUIT"), ("SIGTERM", "SIGTERM"), ("", "")])
def test_signals(text: str, name: str):
    assert signal_name(text) == name


@pytest.mark.parametrize(
    ("files", "expected", "by_hand"),
    [
        (FLASK_FILES | {"Dockerfile": dockerfile("ENV MODE=live DATA=/srv/app/data SECRET_KEY=x PORT=80 PIP_X=1")},
         "DATA=/app/data MODE=live", set()),
        (FLASK_FILES | {"Dockerfile": dockerfile('ENV ARGS="-w 4" CACHE=/opt/cache')}, None, {"environment"}),
        (django("", Procfile="web: DJANGO_SETTINGS_MODULE=shop.live gunicorn shop.wsgi\n"),
         "DJANGO_SETTINGS_MODULE=shop.live", set()),
        (django("", shop__wsgi_dot_py=LIVE + DJANGO["shop/wsgi.py"]),
         "DJANGO_SETTINGS_MODULE=shop.live", set()),
        (django(""), None, {"environment"}),
        ({"requirements.txt": "flask\ngunicorn\nflask-migrate\n", "web/main.py": FLASK, "migrations/env.py": ""},
         "FLASK_APP=web.main", set()),
        (FLASK_FILES, None, set()),
    ],
)  # fmt: skip
def test_the_variables_of_the_image(tmp_path: Path, files: dict[str, str], expected: str | None, by_hand: set[str]):
    proposal = look(tmp_path, files)
    assert (proposal.data.get("environment"), codes(proposal) & {"environment"}) == (expected, by_hand)


def test_node_stages_and_what_is_copied_of_them(tmp_path: Path):
    project = open_files(
        tmp_path,
        {"Dockerfile": "FROM node:22 AS ui\nWORKDIR /ui\nCOPY ui ./\nRUN npm run build\n"
         "FROM python:3.13\nWORKDIR /app\n"
         "COPY --from=ui /ui/dist static/\nCOPY --from=0 /ui/x /y\nSTOPSIGNAL SIGQUIT\n"},
    )  # fmt: skip
    image = read_dockerfile(project, "Dockerfile")
    assert image and image.stop_signal == "SIGQUIT"
    assert [(stage.name, stage.folder, stage.copied) for stage in image.node_stages] == [("ui", "/ui", (("ui", "./"),))]
    assert image.from_stages == (("ui", "/ui/dist", "/app/static/"), ("0", "/ui/x", "/y"))
