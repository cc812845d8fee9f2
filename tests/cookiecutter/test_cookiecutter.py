"""cookiecutter asks the same questions as Copier, generates the same project, and refuses the same answers."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_copy

from scripts import cookiecutter_json
from testing import ROOT
from testing.answers import MATRIX
from testing.git import commit
from testing.template import files, questions

KINDS = {"base-image": {"kind": "base-image"}}
CASES = MATRIX | {kind: answers for kind, answers in KINDS.items() if kind in questions()["kind"]["choices"].values()}
# Copier alone asks for some answers of existing services.
CASES = {name: answers for name, answers in CASES.items() if answers.keys() <= cookiecutter_json.asked().keys()}


def typed(answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers as a user types them in cookiecutter."""
    return {name: ", ".join(value) if isinstance(value, list) else value for name, value in answers.items()}


def modes(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_mode for path in folder.rglob("*")}


def cookiecutter(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cookiecutter", *map(str, arguments)]
    return subprocess.run(command, **({"capture_output": True, "text": True, "input": ""} | options))


def bake(folder: Path, *arguments: str | Path, **options: Any) -> Path:
    """Generate a project in `folder` by cookiecutter, with its defaults for what is not given; return it."""
    result = cookiecutter("--no-input", "--output-dir", folder, *arguments, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    (project,) = folder.iterdir()
    return project


def copy(folder: Path, template: str | Path, ref: str | None = None, **answers: Any) -> Path:
    """Generate the same project by Copier; return it."""
    # Copier's default is the folder's name, which cookiecutter does not know before it asks.
    answers = {"service_name": "hello-service"} | answers
    run_copy(str(template), folder, answers, vcs_ref=ref, defaults=True, quiet=True)
    return folder


def same(one: Path, other: Path) -> None:
    assert files(one) == files(other)
    assert modes(one) == modes(other)


def test_cookiecutter_json_is_up_to_date():
    assert (ROOT / "cookiecutter.json").read_text(encoding="utf-8") == cookiecutter_json.content(), (
        "the questions have changed: run `make cookiecutter`"
    )


def test_every_question_is_asked_in_copiers_words_and_with_its_default():
    document = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    asked = {
        name: question
        for name, question in questions().items()
        if question.get("when", True) is not False and question.get("ask", True) is not False
        if name not in cookiecutter_json.COPIER_ONLY
    }
    assert {name for name in document if not name.startswith("_")} == asked.keys() == document["__prompts__"].keys()
    for name, question in asked.items():
        prompt = document["__prompts__"][name]
        text = prompt if isinstance(prompt, str) else prompt["__prompt__"]
        lines = [line.strip() for line in text.splitlines()]
        assert lines[: question["help"].count("\n") + 1] == [line.strip() for line in question["help"].splitlines()]
        if "placeholder" in question:
            assert f"Example: {question['placeholder']}" in lines
        assert "{" not in json.dumps(list(prompt.values()) if isinstance(prompt, dict) else prompt)
        assert not any(line in ("Only for .", "Example:") or len(line) > 76 for line in lines)
        if isinstance(document[name], list):
            choices = question["choices"]
            assert set(document[name]) == set(choices.values() if isinstance(choices, dict) else choices)
            assert document[name][0] == cookiecutter_json.DEFAULTS.get(name, question["default"])


def test_no_template_expression_reaches_into_python():
    assert "__globals__" not in (ROOT / "cookiecutter.json").read_text()


def test_answers_count_if_their_condition_holds_whether_copier_asks_or_not():
    questions = {
        "kind": {"choices": ["a", "b"], "default": "a"},
        "framework": {"choices": ["x", "y"], "default": "x", "when": "{{ kind == 'a' }}"},
        "quick": {"type": "bool", "default": "{{ framework == 'x' }}", "when": False},
        "targets": {"multiselect": True, "choices": ["c", "k"], "default": ["c"], "ask": "{{ quick }}"},
        "count": {"type": "int", "default": 1, "when": "{{ quick and 'k' in targets }}", "ask": False},
        # Defaults that Copier alone can compute.
        "filtered": {"default": "{{ kind | a_filter_of_copiers }}", "when": False},
        "included": {"default": "{% from 'checks.jinja' import check %}{{ check() }}", "ask": False},
        "external": {"default": "{{ _external_data.recorded }}", "ask": "{{ _copier_conf.dst_path }}"},
        "name": {"default": "", "when": "{{ count > 1 }}"},
    }
    answers = {"kind": "b", "framework": "y", "targets": "[c, 'k']", "count": "2", "name": "on"}
    relevant = cookiecutter_json.hook().relevant
    assert relevant(questions, answers) == {"kind": "b", "targets": ["c", "k"], "count": "2", "name": "on"}
    assert relevant(questions, answers | {"kind": "a"}) == {"kind": "a", "framework": "y", "targets": ["c", "k"]}
    assert relevant(questions, answers | {"targets": ""}) == {"kind": "b", "targets": []}


@pytest.mark.parametrize("name", CASES)
def test_the_project_is_the_same_as_copiers(cookies, template: Path, tmp_path: Path, name: str):
    answers = CASES[name]
    if answers.get("source") == "existing":
        # cookiecutter's default is that of starters.
        answers = {"flavor": "slim"} | answers
    result = cookies.bake(extra_context=typed(answers), template=str(template))
    assert result.exit_code == 0, result.exception
    same(result.project_path, copy(tmp_path / "project", template, **answers))
    assert result.project_path.name == result.context["__project"]


def test_answers_that_do_not_count_are_dropped(template: Path, tmp_path: Path):
    project = bake(tmp_path / "a", template, "kind=base-image", "port=80", "service_name=../..", "registry=example.com")
    assert project.name == "python-base"
    same(project, copy(tmp_path / "b", template, kind="base-image", registry="example.com"))


def test_it_asks_for_the_answers(template: Path, tmp_path: Path):
    def answers(**given: str) -> str:
        return "".join(given.get(name, "") + "\n" for name in cookiecutter_json.asked())

    wanted = {"service_name": "orders", "description": "It's [quick]: ä", "bytecode": "n"}
    result = cookiecutter("--output-dir", tmp_path / "a", template, input=answers(**wanted))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "\n    Names separated by spaces or commas, or nothing.\n    Example: libpq-dev\n" in result.stdout
    assert "\n    Only for existing services." in result.stdout
    same(tmp_path / "a" / "orders", copy(tmp_path / "b", template, **wanted))


@pytest.mark.parametrize(
    ("given", "checkout", "newest"),
    [
        ("git+file://{released}", None, "/new-in-2/"),
        ("git+file://{released}", "main", "/not-released-yet/"),
        ("{released}", "1.0.0", "/from-1/"),
    ],
)
def test_it_takes_the_release_and_the_name_that_copier_would(
    released: Path, tmp_path: Path, given: str, checkout: str | None, newest: str
):
    given = given.format(released=released)
    project = bake(tmp_path / "a", given, *([f"--checkout={checkout}"] if checkout else []))
    same(project, copy(tmp_path / "b", given, checkout))
    assert yaml.safe_load((project / ".copier-answers.yml").read_text())["_src_path"] == given
    assert (project / ".gitignore").read_text().split()[-1] == newest


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ("../released", "{home}/released"),
        # cookiecutter takes a URL for one of git by the name alone.
        ("file://{home}/git/../released", "git+file://{home}/git/../released"),
    ],
)
def test_copier_updates_what_cookiecutter_made(home: Path, released: Path, tmp_path: Path, given: str, recorded: str):
    (home / "git").mkdir(exist_ok=True)
    project = bake(tmp_path, given.format(home=home), "--checkout=1.0.0", "port=9000", cwd=home / "git")
    with (project / "Dockerfile").open("a") as file:
        file.write("# an edit\n")
    commit(project)
    command = [sys.executable, "-m", "copier", "update", "--defaults"]
    result = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert (answers["_commit"], answers["_src_path"]) == ("2.0.0", recorded.format(home=home))
    assert answers["port"] == "9000"
    assert (project / ".gitignore").read_text().endswith("/new-in-2/\n")
    assert (project / "Dockerfile").read_text().endswith("# an edit\n")


