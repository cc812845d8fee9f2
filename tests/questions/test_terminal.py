"""The questions as a user sees them: at a terminal of 80 columns, with wrong answers in between."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from terminal import COLUMNS, DOWN, ENTER, START_OF_LINE_KILL, Terminal
from testing.template import copier, files, generate, questions, snapshot

QUESTIONS = questions()
QUESTION_MARK = "🎤 "
STARTER = ["kind", "source", "customize", "framework", "service_name", "description", "python_version", "base"]

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
    "bytecode": False,
    "cpu_limit": "0.5",
    "memory_limit": "1g",
    "pids_limit": "64",
}
SHARED = {"base": "shared", "base_image": "registry.example.com/team/python-base", "flavor": "slim"}
CASES: dict[str, dict[str, Any]] = {
    "fastapi": SERVICE,
    "flask": SERVICE | {"framework": "flask"},
    "django": SERVICE | {"framework": "django"},
    "worker": SERVICE | {"framework": "worker"},
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
    "customized existing": EXISTING | SHARED | CUSTOMIZED | {"prune": False},
}
# How many questions are asked at most: the limits of the design, and all of them if the user asks for all.
MOST = dict.fromkeys(("fastapi", "flask", "django", "worker"), 8) | {
    "existing": 10,
    "existing without a port": 10,
    "base image": 5,
}

WRONG: dict[str, list[str]] = {
    "service_name": ["Orders", "a" * 41, "null", "on"],
    "image_name": ["our_python", "true"],
    "description": ["", 'Say "hello"'],
    "app_dir": ["", "../app"],
    "requirements_file": ["", "/requirements.txt"],
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


class Questionnaire:
    """The questions of `copier copy` at a terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.asked: list[str] = []

    def current(self) -> str | None:
        """Return the name of the last question on the screen."""
        for row in reversed(self.terminal.rows()):
            if row.startswith(QUESTION_MARK):
                text = row.removeprefix(QUESTION_MARK)
                names = [name for name, question in QUESTIONS.items() if first_line(question) == text]
                assert len(names) == 1, f"no question has this first line: {text!r}"
                return names[0]
        return None

    def next(self) -> str | None:
        """Wait for the next question, or for the end of the questions; return its name or None."""

        def appeared() -> bool:
            return self.current() not in (None, *self.asked) or "Copying from" in self.terminal.output

        self.terminal.wait_for("a question", appeared)
        if "Copying from" in self.terminal.output:
            return None
        name = self.current()
        assert name is not None
        self.asked.append(name)
        self.expect(*QUESTIONS[name]["help"].splitlines()[1:], *choices(QUESTIONS[name]))
        return name

    def expect(self, *texts: str) -> None:
        """Wait until the screen shows each text whole in one row, and check that no row is full."""
        for text in texts:
            self.terminal.wait_for(repr(text), lambda text=text: any(text in row for row in self.terminal.rows()))
        for y, row in enumerate(self.terminal.rows()):
            assert not self.terminal.screen.buffer[y][COLUMNS - 1].data.strip(), f"a line is cut or wrapped: {row}"

    def select(self, label: str) -> None:
        for _ in choices(QUESTIONS[self.asked[-1]]):
            if any(row.strip() == f"» {label}" for row in self.terminal.rows()):
                break
            before = self.terminal.text()
            self.terminal.send(DOWN)
            self.terminal.wait_for("another choice", lambda before=before: self.terminal.text() != before)
        self.expect(f"» {label}")
        self.terminal.send(ENTER)

    def check(self, wanted: list[str]) -> None:
        """Check the wanted choices, and no other."""
        name = self.asked[-1]
        for value in QUESTIONS[name]["choices"]:
            self.expect(f"» {'●' if self.checked(value) else '○'} {value}")
            if self.checked(value) != (value in wanted):
                self.terminal.send(" ")
                self.expect(f"» {'●' if value in wanted else '○'} {value}")
            self.terminal.send(DOWN)
        self.terminal.send(ENTER)

    def checked(self, value: str) -> bool:
        return any(row.endswith(f"● {value}") for row in self.terminal.rows())

    def write(self, answer: str) -> None:
        placeholder = QUESTIONS[self.asked[-1]].get("placeholder")
        self.terminal.send(START_OF_LINE_KILL)
        self.terminal.wait_for("an empty line", lambda: self.terminal.cursor_row().strip() == (placeholder or ""))
        self.expect(*([placeholder] if placeholder else []))
        if answer:
            self.terminal.send(answer)
            self.terminal.wait_for(answer, lambda: self.terminal.cursor_row().strip() == answer)
        self.terminal.send(ENTER)

    def expect_refusal(self) -> None:
        start = f"Validation error for question '{self.asked[-1]}': "
        self.terminal.wait_for("a refusal", lambda: self.terminal.rows()[-1].startswith(start))
        assert self.terminal.rows()[-1].endswith("."), f"the refusal is cut: {self.terminal.rows()[-1]}"
        self.expect()

    def answer(self, name: str, value: Any, wrong: list[str]) -> None:
        """Type the wrong answers, each of which is refused, then the right one."""
        question = QUESTIONS[name]
        if question.get("multiselect"):
            self.check([])
            self.expect_refusal()
            self.check(value)
        elif "choices" in question:
            self.select(label(question, value))
        elif question["type"] == "bool":
            self.terminal.send("y" if value else "n")
        else:
            for each in wrong:
                self.write(each)
                self.expect_refusal()
            self.write(value)


def first_line(question: dict[str, Any]) -> str | None:
    return question["help"].splitlines()[0] if "help" in question else None


def choices(question: dict[str, Any]) -> list[str]:
    """Return the choices of a question as the user sees them."""
    return [str(choice) for choice in question.get("choices", [])]


def label(question: dict[str, Any], value: str) -> str:
    named = question["choices"]
    return next(label for label, each in named.items() if each == value) if isinstance(named, dict) else value


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
            questionnaire.answer(name, answers.get(name, QUESTIONS[name]["default"]), wrong)
        assert terminal.wait() == 0, terminal.text()

    asked = questionnaire.asked
    record_property("questions asked", (case, len(asked)))
    assert set(answers) <= set(asked)
    assert len(asked) <= MOST.get(case, len(QUESTIONS)), asked
    if MOST.get(case) == len(STARTER):
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
        assert "{" not in question["help"] + question.get("placeholder", ""), f"{name}: the text depends on answers"


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
