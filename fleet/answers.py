"""The answers that a generated project records."""

import io
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


def merge_answers(own: bytes, before: bytes, after: bytes) -> bytes:
    """Return the content of an answers file for new answers.

    `own` is the content in the service; `before` and `after` are what the template generates for
    the old and the new answers. The comments of the user stay.
    """
    if own == before:
        return after
    from ruamel.yaml import YAML  # slow to import, and seldom needed

    parser = YAML()
    parser.preserve_quotes = True
    parser.width = 10_000  # do not wrap lines
    recorded = parser.load(own)
    answers = yaml.safe_load(after)
    for key in [key for key in recorded if key not in answers]:
        del recorded[key]
    for position, (key, value) in enumerate(answers.items()):
        if key not in recorded:
            recorded.insert(position, key, value)
        elif recorded[key] != value:
            recorded[key] = value
    stream = io.BytesIO()
    parser.dump(recorded, stream)
    return stream.getvalue()
