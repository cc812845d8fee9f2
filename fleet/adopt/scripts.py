"""Shell scripts that start a service."""

import re
from collections.abc import Mapping

from .dockerfile import Image
from .project import Project
from .words import Command, expand, parse_shell, split_shell

SERVERS = ("gunicorn", "uvicorn", "hypercorn", "daphne", "waitress-serve", "granian", "uwsgi", "fastapi")
ASSIGNED = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|[^\s;&|()]*)\s*$")
DEFAULT = re.compile(r":\s+\"?\$\{([A-Za-z_]\w*):?=([^}]*)\}\"?$")
BLOCK = re.MULTILINE | re.DOTALL
KEYWORD = re.compile(
    r"^(if|then|else|elif|fi|while|until|do|done|for|case|esac|in|function|local|return|set|\{|\}|!)\b"
)


def find_script(project: Project, word: str, image: Image | None) -> str | None:
    """Return the path of the script that a word of a command names in the old image, or None."""
    if not re.fullmatch(r"[\w./-]+", word) or word.startswith("-"):
        return None
    workdir, renamed = (image.workdir, image.renamed) if image else ("/app", {})
    for destination, source in renamed.items():
        if word.removeprefix("./") in (destination.removeprefix("./"), destination.rsplit("/", 1)[-1]):
            word = source
    inside = word.removeprefix(workdir.rstrip("/") + "/").removeprefix("./").lstrip("/")
    if project.has(inside) and is_script(project, inside):
        return inside
    name = inside.rsplit("/", 1)[-1]
    named = [path for path in project.files if path.rsplit("/", 1)[-1] == name and is_script(project, path)]
    return min(named, key=lambda path: (path.count("/"), path), default=None)


def is_script(project: Project, path: str) -> bool:
    """Return whether a file is a shell script, by its name or its first line."""
    if path.endswith((".sh", ".bash")):
        return True
    return "." not in path.rsplit("/", 1)[-1] and bool(re.match(r"#!.*\b(ba|da)?sh\b", project.read(path)[:80]))


def select_branch(text: str, argument: str) -> str:
    """Return the part of a script that an argument selects: a function or a branch of `case`; all of it without one."""
    if not re.fullmatch(r"[\w-]+", argument):
        return text
    name = re.escape(argument)
    branch = re.search(rf"^\s*\(?(?:[\"'\w-]+\s*\|\s*)*[\"']?{name}[\"']?(?:\s*\|\s*[\"'\w-]+)*\)(.*?);;", text, BLOCK)
    if branch:
        lines = [line.strip() for line in branch[1].splitlines()]
        bodies = [body for line in lines for word in line.split()[:1] if (body := _function(text, word))]
        return bodies[-1] if bodies else branch[1]
    return _function(text, argument) or text


def branches(text: str) -> list[str]:
    """Return the words that select a branch of `case` by the first argument of a script."""
    found = re.search(r"case\s+\"?\$\{?1\b[^\n]*\bin\b(.*?)^\s*esac", text, BLOCK)
    return re.findall(r"^\s*\(?[\"']?([\w-]+)[\"']?\)", found[1], re.MULTILINE) if found else []


def _function(text: str, name: str) -> str:
    """Return the body of a function of a script, "" if it has none of this name."""
    found = re.search(rf"^(?:function\s+)?{re.escape(name)}\s*\(\)\s*\{{(.*?)^\}}", text, BLOCK)
    return found[1] if found else ""


def read_script(text: str, variables: Mapping[str, str], arguments: tuple[str, ...] = ()) -> Command:
    """Return the command that a script ends in: the last `exec`, one of a web server if there is one.

    `exec "$@"` runs the arguments. The other commands of the script are the `before` of the command.
    """
    text = text.replace("\\\r\n", " ").replace("\\\n", " ").replace("\r", "")
    known = dict(variables)
    commands: list[tuple[bool, str]] = []
    for line in text.splitlines():
        line = line.strip()
        assigned = ASSIGNED.match(line) or DEFAULT.match(line)
        if assigned:
            value = expand(assigned[2].strip("\"'"), known)
            if "$" not in value:
                known.setdefault(assigned[1], value)
            continue
        while KEYWORD.match(line):
            line = KEYWORD.sub("", line, count=1).strip()
        if line and not line.startswith("#"):
            commands.append((bool(re.search(r"(^|[;&|]\s*|\bthen\s+)exec\s", line)), line))
    candidates = [line for is_exec, line in commands if is_exec]
    # Without exec, the last line that starts a server or Python.
    starts = re.compile(rf"(^|[\s/])({'|'.join(SERVERS)}|python3?|celery)\s")
    candidates = candidates or [line for _, line in commands if starts.search(line)]
    if not candidates:
        return Command(())
    serving = [line for line in candidates if re.search(rf"(^|[\s/])({'|'.join(SERVERS)})\s", line)]
    chosen = serving[-1] if serving else candidates[-1]
    before = tuple(
        tuple(words) for _, line in commands if line != chosen for words in split_shell(line) if len(words) > 1
    )
    if re.search(r'"?\$[@*]"?', chosen) and not serving:
        return Command(arguments, before)
    found = parse_shell(re.sub(r'\s"?\$[@*]"?', "", chosen), known)
    return Command(found.words, before + found.before, found.variables)
