"""Copier's questions at a terminal."""

from typing import Any

from terminal import COLUMNS, DOWN, ENTER, START_OF_LINE_KILL, Terminal
from testing.template import questions

QUESTIONS = questions()
QUESTION_MARK = "🎤 "


def first_line(question: dict[str, Any]) -> str | None:
    return question["help"].splitlines()[0] if "help" in question else None


def choices(question: dict[str, Any]) -> list[str]:
    """Return the choices of a question as the user sees them."""
    return [str(choice) for choice in question.get("choices", [])]


def label(question: dict[str, Any], value: str) -> str:
    named = question["choices"]
    return next(label for label, each in named.items() if each == value) if isinstance(named, dict) else value


class Questionnaire:
    """The questions that a Copier command asks at a terminal."""

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

        def finished() -> bool:
            return self.terminal.ended or "Copying from" in self.terminal.output

        self.terminal.wait_for("a question", lambda: self.current() not in (None, *self.asked) or finished())
        if finished():
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
        question = QUESTIONS[self.asked[-1]]
        labels = [label(question, value) for value in wanted]
        for choice in choices(question):
            self.expect(f"» {'●' if self.checked(choice) else '○'} {choice}")
            if self.checked(choice) != (choice in labels):
                self.terminal.send(" ")
                self.expect(f"» {'●' if choice in labels else '○'} {choice}")
            self.terminal.send(DOWN)
        self.terminal.send(ENTER)

    def checked(self, choice: str) -> bool:
        return any(row.endswith(f"● {choice}") for row in self.terminal.rows())

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
            if question["default"]:  # then at least one is needed
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
