"""The answers that a generated project records."""

from dataclasses import dataclass
from typing import Any

import yaml

from .errors import FleetError

ANSWERS_FILE = ".copier-answers.yml"


@dataclass(frozen=True)
class Answers:
    """The content of an answers file: where the template is, its version, and the user's answers."""

    source: str
    version: str
    values: dict[str, Any]

    def to_yaml(self) -> str:
        """Return the content of the answers file."""
        recorded = {"_commit": self.version, "_src_path": self.source} | self.values
        return yaml.safe_dump(recorded, allow_unicode=True)


def parse_answers(content: str | bytes) -> Answers:
    """Read an answers file; raise FleetError if an update is impossible with what it contains."""
    try:
        recorded = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise FleetError("answers-unreadable", f"{ANSWERS_FILE} is not YAML: {reason}") from error
    if not isinstance(recorded, dict):
        raise FleetError("answers-unreadable", f"{ANSWERS_FILE} contains no answers")
    for key in ("_src_path", "_commit"):
        if not isinstance(recorded.get(key), str):
            raise FleetError(
                "answers-incomplete",
                f"{ANSWERS_FILE} has no {key}, which an update needs",
                "generate the project from a released version of the template, which records it",
            )
    values = {key: value for key, value in recorded.items() if not str(key).startswith("_")}
    return Answers(recorded["_src_path"], recorded["_commit"], values)
