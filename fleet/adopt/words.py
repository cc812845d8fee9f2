"""Commands, as Dockerfiles, compose files, Procfiles and shell scripts write them."""

import contextlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Programs that only start another one, and how many words of theirs stand before it. Their options
# are left out too.
WRAPPERS = {
    "exec": 0, "env": 0, "tini": 0, "dumb-init": 0, "catatonit": 0, "time": 0, "nohup": 0, "sudo": 0,
    "gosu": 1, "su-exec": 1, "setpriv": 0, "ddtrace-run": 0, "opentelemetry-instrument": 0, "newrelic-admin": 1,
    "uv": 1, "poetry": 1, "pipenv": 1, "pdm": 1, "hatch": 1, "pixi": 1, "with-contenv": 0, "doppler": 1,
}  # fmt: skip
SHELLS = {"sh", "bash", "dash", "ash"}
VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?:(:?[-=+?])([^{}]*))?\}|([A-Za-z_]\w*))")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
OPERATORS = re.compile(r"[;<>|&]+")
# What cannot be in the answer to start_command: shell syntax.
SHELL_SYNTAX = re.compile(r"[|&;<>$`\\\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Command:
    """The words of a command, what runs before it in the same shell, and the variables set for it.

    A word may contain a variable that nothing sets, such as $WORKERS.
    """

    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def program(self) -> str:
        """The name of the program, without its folder; python for each name of Python."""
        name = self.words[0].rsplit("/", 1)[-1] if self.words else ""
        return "python" if re.fullmatch(r"python[\d.]*", name) else name

    def __str__(self) -> str:
        return shlex.join(self.words)


def parse_command(value: Any, variables: Mapping[str, str] | None = None) -> Command:
    """Read a command in exec form (a list, or JSON of one) or in shell form."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, list):
        # Without a shell, variables are not replaced; a list that calls a shell is unwrapped.
        return unwrap(Command(tuple(str(word) for word in value)), variables or {})
    return parse_shell(value if isinstance(value, str) else "", variables or {})


def parse_shell(text: str, variables: Mapping[str, str]) -> Command:
    """Read the last command of a line of shell; those before it are its `before`."""
    commands = split_shell(text)
    if not commands:
        return Command(())
    *before, last = commands
    words = [expand(word, variables) for word in last]
    return unwrap(Command(tuple(word for word in words if word), tuple(map(tuple, before))), variables)


def split_shell(text: str) -> list[list[str]]:
    """Split shell text into commands, without redirections; return none if its quotes are not closed."""
    lexer = shlex.shlex(text.replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=";<>|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return []
    commands: list[list[str]] = [[]]
    redirected = False
    for token in tokens:
        if OPERATORS.fullmatch(token):
            redirected = token[0] in "<>" or token.startswith((">&", "&>"))
            if redirected and commands[-1] and commands[-1][-1].isdigit():
                commands[-1].pop()  # 2>&1
            if not redirected:
                commands.append([])
        elif redirected:
            redirected = False
        else:
            commands[-1].append(token)
    return [command for command in commands if command]


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace the variables that are set or have a default; leave the others in the text."""

    def replace(match: re.Match[str]) -> str:
        name = match[1] or match[4]
        if name in variables:
            return variables[name]
        return match[3] if match[2] in (":-", "-", ":=", "=") else match[0]

    for _ in range(5):  # a default may contain a variable with a default
        text = VARIABLE.sub(replace, text)
    return text


def unwrap(command: Command, variables: Mapping[str, str]) -> Command:
    """Leave out what only starts the program: shells, exec, init programs, and `uv run` or `poetry run`."""
    words = list(command.words)
    assigned = list(command.variables)
    while words:
        name = words[0].rsplit("/", 1)[-1]
        if ASSIGNMENT.fullmatch(words[0]):
            key, _, value = words.pop(0).partition("=")
            assigned.append((key, value))
        elif name in SHELLS and len(words) > 1 and re.fullmatch(r"-[a-z]*c", words[1]):
            inner = parse_shell(" ".join(words[2:3]), dict(variables) | dict(assigned))
            return Command(inner.words, command.before + inner.before, (*assigned, *inner.variables))
        elif name in SHELLS and len(words) > 1:
            words = words[1:]  # a script
            while words and words[0].startswith("-"):
                words.pop(0)
        elif name in ("uv", "poetry", "pipenv", "pdm", "hatch", "doppler") and words[1:2] != ["run"]:
            break
        elif name in WRAPPERS and len(words) > 1:
            words = words[1 + WRAPPERS[name] :]
            while words and words[0].startswith("-"):
                option = words.pop(0)
                if option in ("--package", "--extra", "--group", "--with", "--project", "--directory", "--env-file"):
                    words = words[1:]
        else:
            break
    return Command(tuple(words), command.before, tuple(assigned))


def quote(words: Iterable[str]) -> str:
    """Write words as the answer to start_command, which knows both kinds of quotes and no backslash."""
    written = []
    for word in words:
        if re.fullmatch(r"[^\s'\"()*?\[\]{}#!~]+", word):
            written.append(word)
        else:
            written.append(f"'{word}'" if '"' in word else f'"{word}"')
    return " ".join(written)