def test_an_abbreviation_or_a_name_that_copier_does_not_know_becomes_the_url(
    home: Path, released: Path, tmp_path: Path
):
    project = bake(tmp_path, "ours:released")
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert (answers["_commit"], answers["_src_path"]) == ("2.0.0", f"git+file://{home}/released")
    # cookiecutter has a clone now, which it would find by its name.
    context = {
        "_template": "released",
        "__working_directory": str(tmp_path),
        "_repo_dir": str(home / "cookiecutters" / "released"),
    }
    assert cookiecutter_json.hook().source(context) == f"git+file://{home}/released"


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("gh:team/template", "gh:team/template"),
        ("git@example.com:team/template", "git@example.com:team/template"),
        ("deploy@git.example.com:template", "git+deploy@git.example.com:template"),
        ("ssh://git@example.com/template/", "git+ssh://git@example.com/template"),
        ("https://example.com/team/template.git", "https://example.com/team/template.git"),
        ("https://git.example.com/team/template", "git+https://git.example.com/team/template"),
        ("https://github.com/team/template", "https://github.com/team/template"),
        ("git+https://example.com/template", "git+https://example.com/template"),
    ],
)
def test_copier_knows_the_url_for_one_of_git(given: str, known: str):
    from copier._vcs import get_repo

    assert cookiecutter_json.hook().source({"_template": given}) == known
    assert get_repo(known)


