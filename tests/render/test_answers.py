"""Answers: which ones are refused, and that a refused answer leaves nothing behind."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from testing import ROOT
from testing.template import copier, files, generate, questions

NAMES = ["", "Hello", "1st", "hello_service", "-a", "a-", "a--b", "a b", "a" * 41, "a;b", "café", "a\n"]
MODULES = ["json", "test", "class", "fastapi"]
# YAML reads these as null or Booleans.
WORDS = ["null", "true", "false", "yes", "no", "on", "off"]
DESCRIPTIONS = ["", " a", "a ", "a\nb", 'a "b"', "a\\b", "$a", "`a`", "{{ a }}", "a" * 121]
PORTS = ["0", "80", "1023", "65536", "-8000", "8000.5", "http", "", "8000 9000", "true"]
PATHS = ["", "healthz", "/", "//", "/a b", "/a?b", "/a'b", '/a"b', "/a$b", "/a;b", "/readyz", "/docs", "/" + "a" * 60]
MEMORY = ["", "lots", "256", "5m", "0g", "1.5g", "256k", "256mb", "-1g", "1g; true"]
CPUS = ["0", "-1", "lots", "", "true", "2000", "0.5 1"]
PIDS = ["0", "31", "-1", "many", "", "1.5", "99999"]
PACKAGES = [
    "a;b",
    "$(id)",
    "a|b",
    "a&b",
    "`id`",
    "Libpq",
    "-y",
    "a\nRUN id",
    "ab=1",
    "libpq-",
    "libpq5 gcc-",
    "ab'cd",
    'ab"cd',
    "'ab'",
]
REGISTRIES = ["UPPER.example.com", "a b", "https://registry.example.com", "a;b", "a/", "/a", "a//b", "a:b"]

BASES = ["UPPER/base", "base:3.13", "base@sha256:00", "https://a/b", "a b", "a;b", "/base", "base/", ""]

# Questions that count for some answers only, and such answers.
ASKED_WITH = {
    "base_image": {"base": "shared"},
    "flavor": {"base": "shared"},
    "image_name": {"kind": "base-image"},
    "python_versions": {"kind": "base-image"},
}
EXISTING = {"source": "existing"}
ASKED_WITH |= dict.fromkeys(("app_dir", "requirements_file", "start_command"), EXISTING)
ASKED_WITH["heartbeat_file"] = EXISTING | {"port": ""}
ASKED_WITH |= dict.fromkeys(
    (
        *("requirements_includes", "local_packages", "assets_lock", "build_commands", "release_command", "data_dirs"),
        *("environment", "health_host", "start_period", "stop_signal", "stop_grace_period"),
    ),
    EXISTING,
)
ASKED_WITH |= dict.fromkeys(("extras", "groups", "workspace_member"), EXISTING | {"requirements_file": "uv.lock"})
ASKED_WITH["package_files"] = EXISTING | {"local_packages": "."}
ASSETS = {"assets_lock": "yarn.lock", "assets_files": "assets"}
ASKED_WITH |= dict.fromkeys(("assets_files", "assets_command", "assets_output"), EXISTING | ASSETS)
ASKED_WITH["build_outputs"] = EXISTING | {"build_commands": "python -m build"}
ASKED_WITH["processes"] = EXISTING | {"release_command": "python manage.py migrate"}
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
SHELL = ["", " true", "# nothing", "true # nothing", "-x", "true\nfalse", "true \\", "cat <<EOF", "echo 'a"]
FOLDERS = ["data", "./data", "/", "/app", "/app/", "/tmp", "/tmp/x", "/opt/x", "/usr/share", "/etc", "/dev", "/dev/shm"]
FOLDERS += ["/a/../b", "/data;x", "/data /data", "/a/b, /a-b"]

PROCESS = {"name": "worker", "command": "python -m worker"}
PROCESSES: list[object] = [
    *("worker", 1, {"worker": "python -m worker"}, ["worker"], [{}], [{"name": "worker"}], [{"command": "true"}]),
    *([PROCESS | {"command": command}] for command in ("", "true && true", "echo 'a", ["true"])),
    *([PROCESS | {"name": name}] for name in ("", "Worker", "a_b", True, 1, "release", "a" * 21)),
    [PROCESS, PROCESS],
    [PROCESS, "worker"],
    *(
        [PROCESS | {"name": "web"} | more]
        for more in (
            {"colour": "red"},
            *({"port": port} for port in (80, 65536, "http", True, None)),
            {"port": 9000, "heartbeat_file": "/tmp/alive"},
            {"heartbeat_file": "/tmp/alive", "health_command": "true"},
            {"health_path": "/live"},
            {"port": 9000, "health_path": "live"},
            *({"heartbeat_file": file} for file in ("alive", "/tmp/../x", "", None)),
            *({"health_command": command} for command in ("", ["true"], None, "true && true", "echo 'a")),
            *({"replicas": number} for number in (0, -1, 1.5, "two", True, 1000)),
            *({"cpu_limit": number} for number in (0, -1, "lots", 2000)),
            *({"memory_limit": size} for size in (256, "lots", "1m", "256k")),
            *({"pids_limit": number} for number in (0, 31, "many", 99999)),
            *({"stop_signal": signal} for signal in ("TERM", 15, "SIGKILL")),
        )
    ),
    [PROCESS | {"name": "a", "stop_grace_period": "30s"}],
    [PROCESS | {"name": "a", "stop_grace_period": 3601}],
]

BAD: dict[str, list[Any]] = {
    "app_dir": APPS,
    "requirements_file": [
        *("", "../requirements.txt", "/requirements.txt", "a;b", "-r.txt", "a/../b", "requirements/"),
        *("uv.lock poetry.lock", "uv.lock, requirements.txt", "pyproject.toml", "setup.py", "my-uv.lock", "pixi.lock"),
        *("Pipfile", "Pipfile.lock", "backend/pdm.lock", "pylock.a.b.toml", "package-lock.json"),
    ],
    "requirements_includes": ["../base.txt", "/base.txt", "a;b"],
    "extras": ["-server", "a;b", "[server]", "server/x"],
    "groups": ["-dev", "a;b", "dev/x"],
    "workspace_member": ["packages/api", "a b", "-a", "a\n"],
    "local_packages": ["..", "/app", "../common", "packages/*", "a;b"],
    "package_files": ["", "../src", "/src", "a;b", "src/../.."],
    "assets_lock": ["package.json", "npm.lock", "../yarn.lock", "yarn.lock package-lock.json", "a/../yarn.lock"],
    "assets_files": ["", "../assets", "/assets", "a;b"],
    "assets_command": SHELL,
    "assets_output": ["", "../dist", "/app/dist", "a;b"],
    "build_commands": SHELL[1:],
    "build_outputs": [*FOLDERS, "/app/static"],
    "release_command": COMMANDS[1:],
    "processes": PROCESSES,
    "data_dirs": FOLDERS,
    "environment": [
        *("A", "=b", "1A=b", "A-B=c", "A='b'", 'A="b c"', "A=b c", "A=$B", "A=`id`", "A=b\\", "A=b\nB=c", "A=b, B=c d"),
        *("A=b A=c", "PORT=80", "A=b PATH=/bin", "PYTHONPATH=/app", "HEARTBEAT_FILE=/tmp/a"),
    ],
    "health_host": ["https://example.com", "example.com/", "a b", "-a", "a\n"],
    "start_period": ["", "0", "-1", "3601", "1m", "1.5"],
    "stop_signal": ["TERM", "15", "SIGKILL"],
    "stop_grace_period": ["", "0", "3601", "30s"],
    "start_command": COMMANDS,
    "heartbeat_file": ["heartbeat", "/tmp/../x", "/tmp/a b", "/", "/tmp/$X"],
    "base_image": BASES,
    "flavor": ["alpine"],
    "image_name": ["", "Base", "a b", "a;b", "a/b", "a" * 41, *WORDS],
    "python_versions": [[], ["3.10"]],
    "service_name": NAMES + WORDS + MODULES,
    "package_name": ["", "Orders", "a-b", "1a", *MODULES],
    "layout": ["0", "3"],
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
    "ci": ["jenkins"],
    "installer": ["poetry"],
    "kind": ["shell"],
}


@pytest.mark.parametrize(("question", "answer"), [(q, a) for q, many in BAD.items() for a in many])
def test_a_bad_answer_is_refused_and_nothing_is_written(tmp_path: Path, question: str, answer: object):
    project = tmp_path / "project"
    with pytest.raises(ValueError) as refusal:
        generate(project, **ASKED_WITH.get(question, {}) | {question: answer})
    assert not project.exists()
    if not str(refusal.value).startswith("Invalid choice"):  # Copier's own sentence
        _, _, sentence = str(refusal.value).partition(f"Validation error for question '{question}': ")
        assert sentence.endswith(".") and "\n" not in sentence, refusal.value
        assert len(str(refusal.value)) < 80, "a terminal of 80 columns cuts the refusal"


@pytest.mark.parametrize("name", WORDS)
def test_an_existing_service_is_not_called_by_a_word_that_yaml_reads_as_no_text(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="YAML does not read that as text"):
        generate(tmp_path / "project", source="existing", service_name=name)


def test_the_command_line_ends_with_the_refusal_and_a_non_zero_status(tmp_path: Path):
    project = tmp_path / "project"
    result = copier("copy", "--defaults", "--vcs-ref=HEAD", "-d", "port=80", ROOT, project)
    assert result.returncode == 1
    assert result.stderr.strip().endswith("Use a number from 1024 to 65535."), result.stderr
    assert not project.exists()


def test_a_refused_answer_leaves_an_existing_project_as_it_was(tmp_path: Path):
    project = generate(tmp_path / "project")
    before = files(project)
    assert copier("copy", "--defaults", "--overwrite", "-d", "memory_limit=lots", ROOT, project).returncode
    assert files(project) == before


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("requirements_file", "requirements.txt requirements/production.txt"),
        ("requirements_file", "backend/pylock.toml"),
        ("extras", "server, metrics"),
        ("local_packages", ". packages/common/"),
        ("package_files", "src *.md"),
        ("build_commands", "A=b python -m x 'c d' && (cd docs; make) | tee log || exit 1"),
        ("build_outputs", "/srv/static/"),
        ("processes", "[{name: worker, command: python -m worker}]"),
        ("processes", [PROCESS | {"port": "9000", "health_path": "/"}]),
        ("data_dirs", "/app/media, /data/"),
        ("data_dirs", "/var/lib/orders"),
        ("environment", "A=b,c  B= C=x:/y?z={1}"),
        ("health_host", "shop.example.com:443"),
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
    project = generate(tmp_path / "project", **ASKED_WITH.get(question, {}) | {question: answer})
    assert question in yaml.safe_load((project / ".copier-answers.yml").read_text())


def test_the_names_that_are_taken_are_those_of_pythons_own_modules(tmp_path: Path):
    import keyword
    import sys

    taken = (ROOT / "questions" / "taken-names.txt").read_text().split()
    modules = {name for name in sys.stdlib_module_names if name[0] != "_" and name.islower()}
    assert modules | {name for name in keyword.kwlist if name.islower()} <= set(taken)


def test_every_free_answer_has_a_validator():
    free = {
        name
        for name, question in questions().items()
        if question.get("when", True) is not False and "choices" not in question and question["type"] != "bool"
    }
    assert free == {name for name in free if "validator" in questions()[name]}


@pytest.mark.parametrize(
    ("question", "answers", "sentence"),
    [
        ("installer", {"requirements_file": "uv.lock", "installer": "pip"}, "A lock and local packages need uv."),
        ("local_packages", {"local_packages": ".", "installer": "pip"}, "Use the installer uv for them."),
        ("installer", {"app_dir": "", "customize": True, "installer": "pip"}, "A lock and local packages need uv."),
        ("local_packages", {"app_dir": "", "customize": True, "local_packages": ""}, "Name a package, or set app_dir."),
        ("app_dir", {"app_dir": ""}, "Name at least one."),
    ],
)
def test_answers_that_exclude_each_other_are_refused(
    tmp_path: Path, question: str, answers: dict[str, Any], sentence: str
):
    with pytest.raises(ValueError) as refusal:
        generate(tmp_path / "project", **EXISTING | answers)
    assert str(refusal.value) == f"Validation error for question '{question}': {sentence}"
    assert not (tmp_path / "project").exists()


def test_a_framework_is_refused_for_a_service_that_exists_already(tmp_path: Path):
    with pytest.raises(ValueError, match="Only a starter has a framework"):
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
    with pytest.raises(ValueError, match="A Python module has that name"):
        generate(tmp_path / "project", framework="django", service_name=name)
