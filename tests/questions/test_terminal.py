"""The questions as a user sees them: at a terminal of 80 columns, with wrong answers in between."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from questionnaire import QUESTION_MARK, QUESTIONS, Questionnaire, choices
from terminal import COLUMNS, ENTER, Terminal
from testing import ROOT
from testing.template import copier, files, generate, snapshot

STARTER = ["kind", "source", "customize", "framework", "service_name", "description"]
STARTER += ["python_version", "base", "flavor", "ci"]

SERVICE = {"service_name": "orders", "description": "It's [quick]: ä", "python_version": "3.14"}
EXISTING = {
    "source": "existing",
    "service_name": "orders",
    "app_dir": "manage.py mysite",
    "requirements_file": "requirements/production.txt",
    "start_command": "gunicorn 'mysite.wsgi' --bind 0.0.0.0:8080",
}
CUSTOMIZED = {
    "customize": True,
    "description": "Takes orders",
    "installer": "pip",
    "build_packages": "libpq-dev g++",
    "runtime_packages": "libpq5",
    "port": "8080",
    "health_path": "/health",
    "registry": "registry.example.com/team",
    "compression": "gzip",
    "bytecode": False,
    "cpu_limit": "0.5",
    "memory_limit": "1g",
    "pids_limit": "64",
    "targets": ["proxy", "kubernetes"],
}
# The answers of questions/existing.yml: for requirements files, and for a lock.
FILES = {
    "requirements_includes": "constraints.txt",
    "extra_requirements": "gunicorn==23.0.0",
    "assets_lock": "frontend/package-lock.json",
    "assets_files": "frontend/src",
    "assets_command": "npm run bundle",
    "assets_output": "static/dist",
    "build_commands": "python manage.py collectstatic && true",
    "build_network": True,
    "build_outputs": "/srv/static",
    "release_command": "python manage.py migrate",
    "processes": "[{name: mails, command: python manage.py mails}]",
    "data_dirs": "/app/media /data",
    "environment": "A=b C=d",
    "health_host": "shop.example.com",
    "health_https": True,
    "start_period": "60",
    "stop_signal": "SIGINT",
    "stop_grace_period": "45",
}
LOCK = {
    "requirements_file": "uv.lock",
    "app_dir": "",
    "installer": "uv",
    "extras": "server",
    "groups": "production",
    "workspace_member": "api",
    "local_packages": ". packages/common",
    "package_files": "src README.md",
}
SHARED = {"base": "shared", "base_image": "registry.example.com/team/python-base", "flavor": "slim"}
CASES: dict[str, dict[str, Any]] = {
    "fastapi": SERVICE,
    "flask": SERVICE | {"framework": "flask", "ci": "gitlab"},
    "django": SERVICE | {"framework": "django"},
    "worker": SERVICE | {"framework": "worker", "ci": "none"},
    "shared base": SERVICE | SHARED,
    "existing": EXISTING | {"port": "8080", "health_path": "/health"},
    "existing without a port": EXISTING | {"port": "", "heartbeat_file": "/tmp/alive"},
    "base image": {
        "kind": "base-image",
        "image_name": "our-python",
        "python_versions": ["3.12", "3.14"],
        "runtime_packages": "libpq5",
        "registry": "localhost:5000",
    },
    "customized starter": SERVICE | SHARED | CUSTOMIZED | {"prune": False},
    "customized existing": EXISTING | SHARED | CUSTOMIZED | FILES | {"prune": False},
    "customized lock": EXISTING | SHARED | CUSTOMIZED | LOCK | {"prune": False},
}
# How many questions are asked at most: the limits of the design, and all of them if the user asks for all.
STARTER_CASES = ("fastapi", "flask", "django", "worker")
MOST = dict.fromkeys(STARTER_CASES, 10) | {
    "shared base": 10,
    "existing": 10,
    "existing without a port": 10,
    "base image": 6,
}

# Defaults that Copier computes from other answers.
DEFAULTS = {"flavor": "distroless", "local_packages": "", "ci": "github"}

# The questions that only customized existing services are asked.
CUSTOMIZED_ONLY = set(yaml.safe_load((ROOT / "questions" / "existing.yml").read_text()))

WRONG: dict[str, list[str]] = {
    "service_name": ["Orders", "a" * 41, "null", "on"],
    "image_name": ["our_python", "true"],
    "description": ["", 'Say "hello"'],
    "app_dir": ["../app"],
    "requirements_file": ["", "/requirements.txt", "uv.lock pylock.toml", "Pipfile.lock", "setup.py"],
    "requirements_includes": ["../a.txt"],
    "extras": ["-server"],
    "groups": ["-production"],
    "workspace_member": ["packages/api"],
    "local_packages": ["../common", ""],
    "package_files": [""],
    "assets_lock": ["package.json", "../yarn.lock"],
    "assets_files": [""],
    "assets_command": ["", "npm 'run"],
    "assets_output": [""],
    "build_commands": ["true # nothing"],
    "build_outputs": ["static", "/usr", "/app/static"],
    "release_command": ["python manage.py migrate && true"],
    "processes": ["mails", "[{name: mails}]", "[{name: a, command: b, colour: c}]"],
    "data_dirs": ["media", "/app", "/data /data"],
    "environment": ["A", "A=b A=c", "HEARTBEAT_FILE=/tmp/a"],
    "health_host": ["https://example.com"],
    "start_period": ["0"],
    "stop_grace_period": ["3601"],
    "start_command": ["", "python 'app.py", "python app.py && echo"],
    "port": ["80", "http"],
    "health_path": ["", "healthz"],
    "heartbeat_file": ["alive"],
    "base_image": ["python-base:3.13"],
    "build_packages": ["libpq-dev-", "a;b"],
    "runtime_packages": ["Libpq5"],
    "registry": ["https://example.com"],
    "cpu_limit": ["0", "many"],
    "memory_limit": ["256"],
    "pids_limit": ["1"],
}
# A name that only starters refuse, and a path that is in use.
WRONG_FOR_STARTERS = {"service_name": ["json"], "health_path": ["/readyz"]}
# Without `customize` nobody is asked for packages, which may replace these files.
WRONG_IF_NOT_CUSTOMIZED = {"app_dir": [""]}


@pytest.mark.parametrize("case", CASES)
def test_every_line_reads_whole_and_the_project_is_as_with_data(
    tmp_path: Path, record_property: Callable[[str, object], None], case: str
) -> None:
    answers = CASES[case]
    command = (sys.executable, "-m", "copier", "copy", snapshot(), "project")
    with Terminal(*command, cwd=tmp_path) as terminal:
        questionnaire = Questionnaire(terminal)
        while name := questionnaire.next():
            wrong = list(WRONG.get(name, []))
            if answers.get("source") != "existing":
                wrong += WRONG_FOR_STARTERS.get(name, [])
            if not answers.get("customize"):
                wrong += WRONG_IF_NOT_CUSTOMIZED.get(name, [])
            if answers.get("app_dir") != "" and name == "local_packages":
                wrong.remove("")
            questionnaire.answer(name, answers.get(name, DEFAULTS.get(name, QUESTIONS[name]["default"])), wrong)
        assert terminal.wait() == 0, terminal.text()

    asked = questionnaire.asked
    record_property("questions asked", (case, len(asked)))
    assert set(answers) <= set(asked)
    assert answers.get("customize") or not CUSTOMIZED_ONLY & set(asked)
    assert len(asked) <= MOST.get(case, len(QUESTIONS)), asked
    if case in STARTER_CASES:
        assert asked == STARTER
    assert files(tmp_path / "project") == files(generate(tmp_path / "with-data", **answers))


def test_an_update_does_not_ask_for_what_cannot_change(tmp_path: Path) -> None:
    """`copier copy` over a project asks what an update asks; the terminal shows each recorded answer."""
    project = generate(tmp_path / "project", framework="worker", service_name="orders", pids_limit="64")
    before = files(project)
    command = (sys.executable, "-m", "copier", "copy", "--overwrite", snapshot(), "project")
    with Terminal(*command, cwd=tmp_path) as terminal:
        questionnaire = Questionnaire(terminal)
        while questionnaire.next():
            terminal.send(ENTER)
        assert terminal.wait() == 0, terminal.text()
    assert questionnaire.asked == [name for name in STARTER if name not in ("kind", "source", "framework")]
    assert files(project) == before


def test_no_text_needs_more_than_80_columns() -> None:
    """Questions for which no case above has answers are checked by their text alone."""
    for name, question in QUESTIONS.items():
        if question.get("when", True) is False or question.get("ask", True) is False:
            continue
        first, *rest = question["help"].splitlines()
        assert len(QUESTION_MARK) + 1 + len(first) < COLUMNS, (name, first)
        assert all(len(line) < COLUMNS for line in (*rest, f"   {question.get('placeholder', '')}")), name
        assert all(len(choice) < COLUMNS - 3 for choice in choices(question)), name
        assert "{{" not in question["help"] + question.get("placeholder", ""), f"{name}: the text depends on answers"


def test_a_copy_says_first_where_files_go_and_what_it_may_replace(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    said = copier("copy", "--defaults", "--pretend", snapshot(), "project", cwd=tmp_path).stderr
    assert said.startswith("Generating files in project.\n\nCopying from"), said

    for name in ("Dockerfile", "compose.yaml"):
        (project / name).touch()
    said = copier("copy", "--defaults", "--overwrite", "-d=source=existing", snapshot(), "project", cwd=tmp_path).stderr
    start, _, _ = said.partition("\n\nCopying from")
    assert "\n    Dockerfile\n" in start
    assert "Docker Compose reads your compose.yaml, not the generated docker-compose.yml" in start
    assert "compose.yml," not in start.replace("docker-compose.yml,", "")
    assert "\n\n\n" not in start
    assert all(len(line) < COLUMNS for line in start.splitlines())
