"""Answers hold: from release to release, whatever the folder is called, and from update to update."""

import sys
from pathlib import Path
from typing import Any

import pytest
from copier import run_copy, run_update

from questionnaire import Questionnaire
from terminal import ENTER, Terminal
from testing.answers import EXISTING
from testing.git import commit, git
from testing.template import copier, files, generate, generate_from, read_answers, snapshot, working_clone

OLDEST, NEWEST = "0.1.0", "0.3.0"
RELEASES = [OLDEST, "0.2.0", NEWEST]
CURRENT, NEXT = "99.0.0", "99.1.0"

MONOREPO_FOLDER = "a repository/services [old]/orders"

# An answer to each question of a starter that has no Jinja in it, none of them the default.
GIVEN: dict[str, Any] = {
    "framework": "flask",
    "service_name": "orders",
    "description": "Takes orders",
    "python_version": "3.12",
    "installer": "pip",
    "build_packages": "libpq-dev",
    "runtime_packages": "libpq5",
    "port": "9000",
    "health_path": "/alive",
    "registry": "registry.example.com",
    "bytecode": False,
    "cpu_limit": "0.5",
    "memory_limit": "192m",
    "pids_limit": "64",
}
GIVEN_TO_OLDEST = GIVEN | {"framework": "fastapi"}
GIVEN_TO_WORKER = {name: GIVEN[name] for name in GIVEN if name not in ("port", "health_path")} | {"framework": "worker"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of the template with every release, this checkout as 99.0.0, and 99.1.0 without a change."""
    clone = working_clone(tmp_path_factory.mktemp("template") / "clone", RELEASES, CURRENT)
    git(commit(clone, "Another release"), "tag", NEXT)
    return clone


def update(project: Path, version: str = CURRENT, **answers: Any) -> None:
    run_update(project, data=answers, defaults=True, overwrite=True, quiet=True, vcs_ref=version)
    commit(project, f"Updated to {version}")


@pytest.mark.parametrize(
    ("version", "answers"), [(OLDEST, GIVEN_TO_OLDEST), (NEWEST, GIVEN), (NEWEST, GIVEN_TO_WORKER)]
)
def test_answers_of_a_release_are_kept_and_its_service_keeps_the_old_layout(
    template: Path, tmp_path: Path, version: str, answers: dict[str, Any]
) -> None:
    project = commit(generate_from(template, tmp_path / "project", version, **answers))
    before = read_answers(project)
    for target in (CURRENT, NEXT):
        update(project, target)
        kept = read_answers(project)
        assert {name: kept.get(name) for name in before} | {"_commit": None} == before | {"_commit": None}
        assert (kept["_commit"], kept["layout"], kept["package_name"]) == (target, 1, "orders")


def test_an_interactive_update_offers_the_recorded_answers(template: Path, tmp_path: Path) -> None:
    project = commit(generate_from(template, tmp_path / "project", NEWEST, **GIVEN))
    command = (sys.executable, "-m", "copier", "update", f"--vcs-ref={CURRENT}")
    with Terminal(*command, cwd=project) as terminal:
        questionnaire = Questionnaire(terminal)
        while questionnaire.next():
            terminal.send(ENTER)
        assert terminal.wait() == 0, terminal.text()
    assert questionnaire.asked == ["customize", "service_name", "description", "python_version", "base", "flavor"]
    answers = read_answers(project)
    assert {name: answers[name] for name in GIVEN} == GIVEN
    assert answers["layout"] == 1


def test_an_update_keeps_the_answers_of_an_existing_service_and_does_not_ask_for_more(
    template: Path, tmp_path: Path
) -> None:
    project = commit(generate_from(template, tmp_path / "project", CURRENT, **EXISTING["existing-everything"]))
    before = read_answers(project)
    assert before["processes"] == EXISTING["existing-everything"]["processes"]
    command = (sys.executable, "-m", "copier", "update", f"--vcs-ref={NEXT}")
    with Terminal(*command, cwd=project) as terminal:
        questionnaire = Questionnaire(terminal)
        while questionnaire.next():
            terminal.send(ENTER)
        assert terminal.wait() == 0, terminal.text()
    asked = ["customize", "service_name", "app_dir", "requirements_file", "start_command", "python_version"]
    assert questionnaire.asked == [*asked, "port", "health_path"]
    assert read_answers(project) == before | {"_commit": NEXT}
    assert git(project, "diff", "--name-only") == ".copier-answers.yml"

    processes = [{"name": "worker", "command": "celery -A orders worker"}]
    update(commit(project), NEXT, processes=processes)
    assert read_answers(project) == before | {"_commit": NEXT, "processes": processes}


def test_an_answer_given_later_holds(template: Path, tmp_path: Path) -> None:
    project = commit(generate_from(template, tmp_path / "project", NEWEST))
    update(project, pids_limit="64", registry="registry.example.com")
    update(project, NEXT)
    answers = read_answers(project)
    assert (answers["pids_limit"], answers["registry"]) == ("64", "registry.example.com")
    assert "pids_limit: 64" in (project / "docker-compose.prod.yml").read_text()


def test_data_is_recorded_for_questions_that_are_not_asked(tmp_path: Path) -> None:
    answers = read_answers(generate(tmp_path / "project", **GIVEN))
    assert {name: answers[name] for name in GIVEN} == GIVEN
    assert (answers["layout"], answers["package_name"]) == (2, "orders")


@pytest.mark.parametrize(
    ("version", "folder"),
    [(OLDEST, "project"), (NEWEST, MONOREPO_FOLDER), (CURRENT, "project"), (CURRENT, MONOREPO_FOLDER)],
)
def test_a_service_that_is_renamed_keeps_its_package(template: Path, tmp_path: Path, version: str, folder: str) -> None:
    project = generate_from(template, tmp_path / folder, version, service_name="hello-service")
    commit(project if folder == "project" else tmp_path / "a repository")
    update(project, NEXT, service_name="orders")
    answers = read_answers(project)
    assert (answers["service_name"], answers["package_name"]) == ("orders", "hello_service")
    assert answers["layout"] == (2 if version == CURRENT else 1)
    assert [path.name for path in (project / "src").iterdir() if path.name != "manage.py"] == ["hello_service"]
    dockerfile = (project / "Dockerfile").read_text()
    assert "hello_service" in dockerfile
    assert "orders" in (project / "docker-compose.prod.yml").read_text()


def test_a_project_moves_over_to_the_new_layout_when_told(template: Path, tmp_path: Path) -> None:
    project = commit(generate_from(template, tmp_path / "project", NEWEST, service_name="orders"))
    update(project, layout=2)
    assert read_answers(project)["layout"] == 2
    update(project, NEXT)
    assert read_answers(project)["layout"] == 2


def test_recopying_and_copying_over_an_old_project_keep_its_layout(template: Path, tmp_path: Path) -> None:
    for command in ("recopy", "copy"):
        project = commit(generate_from(template, tmp_path / command, NEWEST, service_name="orders"))
        arguments = [] if command == "recopy" else [template]
        options = ("--defaults", "--overwrite", f"--vcs-ref={CURRENT}")
        result = copier(command, *options, *arguments, project)
        assert result.returncode == 0, result.stderr
        answers = read_answers(project)
        assert (answers["layout"], answers["package_name"], answers["service_name"]) == (1, "orders", "orders")


@pytest.mark.parametrize(
    ("version", "data"),
    [
        (NEWEST, "framework=flask"),
        (NEWEST, "source=existing"),
        (CURRENT, "framework=flask"),
        (CURRENT, "kind=base-image"),
    ],
)
def test_what_decides_which_files_there_are_cannot_change(
    template: Path, tmp_path: Path, version: str, data: str
) -> None:
    project = commit(generate_from(template, tmp_path / "a [b] c", version))
    before = files(project)
    result = copier("update", "--defaults", f"--vcs-ref={NEXT}", "--data", data, project)
    assert result.returncode == 1
    name = data.partition("=")[0]
    sentence = f"Validation error for question '{name}': Generate a new project to change it."
    assert result.stderr.strip().endswith(sentence), result.stderr
    assert git(project, "status", "--porcelain") == ""
    assert {name: content for name, content in files(project).items() if not name.startswith(".git/")} == {
        name: content for name, content in before.items() if not name.startswith(".git/")
    }


def test_an_existing_service_cannot_become_a_starter(template: Path, tmp_path: Path) -> None:
    project = commit(generate_from(template, tmp_path / "project", NEWEST, source="existing"))
    result = copier("update", "--defaults", f"--vcs-ref={NEXT}", "--data", "source=starter", project)
    assert result.returncode == 1
    assert result.stderr.strip().endswith("question 'source': Generate a new project to change it."), result.stderr
    assert git(project, "status", "--porcelain") == ""


def test_the_answers_of_another_template_do_not_matter(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / ".copier-answers.yml").write_text(
        "_src_path: gh:somebody/template\nkind: [library]\nframework: rails\nservice_name: orders\nlayout: wide\n"
    )
    result = copier("copy", "--defaults", "--overwrite", snapshot(), project)
    assert result.returncode == 0, result.stderr
    answers = read_answers(project)
    assert (answers["kind"], answers["framework"], answers["layout"]) == ("service", "fastapi", 2)


@pytest.mark.parametrize(
    ("folder", "name"),
    {
        "orders": "orders",
        "My Service": "my-service",
        "My_Service.v2": "my-service-v2",
        "123": "hello-service",
        "1st-app": "st-app",
        "json": "json-service",
        "null": "null-service",
        "true": "true-service",
        "on": "on-service",
        "class": "class-service",
        "über": "ber",
        "日本": "hello-service",
        "a__b": "a-b",
        "-a-": "a",
        "a" * 60: "a" * 40,
        "b" * 39 + "-c": "b" * 39,
        "[x]": "x",
        "a*b?": "a-b",
        "it's {{ 7 }}": "it-s-7",
        "a.git": "a-git",
        "Ünïcode Straße": "n-code-stra-e",
        "...": "hello-service",
    }.items(),
)
def test_the_folder_offers_a_valid_name(tmp_path: Path, folder: str, name: str) -> None:
    project = tmp_path / folder
    only_answers = ["*", "!/.copier-answers.yml"]  # spares the time of the other files
    run_copy(str(snapshot()), project, exclude=only_answers, defaults=True, quiet=True)
    answers = read_answers(project)
    assert answers["service_name"] == name
    assert answers["package_name"] == name.replace("-", "_")


def test_the_name_holds_when_the_folder_is_renamed(template: Path, tmp_path: Path) -> None:
    project = commit(generate_from(template, tmp_path / "orders", CURRENT))
    project = project.rename(tmp_path / "renamed")
    update(project, NEXT)
    assert read_answers(project)["service_name"] == "orders"