BAD = [
    ("port", "80"),
    ("service_name", ""),
    ("service_name", "../a/b"),
    ("description", 'x\'); import os #"""\\'),
]


@pytest.mark.parametrize(("question", "answer"), BAD)
def test_a_bad_answer_is_refused_in_copiers_words_and_nothing_is_left(
    template: Path, tmp_path: Path, question: str, answer: str
):
    with pytest.raises(ValueError) as refusal:
        copy(tmp_path / "project", template, **{question: answer})
    (tmp_path / "temporary").mkdir()
    (tmp_path / "there").mkdir()
    arguments = ["--no-input", "--output-dir", tmp_path / "there", template, f"{question}={answer}"]
    result = cookiecutter(*arguments, env=os.environ | {"TMPDIR": str(tmp_path / "temporary")})
    assert result.returncode == 1
    assert f"Validation error for question '{question}': {result.stderr}".strip() == str(refusal.value)
    assert not any((tmp_path / "there").iterdir()) and not any((tmp_path / "temporary").iterdir())


def test_what_was_there_stays(template: Path, tmp_path: Path):
    project = tmp_path / "hello-service"
    project.mkdir()
    (project / ".gitignore").write_text("mine\n")
    arguments = ["--overwrite-if-exists", "--no-input", "--output-dir", tmp_path, template]

    assert cookiecutter(*arguments, "port=80").returncode == 1
    assert files(project) == {".gitignore": b"mine\n"}

    assert cookiecutter(*arguments).returncode == 0
    made = files(copy(tmp_path / "copied", template))
    assert files(project) == made | {".gitignore": b"mine\n"}

    result = cookiecutter(*arguments, "port=9000")
    assert result.returncode == 1
    assert result.stderr == f"{project} is a generated project already: run `copier update` in it.\n"
    assert files(project) == made | {".gitignore": b"mine\n"}


def test_without_copier_it_says_how_to_get_it(template: Path, tmp_path: Path):
    (tmp_path / "there").mkdir()
    result = cookiecutter("--no-input", "--output-dir", tmp_path / "there", template, env=alone(tmp_path))
    assert result.returncode == 1
    assert re.fullmatch(r"This template needs Copier: .*`pipx install copier`.*\.\n", result.stderr)
    assert "Traceback" not in result.stdout
    assert not any((tmp_path / "there").iterdir()) and not any((tmp_path / "temporary").iterdir())


def test_copier_may_be_a_command_of_its_own(template: Path, tmp_path: Path):
    environment = alone(tmp_path)
    command = tmp_path / "bin" / "copier"
    command.write_text(f'#!/bin/sh\nPYTHONPATH= exec "{sys.executable}" -m copier "$@"\n')
    command.chmod(0o755)
    (tmp_path / "there").mkdir()
    same(bake(tmp_path / "there", template, env=environment), copy(tmp_path / "project", template))
    result = cookiecutter("--no-input", "--output-dir", tmp_path, template, "port=80", env=environment)
    assert result.returncode == 1
    assert result.stderr == "Use a number from 1024 to 65535.\n"


def alone(folder: Path) -> dict[str, str]:
    """Return an environment with git, and without Copier as a module or as a command."""
    for name in ("bin", "temporary", "python"):
        (folder / name).mkdir()
    (folder / "bin" / "git").symlink_to(shutil.which("git"))
    (folder / "python" / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        "PathFinder.find_spec = lambda name, *more: None if name == 'copier' else find(name, *more)\n"
    )
    places = {"bin": "PATH", "temporary": "TMPDIR", "python": "PYTHONPATH"}
    return os.environ | {variable: str(folder / name) for name, variable in places.items()}


def test_cookiecutter_copies_nothing_but_the_project(template: Path, tmp_path: Path):
    """A hook before the prompts would make cookiecutter copy the template, with all that is in its folder."""
    (tmp_path / "temporary").mkdir()
    large = tmp_path / "template"
    shutil.copytree(template, large)
    (large / ".venv").mkdir()
    # cookiecutter cannot copy a named pipe: if it copies the folder, it fails.
    os.mkfifo(large / ".venv" / "pipe")
    bake(tmp_path / "there", large, env=os.environ | {"TMPDIR": str(tmp_path / "temporary")}, timeout=60)
    assert not any((tmp_path / "temporary").iterdir())


def test_no_name_is_illegal_on_windows():
    for name in ("cookiecutter.json", "hooks", "{{cookiecutter.__folder}}"):
        for path in (ROOT / name, *(ROOT / name).rglob("*")):
            assert not re.search(r'[<>:"\\|?*]', path.name), path
