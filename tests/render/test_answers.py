"""Answers: what is refused, and that refusing leaves nothing behind."""

from pathlib import Path

import pytest
import yaml

from testing import ROOT
from testing.template import copier, files, generate, questions

NAMES = ["", "Hello", "1st", "hello_service", "-a", "a-", "a--b", "a b", "a" * 41, "a;b", "café", "a\n"]
MODULES = ["json", "test", "class", "fastapi"]
DESCRIPTIONS = ["", " a", "a ", "a\nb", 'a "b"', "a\\b", "$a", "`a`", "{{ a }}", "a" * 121]
PORTS = ["0", "80", "1023", "65536", "-8000", "8000.5", "http", "", "8000 9000", "true"]
PATHS = ["", "healthz", "/", "//", "/a b", "/a?b", "/a'b", '/a"b', "/a$b", "/a;b", "/readyz", "/docs", "/" + "a" * 60]
MEMORY = ["", "lots", "256", "5m", "0g", "1.5g", "256k", "256mb", "-1g", "1g; true"]
CPUS = ["0", "-1", "lots", "", "true", "2000", "0.5 1"]
PIDS = ["0", "31", "-1", "many", "", "1.5", "99999"]
PACKAGES = ["a;b", "$(id)", "a|b", "a&b", "`id`", "Libpq", "-y", "a\nRUN id", "ab=1", "ab'cd", 'ab"cd', "'ab'"]
REGISTRIES = ["UPPER.example.com", "a b", "https://registry.example.com", "a;b", "a/", "/a", "a//b", "a:b"]

BASES = ["UPPER/base", "base:3.13", "base@sha256:00", "https://a/b", "a b", "a;b", "/base", "base/", ""]

# A question that only some answers bring up, and those answers.
ASKED_WITH = {
    "base_image": {"base": "shared"},
    "flavor": {"base": "shared"},
    "image_name": {"kind": "base-image"},
    "python_versions": {"kind": "base-image"},
}
EXISTING = {"source": "existing"}
ASKED_WITH |= dict.fromkeys(("app_dir", "requirements_file", "start_command"), EXISTING)
ASKED_WITH["heartbeat_file"] = EXISTING | {"port": ""}
APPS = ["", ".", "..", "../app", "/app", "app/../..", "a;b", "$HOME", "-app", ".git", "a*b", "a'b"]
COMMANDS = [
    "",
    'gunicorn "shop:create_app()',
    "python -c 'print(1)",
    "python app.py && echo",
    "python app.py | tee log",
    "gunicorn app --bind 0.0.0.0:$PORT",
    "python `which app`",
    "python app.py > log",
    "python app.py\nRUN id",
    "python app.py; id",
]

BAD = {
    "app_dir": APPS,
    "requirements_file": ["", "../requirements.txt", "/requirements.txt", "a b", "a;b", "-r.txt", "a/../b"],
    "start_command": COMMANDS,
    "heartbeat_file": ["heartbeat", "/tmp/../x", "/tmp/a b", "/", "/tmp/$X"],
    "base_image": BASES,
    "flavor": ["alpine"],
    "image_name": ["", "Base", "a b", "a;b", "a/b", "a" * 41],
    "python_versions": [[], ["3.10"]],
    "service_name": NAMES + MODULES,
    "description": DESCRIPTIONS,
    "port": PORTS,
    "health_path": PATHS,
    "memory_limit": MEMORY,
    "cpu_limit": CPUS,
    "pids_limit": PIDS,
    "build_packages": PACKAGES,
    "runtime_packages": PACKAGES,
    "registry": REGISTRIES,
    "python_version": ["3.10", "3", "latest"],
    "framework": ["rails"],
    "installer": ["poetry"],
    "kind": ["shell"],
}


@pytest.mark.parametrize(("question", "answer"), [(q, a) for q, many in BAD.items() for a in many])
def test_a_bad_answer_is_refused_and_nothing_is_written(tmp_path: Path, question: str, answer: str):
    project = tmp_path / "project"
    with pytest.raises(ValueError) as refusal:
        generate(project, **ASKED_WITH.get(question, {}) | {question: answer})
    assert not project.exists()
    if not str(refusal.value).startswith("Invalid choice"):  # Copier's own sentence
        _, _, sentence = str(refusal.value).partition(f"Validation error for question '{question}': ")
        assert sentence.endswith(".") and "\n" not in sentence, refusal.value


def test_the_command_line_refuses_in_one_sentence_with_a_non_zero_status(tmp_path: Path):
    project = tmp_path / "project"
    result = copier("copy", "--defaults", "--vcs-ref=HEAD", "-d", "port=80", ROOT, project)
    assert result.returncode == 1
    assert result.stderr.strip().endswith("A port is a whole number from 1024 to 65535."), result.stderr
    assert not project.exists()


def test_a_refused_answer_leaves_an_existing_project_as_it_was(tmp_path: Path):
    project = generate(tmp_path / "project")
    before = files(project)
    assert copier("copy", "--defaults", "--overwrite", "-d", "memory_limit=lots", ROOT, project).returncode
    assert files(project) == before


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("service_name", "a"),
        ("service_name", "orders-2"),
        ("description", "It's a service: 100 % of what we need (and more)"),
        ("port", "1024"),
        ("health_path", "/a/b-c/~d.e_f/"),
        ("memory_limit", "6M"),
        ("cpu_limit", "0.01"),
        ("build_packages", "g++ libc6-dev"),
        ("build_packages", "[g++, libc6-dev]"),
        ("build_packages", "g++,libc6-dev"),
        ("runtime_packages", "libpq5, libstdc++6"),
        ("registry", "localhost:5000"),
        ("registry", "registry.example.com/team/a_b"),
    ],
)
def test_a_good_answer_is_taken(tmp_path: Path, question: str, answer: object):
    project = generate(tmp_path / "project", **{question: answer})
    assert question in yaml.safe_load((project / ".copier-answers.yml").read_text())


def test_the_names_that_are_taken_are_those_of_pythons_own_modules(tmp_path: Path):
    import keyword
    import sys

    taken = (ROOT / "includes" / "taken-names.txt").read_text().split()
    modules = {name for name in sys.stdlib_module_names if name[0] != "_" and name.islower()}
    assert modules | {name for name in keyword.kwlist if name.islower()} <= set(taken)


def test_every_free_answer_has_a_validator():
    free = {
        name
        for name, question in questions().items()
        if question.get("when", True) is not False and "choices" not in question and question["type"] != "bool"
    }
    assert free == {name for name in free if "validator" in questions()[name]}


def test_a_framework_is_refused_for_a_service_that_exists_already(tmp_path: Path):
    with pytest.raises(ValueError, match="keeps its own"):
        generate(tmp_path / "project", source="existing", framework="flask")
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python -m app", '["python", "-m", "app"]'),
        (
            'gunicorn "shop:create_app()"  --bind 0.0.0.0:80',
            '["gunicorn", "shop:create_app()", "--bind", "0.0.0.0:80"]',
        ),
        ("""app --title "it's a b" --x='c d' -e ''""", """["app", "--title", "it's a b", "--x=c d", "-e", ""]"""),
    ],
)
def test_a_start_command_becomes_the_words_that_a_shell_would_make_of_it(tmp_path: Path, command: str, words: str):
    project = generate(tmp_path / "project", source="existing", start_command=command)
    assert f"\nCMD {words}\n" in (project / "Dockerfile").read_text()


@pytest.mark.parametrize("name", ["auth", "static", "sessions"])
def test_a_name_that_django_uses_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="would hide"):
        generate(tmp_path / "project", framework="django", service_name=name)
