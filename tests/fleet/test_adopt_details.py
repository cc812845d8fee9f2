"""What `fleet adopt` reads of commands, scripts, versions and packages, function by function."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from fleet.adopt import layout
from fleet.adopt.compiled import find_compiled
from fleet.adopt.dockerfile import read_dockerfile
from fleet.adopt.evidence import gather
from fleet.adopt.packages import find_packages, table
from fleet.adopt.project import open_project
from fleet.adopt.proposal import propose
from fleet.adopt.python_version import CHOICES, find_python
from fleet.adopt.requirements import find_requirements
from fleet.adopt.scripts import read_script
from fleet.adopt.source import read_source
from fleet.adopt.start import find_start
from fleet.adopt.words import parse_command, quote
from fleet.errors import FleetError
from fleet.git import GitEnvironment
from testing.fleet import write_files
from testing.template import questions


def open_files(folder: Path, files: dict[str, str]):
    write_files(folder, files)
    return open_project(folder, GitEnvironment.from_process())


def test_the_versions_of_python_are_those_of_the_template():
    assert list(CHOICES) == questions()["python_version"]["choices"]


def test_the_table_has_debian_names_only():
    name = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+]")
    for needs in (*table()["distributions"].values(), *table()["compiled"].values()):
        assert set(needs) <= {"build", "runtime", "unless"}
        assert all(name.fullmatch(package) for packages in needs.values() for package in packages)
    assert all(name.fullmatch(package) for packages in table()["libraries"].values() for package in packages)
    assert all(isinstance(new, str) and name.fullmatch(new) for new in table()["renamed"].values())


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["gunicorn", "app:app"], "gunicorn app:app"),
        ("exec gunicorn app:app", "gunicorn app:app"),
        ("A=1 B=2 python -m app > /dev/null 2>&1", "python -m app"),
        ("poetry run python -m app", "python -m app"),
        ("uv run --frozen --package api uvicorn api:app", "uvicorn api:app"),
        ("/bin/sh -c 'migrate && exec celery -A app worker'", "celery -A app worker"),
        ('["tini", "--", "bash", "start.sh"]', "start.sh"),
        ("gosu app:app gunicorn app", "gunicorn app"),
        ("gunicorn 'unclosed", ""),
        ('serve --port "${PORT:-"${OTHER:-5000}"}" $UNSET', "serve --port 5000 $UNSET"),
    ],
)
def test_what_only_starts_a_program_is_left_out(value, words: str):
    assert " ".join(parse_command(value).words) == words


def test_a_word_that_needs_quotes_is_quoted_as_the_template_reads_it():
    assert quote(["gunicorn", "shop:create_app()", 'say "hi"']) == """gunicorn "shop:create_app()" 'say "hi"'"""


@pytest.mark.parametrize(
    ("text", "arguments", "words", "before"),
    [
        (
            '#!/bin/sh\nset -e\npython manage.py migrate\nexec "$@"\n',
            ("gunicorn", "a"),
            "gunicorn a",
            "manage.py migrate",
        ),
        (
            "if true; then\n  exec celery -A a worker\nfi\nexec gunicorn a \\\n  -b :${PORT-80}\n",
            (),
            "gunicorn a -b :80",
            "",
        ),
        (
            ": ${PORT:=7000}\nWORKERS=2\nexec uvicorn a:b --port $PORT --workers $WORKERS\n",
            (),
            "uvicorn a:b --port 7000 --workers 2",
            "",
        ),
        ("python setup_db.py\npython -m app\n", (), "python -m app", "setup_db.py"),
        ("echo nothing\n", (), "", ""),
    ],
)
def test_a_script_ends_in_its_last_exec(text: str, arguments: tuple[str, ...], words: str, before: str):
    command = read_script(text, {}, arguments)
    assert " ".join(command.words) == words
    assert before in " ".join(" ".join(line) for line in command.before)


def test_a_dockerfile_with_a_here_document_variables_and_removed_packages(tmp_path: Path):
    project = open_files(
        tmp_path,
        {
            "Dockerfile": "ARG V=3.12\nFROM python:${V}-slim AS base\nENV PORT=81 MODE=x\n"
            "FROM base AS dev\nCMD flask run\n"
            "FROM base AS prod\n"
            "RUN <<EOF\napt-get update\napt-get install -y libpq5\nEOF\n"
            'RUN DEPS="gcc libffi-dev" && apt-get install -y $DEPS # to build\n'
            "RUN apt-get purge -y libffi-dev\n"
            "RUN echo x > /etc/apt/sources.list.d/x.list && apt-get install -y msodbcsql18\n"
            "COPY --from=base /x /x\nCOPY docker/entry.sh /start\nCOPY app ./app\nEXPOSE $PORT/tcp\nCMD gunicorn app\n"
            "FROM prod AS test\nCMD pytest\n"
        },
    )
    image = read_dockerfile(project, "Dockerfile")
    assert image
    assert (image.python, image.command, image.ports) == ("3.12", "gunicorn app", ("81/tcp",))
    assert image.environment == {"PORT": "81", "MODE": "x"}
    assert (image.final_packages, image.early_packages) == (("libpq5", "gcc"), ("libffi-dev",))
    assert image.foreign_packages == ("msodbcsql18",)
    assert image.copied == ("docker/entry.sh", "app") and image.renamed["/start"] == "docker/entry.sh"


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({}, "3.13"),
        ({"pyproject.toml": "[project]\nname='a'\nrequires-python='>=3.14'"}, "3.14"),
        ({"pyproject.toml": "[project]\nname='a'\nrequires-python='>=3.8,<3.13'"}, "3.12"),
        ({"pyproject.toml": "[tool.poetry.dependencies]\npython='^3.8'"}, "3.13"),
        ({"pyproject.toml": "[tool.poetry.dependencies]\npython='~3.11'"}, "3.11"),
        ({".python-version": "3.11.4\n"}, "3.11"),
        ({"runtime.txt": "python-3.8.1"}, "3.11"),
        ({"setup.cfg": "[options]\npython_requires = >=3.12,!=3.13.*\n"}, "3.14"),
    ],
)
def test_the_version_of_python(tmp_path: Path, files: dict[str, str], version: str):
    assert find_python(open_files(tmp_path, files), None)[0] == version


def test_a_version_that_the_template_does_not_have_is_refused(tmp_path: Path):
    project = open_files(tmp_path, {"setup.py": "setup(python_requires='>=2.7,<3')"})
    with pytest.raises(FleetError, match=r"needs Python <3,>=2.7 \(setup.py\)"):
        find_python(project, None)


POETRY_PROJECT = '[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\npython = "^3.9"\n'


def locked(*wheels: str) -> dict[str, str]:
    files = ", ".join(f'{{file = "fast-1.0-{wheel}.whl"}}' for wheel in wheels)
    lock = f'[[package]]\nname = "fast"\nversion = "1.0"\nfiles = [{{file = "fast-1.0.tar.gz"}}, {files}]\n'
    return {"pyproject.toml": POETRY_PROJECT, "poetry.lock": lock, "app.py": ""}


@pytest.mark.parametrize(
    ("files", "python", "compiled"),
    [
        (locked("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"), "3.13", ["fast"]),
        (locked("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"), "3.11", []),
        (locked("cp37-abi3-manylinux_2_28_x86_64"), "3.13", []),
        (locked("cp27-cp27mu-manylinux1_x86_64"), "3.13", ["fast"]),
        (locked("py2.py3-none-any"), "3.13", []),
        (locked("py2.py3-none-win_amd64", "py2.py3-none-macosx_10_6_intel"), "3.13", []),
        ({"requirements.txt": "psycopg2-binary==2.9.9\nflask==3.0.0\n", "app.py": ""}, "3.13", ["psycopg2-binary"]),
        ({"requirements.txt": "psycopg2-binary==2.9.9\n", "app.py": ""}, "3.14", ["psycopg2-binary"]),
        ({"requirements.txt": "psycopg2-binary==2.9.9\n", "app.py": ""}, "3.12", []),
        ({"requirements.txt": "psycopg2-binary>=2.9\n", "app.py": ""}, "3.13", []),
    ],
)
def test_a_distribution_without_a_wheel_is_compiled(
    tmp_path: Path, files: dict[str, str], python: str, compiled: list[str]
):
    project = open_files(tmp_path, files)
    requirements = find_requirements(project)
    assert find_compiled(requirements, python) == compiled
    build, *_ = find_packages(gather(project), requirements, compiled)
    assert set(build) == {"fast": {"build-essential"}, "psycopg2-binary": {"libpq-dev"}}.get("".join(compiled), set())


@pytest.mark.parametrize(("command", "build"), [("apk add gcc libffi-dev", ["build-essential"]), ("apk add git", [])])
def test_what_has_no_wheel_at_all_is_compiled_if_the_old_image_has_a_compiler(
    tmp_path: Path, command: str, build: list[str]
):
    lock = '[[package]]\nname = "slow"\nversion = "1.0"\nfiles = [{file = "slow-1.0.tar.gz"}]\n'
    files = {"pyproject.toml": POETRY_PROJECT, "poetry.lock": lock, "app.py": ""}
    project = open_files(tmp_path, files | {"Dockerfile": f"FROM python:3.13-alpine\nRUN {command}\n"})
    assert list(find_packages(gather(project), find_requirements(project))[0]) == build


def test_the_version_of_python_is_one_that_needs_no_compiler(tmp_path: Path):
    project = open_files(tmp_path, {"requirements.txt": "psycopg2-binary==2.9.9\n", "app.py": ""})
    requirements = find_requirements(project)
    version, reason = find_python(project, None, lambda version: find_compiled(requirements, version))
    assert (version, reason) == ("3.12", "psycopg2-binary would be compiled on 3.13")


def test_the_file_that_names_the_server_is_installed_too(tmp_path: Path):
    files = {"requirements.txt": "flask\n", "requirements-server.txt": "gunicorn\n", "requirements-dev.txt": "x\n"}
    assert find_requirements(open_files(tmp_path, files)).file == "requirements.txt requirements-server.txt"
    (tmp_path / "requirements.txt").write_text("flask\nwaitress\n")
    assert find_requirements(open_project(tmp_path, GitEnvironment.from_process())).file == "requirements.txt"


def test_the_extras_and_groups_that_name_a_server_are_installed(tmp_path: Path):
    project = open_files(
        tmp_path,
        {
            "pyproject.toml": "[project]\nname = 'a'\n[project.optional-dependencies]\nweb = ['gunicorn']\nx = ['y']\n"
            "[dependency-groups]\ndocker = ['uvicorn']\ndev = ['uvicorn']\n",
            "uv.lock": "[[package]]\nname = 'a'\nversion = '1'\ndependencies = [{ name = 'b', extra = ['c'] }]\n"
            "[package.optional-dependencies]\nweb = [{ name = 'gunicorn' }]\n"
            "[package.dev-dependencies]\ndocker = [{ name = 'uvicorn' }]\ndev = [{ name = 'pytest' }]\n"
            "[[package]]\nname = 'b'\nversion = '2'\n[package.optional-dependencies]\nc = [{ name = 'd' }]\n"
            + "".join(
                f"[[package]]\nname = '{name}'\nversion = '3'\n" for name in ("d", "gunicorn", "uvicorn", "pytest")
            ),
        },
    )
    requirements = find_requirements(project)
    assert (requirements.file, requirements.extras, requirements.groups) == ("uv.lock", ("web",), ("docker",))
    assert sorted(requirements.distributions) == ["b", "d", "gunicorn", "uvicorn"]


def test_development_packages_of_poetry_are_left_out(tmp_path: Path):
    lock = "".join(
        f"[[package]]\nname = '{name}'\nversion = '1'\n{group}\n"
        for name, group in (("a", "groups = ['main']"), ("b", "groups = ['dev']"), ("c", "category = 'dev'"), ("d", ""))
    )
    project = open_files(tmp_path, {"poetry.lock": lock, "pyproject.toml": ""})
    assert sorted(find_requirements(project).distributions) == ["a", "d"]


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ({"url": "https://example.com/t", "vcs_info": {"vcs": "git"}}, "git+https://example.com/t"),
        ({"url": "file:///srv/a%20b", "dir_info": {}}, "/srv/a b"),
        ({}, None),
    ],
)
def test_the_template_is_where_fleet_was_installed_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, origin: dict[str, object], source: str | None
):
    assert Path(layout.default_template(), "copier.yml").exists()
    monkeypatch.setattr(layout, "__file__", str(tmp_path / "site-packages" / "fleet" / "adopt" / "layout.py"))
    installed = SimpleNamespace(read_text=lambda name: json.dumps(origin))
    monkeypatch.setattr(layout, "distribution", lambda name: installed)
    if source:
        assert layout.default_template() == source
    else:
        with pytest.raises(FleetError, match="not installed from the template"):
            layout.default_template()


@pytest.mark.parametrize(
    ("command", "volumes", "expected"),
    [
        ("gunicorn app:app -b :8000 -w 4", [], "gunicorn app:app -b :8000 -w 4"),
        ("gunicorn app:app -b :8000 -w 4", ["data:/data"], "gunicorn app:app -b :8000 -w 4"),
        ("python manage.py run", [".:/app:ro"], "gunicorn app:app -b :8000"),
        ("python manage.py runserver 0.0.0.0:8000", [], "gunicorn app:app -b :8000"),
        ("gunicorn app:app --reload", [], "gunicorn app:app -b :8000"),
    ],
)
def test_a_compose_file_counts_more_than_the_dockerfile_unless_it_is_for_development(
    tmp_path: Path, command: str, volumes: list[str], expected: str
):
    service = {"build": {"context": "."}, "command": command, "ports": ["80:8000"], "volumes": volumes}
    project = open_files(
        tmp_path,
        {
            "Dockerfile": "FROM python:3.13\nCMD gunicorn app:app -b :8000\n",
            "docker-compose.yml": yaml.safe_dump({"services": {"web": service}}),
            "app.py": "",
            "requirements.txt": "gunicorn\n",
        },
    )
    assert find_start(gather(project), find_requirements(project), None, None).command == expected


ASGI = "from starlette.applications import Starlette\napp = Starlette()\n"
FACTORY = "from flask import Flask\n\n\ndef create_app():\n    return Flask(__name__)\n"
MAIN = "if __name__ == '__main__':\n    print()\n"
SCRIPTS = "[project]\nname = 'a'\n[project.scripts]\none = 'a.b:one'\ntwo = 'a.b:two'\n"


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"requirements.txt": "hypercorn", "app.py": ASGI}, "hypercorn app:app --bind 0.0.0.0:8000"),
        ({"requirements.txt": "daphne", "app.py": ASGI}, "daphne app:app -b 0.0.0.0 -p 8000"),
        (
            {"requirements.txt": "gunicorn\nuvicorn-worker", "app.py": ASGI},
            "gunicorn app:app -k uvicorn_worker.UvicornWorker --worker-tmp-dir /dev/shm --bind 0.0.0.0:8000",
        ),
        (
            {"requirements.txt": "granian", "app.py": ASGI},
            "granian --interface asgi app:app --host 0.0.0.0 --port 8000",
        ),
        ({"requirements.txt": "waitress", "app.py": FACTORY}, "waitress-serve --call app:create_app --port 8080"),
        (
            {"requirements.txt": "granian", "app.py": FACTORY},
            "granian --interface wsgi app:create_app --factory --host 0.0.0.0 --port 8000",
        ),
        (
            {"requirements.txt": "celery", "a/b.py": "from celery import Celery\nqueue = Celery()\n"},
            "celery -A a.b:queue worker --include celery_heartbeat",
        ),
        ({"requirements.txt": "x", "bot/__main__.py": MAIN, "helper.py": MAIN}, "python -m bot"),
        ({"requirements.txt": "x", "helper.py": MAIN, "bot.py": MAIN}, "python bot.py"),
        ({"requirements.txt": "x", "setup.py": "console_scripts\n'a = a.b:main'", "a/b.py": MAIN}, "python -m a.b"),
        ({"requirements.txt": "rq", "Procfile": "worker: rq worker --url $URL jobs\n", "a.py": ""}, "rq worker jobs"),
    ],
)
def test_the_command_that_the_source_tells(tmp_path: Path, files: dict[str, str], command: str):
    project = open_files(tmp_path, files)
    assert find_start(gather(project), find_requirements(project), None, None).command == command


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"pyproject.toml": SCRIPTS, "requirements.txt": "x"}, "several console scripts are equally likely: one, two"),
        ({"a.py": MAIN, "b.py": MAIN, "requirements.txt": "x"}, "several modules can be run: a.py, b.py"),
        ({"Procfile": "web: make run\n", "requirements.txt": "x"}, "web in Procfile: make is for development"),
    ],
)
def test_what_the_source_does_not_tell_is_refused(tmp_path: Path, files: dict[str, str], sentence: str):
    project = open_files(tmp_path, files)
    with pytest.raises(FleetError, match=sentence):
        find_start(gather(project), find_requirements(project), None, None)


def test_the_port_that_the_source_listens_on(tmp_path: Path):
    served = "from aiohttp import web\n\n\ndef main():\n    web.run_app(web.Application(), port=8123)\n"
    project = open_files(tmp_path, {"requirements.txt": "aiohttp", "a/__main__.py": served})
    assert find_start(gather(project), find_requirements(project), None, None).port == "8123"


def test_the_configuration_of_the_server_finds_the_virtual_environment_and_the_command_its_data(tmp_path: Path):
    project = open_files(
        tmp_path,
        {
            "Dockerfile": "FROM python:3.13\nENV VIRTUAL_ENV=/venv\nWORKDIR /code\nCOPY . .\n"
            "CMD uwsgi web.ini --spooler /srv/spool --stats /tmp/stats\n",
            "web.ini": "[uwsgi]\nhttp-socket = :8050\nvirtualenv = $(VIRTUAL_ENV)\n",
            "app.py": "",
            "requirements.txt": "uwsgi\n",
        },
    )
    data = propose(project, {}).data
    assert data["environment"] == "VIRTUAL_ENV=/opt/venv"
    assert data["data_dirs"] == "/srv/spool"
    assert data["build_packages"] == "build-essential"


def test_a_program_of_the_project_that_serves_is_the_start_where_no_server_is_required(tmp_path: Path):
    application = "import flask\napp = flask.Flask(__name__)\n"
    main = "from web.server import main\nif __name__ == '__main__':\n    main()\n"
    files = {
        "requirements.txt": "flask\ntornado\n",
        "web/__init__.py": application,
        "web/server.py": "",
        "run.py": main,
    }
    project = open_files(tmp_path, files)
    assert find_start(gather(project), find_requirements(project), None, None).command == "python run.py"
    (tmp_path / "run.py").write_text("from web import app\nif __name__ == '__main__':\n    app.run()\n")
    project = open_project(tmp_path, GitEnvironment.from_process())
    with pytest.raises(FleetError, match="no server for it"):
        find_start(gather(project), find_requirements(project), None, None)


def test_what_the_old_dockerfile_installs_by_name_is_installed_besides(tmp_path: Path):
    project = open_files(
        tmp_path,
        {
            "Dockerfile": "FROM python:3.13-slim\nCOPY requirements.txt .\nRUN pip install -U pip wheel\n"
            "RUN pip install -r requirements.txt && "
            "pip install 'gunicorn[gevent]==23.0.0' 'minio>=7' mysqlclient flask\n"
            "COPY app.py .\nCMD gunicorn app:app\n",
            "requirements.txt": "flask\n",
            "app.py": "",
        },
    )
    proposal = propose(project, {})
    assert proposal.data["extra_requirements"] == "gunicorn[gevent]==23.0.0 minio>=7 mysqlclient"
    assert "default-libmysqlclient-dev" in proposal.data["build_packages"]
    assert proposal.refusal is None
    pinned = "No file pins minio>=7, mysqlclient: better add them to requirements.txt."
    assert pinned in [finding.message for finding in proposal.by_hand]


@pytest.mark.parametrize(
    ("command", "files", "requirements", "expected"),
    [
        ("python -u exporter.py", {"src/exporter.py": MAIN, "src/requirements.txt": "x\n"}, "src/requirements.txt", ""),
        (
            "python -u /usr/local/bin/exporter --quiet",
            {
                "pyproject.toml": "[project.scripts]\nexporter = 'exporter:main'\n",
                "exporter.py": "",
                "requirements.txt": "",
            },
            "requirements.txt",
            "python -c \"__import__('pkgutil').resolve_name('exporter:main')()\" --quiet",
        ),
    ],
)
def test_files_that_the_old_image_has_elsewhere(
    tmp_path: Path, command: str, files: dict[str, str], requirements: str, expected: str
):
    dockerfile = f"FROM python:3.13\nWORKDIR /x\nRUN pip install -r requirements.txt\nCOPY src/ .\nCMD {command}\n"
    data = propose(open_files(tmp_path, files | {"Dockerfile": dockerfile}), {}).data
    assert data["requirements_file"] == requirements
    assert data["start_command"] == (expected or "python -u src/exporter.py")


def test_a_file_of_documentation_that_the_app_reads_is_in_the_image(tmp_path: Path):
    files = {"requirements.txt": "x\n", "README.md": "", "CHANGELOG.md": "", "app.py": f"open('CHANGELOG.md')\n{MAIN}"}
    assert propose(open_files(tmp_path, files), {}).data["app_dir"] == "CHANGELOG.md app.py"


def test_a_file_that_the_old_image_has_in_another_folder_is_there_in_the_new_one_too(tmp_path: Path):
    files = {
        "Dockerfile": "FROM python:3.13\nWORKDIR /srv\nCOPY web/ /srv/web/\nCOPY docs/api.yaml /srv/web/docs/api.yaml\n"
        "COPY docs/help.yaml /srv/docs/help.yaml\nCOPY tests/run.sh /run.sh\n"
        "COPY requirements.txt /srv/requirements/all.txt\nCMD python -m web\n",
        "requirements.txt": "x\n",
        "web/__main__.py": "",
        "docs/api.yaml": "",
        "docs/help.yaml": "",
        "tests/run.sh": "",
        "docs/index.md": "",
    }
    data = propose(open_files(tmp_path, files), {}).data
    assert data["build_commands"] == "install -D --mode=644 docs/api.yaml web/docs/api.yaml"
    assert data["app_dir"] == "web docs/api.yaml docs/help.yaml"


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("chdir = /opt/web", "sed -i s:/opt/web:/app:g web.ini"),
        ("static-map = /media=/opt/web/media", "sed -i s:/opt/web:/app:g web.ini"),
        ("home = /opt/web-tools", None),
        ("home = /srv/opt/web", None),
    ],
)
def test_the_folder_of_the_old_image_in_the_configuration_of_the_server(tmp_path: Path, line: str, command: str | None):
    files = {
        "Dockerfile": "FROM python:3.13\nWORKDIR /opt/web\nCOPY . .\nCMD uwsgi web.ini\n",
        "web.ini": f"[uwsgi]\nhttp-socket = :8050\n{line}\n",
        "requirements.txt": "uwsgi\n",
        "app.py": "",
    }
    proposal = propose(open_files(tmp_path, files), {})
    assert proposal.data.get("build_commands") == command
    assert command is None or "old-places" not in [finding.code for finding in proposal.by_hand]


def test_a_route_that_needs_a_login_is_no_health_check(tmp_path: Path):
    text = (
        "from flask import Flask\napp = Flask(__name__)\n\n@app.route('/admin/alive')\n@login_required\n"
        "def alive(): ...\n\n@app.route('/login')\ndef login(): ...\n"
    )
    data = propose(open_files(tmp_path, {"requirements.txt": "flask\ngunicorn\n", "app.py": text}), {}).data
    assert data["health_path"] == "/login"


@pytest.mark.parametrize(("manifest", "collected"), [("static/staticfiles.json", False), ("web/static/a.json", True)])
def test_static_files_that_the_project_has_collected_stay(tmp_path: Path, manifest: str, collected: bool):
    files = {
        "manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'web.settings')\n",
        "web/__init__.py": "",
        "web/settings.py": "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\n"
        "INSTALLED_APPS = ['django.contrib.staticfiles']\nSTATIC_ROOT = BASE_DIR / 'static'\n",
        "web/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
        "requirements.txt": "django\ngunicorn\n",
        manifest: "{}",
    }
    data = propose(open_files(tmp_path, files), {}).data
    assert ("build_commands" in data) == collected


def test_the_scripts_of_alembic_are_files_even_if_a_wheel_has_the_package(tmp_path: Path):
    project = open_files(
        tmp_path,
        {
            "pyproject.toml": "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"
            "[project]\nname = 'web'\nversion = '1'\n[project.scripts]\nweb = 'web.main:main'\n",
            "web/__init__.py": "",
            "web/main.py": "def main(): ...\n",
            "web/migrations/env.py": "",
            "alembic.ini": "[alembic]\nscript_location = web/migrations\n",
            "requirements.txt": "alembic\n",
        },
    )
    data = propose(project, {}).data
    assert (data["local_packages"], data["app_dir"]) == (".", "alembic.ini web/migrations")
    (tmp_path / "web/main.py").write_text("import pathlib\n\ndef main(): open(pathlib.Path.cwd() / 'pyproject.toml')\n")
    data = propose(open_project(tmp_path, GitEnvironment.from_process()), {}).data
    assert (data["local_packages"], data["app_dir"]) == (".", "alembic.ini pyproject.toml web")


def test_the_port_that_a_package_of_the_started_file_names(tmp_path: Path):
    files = {
        "requirements.txt": "tornado",
        "run.py": f"from web.main import main\n{MAIN}",
        "web/__init__.py": "",
        "web/constants.py": "NAME = 'web'\nDEFAULT_PORT = 8083\n",
    }
    project = open_files(tmp_path, files)
    assert find_start(gather(project), find_requirements(project), None, None).port == "8083"


@pytest.mark.parametrize(
    ("volume", "data"),
    [
        ("./data:/srv/app/data", "/app/data"),
        ("${DATA_DIR:-./data}:/data", "/data"),
        ("./web:/srv/app/web", None),
        ("./config.yml:/config/config.yml", None),
        ("./config:/config:ro", None),
        (".:/srv/app", None),
    ],
)
def test_the_folders_that_a_compose_file_mounts(tmp_path: Path, volume: str, data: str | None):
    service = {"build": ".", "ports": ["80:8000"], "volumes": [volume]}
    project = open_files(
        tmp_path,
        {
            "Dockerfile": "FROM python:3.13\nWORKDIR /srv/app\nCOPY . .\nCMD gunicorn web:app -b :8000\n",
            "docker-compose.yml": yaml.safe_dump({"services": {"web": service}}),
            "web/__init__.py": "",
            "requirements.txt": "gunicorn\n",
        },
    )
    assert propose(project, {}).data.get("data_dirs") == data


def test_the_programs_of_supervisor_and_the_configuration_of_uwsgi(tmp_path: Path):
    project = open_files(
        tmp_path,
        {
            "Dockerfile": "FROM python:3.13\nWORKDIR /srv\nCOPY web/ web\nCOPY supervisord.conf /etc/\n"
            "CMD supervisord -c /etc/supervisord.conf\n",
            "supervisord.conf": "[program:nginx]\ncommand=nginx\n[program:web]\n"
            "command=uwsgi --ini /srv/web/uwsgi.ini\n",
            "web/uwsgi.ini": "[uwsgi]\nhttp-socket = :8050\n",
            "web/app.py": "",
            "requirements.txt": "uwsgi\n",
        },
    )
    start = find_start(gather(project), find_requirements(project), None, None)
    assert (start.command, start.port) == ("uwsgi --ini web/uwsgi.ini", "8050")
    assert any("several programs" in note for note in start.notes)


def test_the_routes_of_included_routers_have_their_prefixes(tmp_path: Path):
    project = open_files(
        tmp_path,
        {
            "app/__init__.py": "from flask import Flask\n\n\ndef create_app():\n    app = Flask(__name__)\n"
            "    from app.auth import bp as auth_bp\n    app.register_blueprint(auth_bp, url_prefix='/auth')\n"
            "    return app\n",
            "app/auth/__init__.py": "from flask import Blueprint\nbp = Blueprint('auth', __name__)\n"
            "from app.auth import routes\n",
            "app/auth/routes.py": "from app.auth import bp\n\n\n@bp.route('/login', methods=['GET', 'POST'])\n"
            "def login(): ...\n\n\n"
            "@bp.route('/<user>')\ndef user(): ...\n\n\n@bp.route('/drop', methods=['POST'])\ndef drop(): ...\n",
            "api/main.py": "from api.core import settings\nfrom api.v1 import users\n"
            "from fastapi import APIRouter, FastAPI\n"
            "app = FastAPI()\nrouter = APIRouter()\nrouter.include_router(users.router)\n"
            "app.include_router(router, prefix=settings.PREFIX)\n",
            "api/core.py": "PREFIX: str = '/api'\n",
            "api/v1/users.py": "from fastapi import APIRouter\nrouter = APIRouter(prefix='/users')\n\n\n"
            "@router.get('/me')\ndef me(): ...\n",
            "web/views.py": "import falcon\napp = falcon.App()\napp.add_route('/things', object())\n",
            "tests/test_app.py": "from flask import Flask\napp = Flask('test')\n",
        },
    )
    source = read_source(project)
    assert {path for path, _ in source.routes} == {"/auth/login", "/api/users/me", "/things"}
    assert {(app.target, app.framework, app.is_factory) for app in source.applications} == {
        ("app:create_app", "Flask", True),
        ("api.main:app", "FastAPI", False),
        ("web.views:app", "Falcon", False),
    }
