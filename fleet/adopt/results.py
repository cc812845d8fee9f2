"""What the modules of the detection return: answers, things to do by hand, and what could not be told."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """The proposed answer to a question, and the reason."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True)
class Finding:
    """A thing to do by hand: a code for programs, and a sentence."""

    code: str
    message: str


@dataclass
class Result:
    """What one module found. `moved` are places of the old image, and where they are in the new one."""

    answers: list[Answer] = field(default_factory=list)
    by_hand: list[Finding] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)

    def answer(self, name: str, value: str, reason: str) -> None:
        """Propose an answer, unless it is empty."""
        if value:
            self.answers.append(Answer(name, value, reason))

    def do_by_hand(self, code: str, message: str) -> None:
        """Name a thing that the user has to do."""
        self.by_hand.append(Finding(code, message))

    def value(self, name: str) -> str:
        """Return the proposed answer to a question, "" if there is none."""
        return next((answer.value for answer in self.answers if answer.name == name), "")
