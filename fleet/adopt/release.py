"""The command that runs once before each release: the migrations."""

import configparser
import posixpath
import re
import shlex
from collections.abc import Iterator

from .evidence import Evidence
from .requirements import Requirements
from .results import Result
from .scripts import find_script
from .settings import read_settings
from .start import Candidate, Rejected, Start, check_command, inside
from .words import Command as Words
from .words import expand, split_shell, unwrap

ONE_OFF = re.compile(r"\b(createsuperuser|createcachetable|loaddata|init-db|init_db|seed|setup)\b")


def find_release(evidence: Evidence, start: Start, requirements: Requirements) -> Result:
    """Find release_command: what the old files ran before the start, or the project's tool for migrations."""
    result = Result()
    for where, commands in _sources(evidence, start):
        position = next((number for number, words in enumerate(commands) if is_migration(words)), None)
        if position is None:
            continue
        command = _adapt(evidence, requirements, commands[position])
        if not command:
            result.do_by_hand(
                "migrations", f"Run the migrations before each start: `{shlex.join(commands[position])}` ({where})."
            )
            return result
        result.answer("release_command", command, f"{where} runs it before the start")
        _add_notes(evidence, result, command, [words for words in commands if words != commands[position]], where)
        return result
    command, reason = _from_project(evidence, requirements)
    if command:
        result.answer("release_command", command, reason)
        _add_notes(evidence, result, command, [], "")
    return result


def _sources(evidence: Evidence, start: Start) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield the commands of each place that may run migrations."""
    procfile = sorted(evidence.procfile.items(), key=lambda item: "release" not in item[0])
    for name, text in procfile:
        yield f"{name} in Procfile", list(_commands(evidence, text))
    before = [command for words in start.before for command in _commands(evidence, shlex.join(words))]
    yield "the old start script", before
    for service in evidence.built:
        for value in (service.entrypoint, service.command):
            text = value if isinstance(value, str) else shlex.join(map(str, value)) if isinstance(value, list) else ""
            yield f"{service.name} in {service.file}", list(_commands(evidence, text))
    image = evidence.image
    for text in image.commands if image else ():
        yield image.path if image else "", list(_commands(evidence, text))


def _commands(evidence: Evidence, text: str, depth: int = 0) -> Iterator[list[str]]:
    """Yield the single commands of a line of shell, those of the project's scripts in their place."""
    variables = evidence.image.variables if evidence.image else {}
    for words in split_shell(text):
        while words and words[0] in ("then", "do", "else", "if", "!", "{"):
            words = words[1:]
        command = unwrap(Words(tuple(expand(word, variables) for word in words)), variables)
        for inner in (*command.before, command.words):
            script = find_script(evidence.project, inner[0], evidence.image) if inner else None
            if script and depth < 3:
                lines = re.sub(r"^\s*#.*$", "", evidence.project.read(script).replace("\\\n", " "), flags=re.MULTILINE)
                for line in lines.splitlines():
                    yield from _commands(evidence, line.strip(), depth + 1)
            elif inner and not re.fullmatch(r"set|echo|exit|cd|export|sleep|fi|done|esac|\}", inner[0]):
                yield list(inner)


def is_migration(words: list[str]) -> bool:
    """Return whether a command migrates a database."""
    text = " ".join(words)
    if re.search(r"(manage\.py|-m manage)\s+migrate(_schemas)?\b|django-admin\s+migrate\b|-m django migrate\b", text):
        return "--check" not in words and "--plan" not in words
    return bool(
        re.search(
            r"^(\S*/)?(python\S* -m )?(alembic(\s+\S+)*?\s+upgrade\b|aerich(\s+\S+)*?\s+upgrade\b"
            r"|yoyo(\s+\S+)*?\s+apply\b|flask(\s+\S+)*?\s+(db upgrade|deploy)\b|piccolo migrations forwards)",
            text,
        )
        or re.search(r"^(\S*/)?python\S* (-m \S+|\S+\.py)(\s+\S+)*?\s+(migrate|db upgrade)\b", text)
    )


def _adapt(evidence: Evidence, requirements: Requirements, words: list[str]) -> str:
    """Return a command as the answer has it, "" if it needs a shell or a program that is not there."""
    manage = next(iter(evidence.project.find_named("manage.py")), "")
    if words[0].endswith("manage.py"):
        words = ["python", *words]
    if words[1:3] == ["-m", "manage"]:
        words = [words[0], "manage.py", *words[3:]]
    words = [inside(word, evidence) for word in words]
    words = [manage if word == "manage.py" and manage else word for word in words]
    if any(word.endswith("manage.py") for word in words) and "migrate" in words:
        words = words if {"--noinput", "--no-input"} & set(words) else [*words, "--noinput"]
    if words[0].rsplit("/", 1)[-1] == "alembic":
        words = _point_alembic(evidence, words)
    try:
        candidate = Candidate(Words(tuple(words)), "", is_worker=True)
        checked = check_command(candidate, evidence, requirements, "")
    except Rejected:
        return ""
    return "" if checked.refusal else checked.command


def _point_alembic(evidence: Evidence, words: list[str]) -> list[str]:
    """Return a command of alembic with the path of its configuration, if that is not at the top."""
    if {"-c", "--config"} & set(words) or evidence.project.has("alembic.ini"):
        return words
    found = next(iter(evidence.project.find_named("alembic.ini")), "")
    return [words[0], "-c", found, *words[1:]] if found else words


def _from_project(evidence: Evidence, requirements: Requirements) -> tuple[str, str]:
    """Return the command of the project's own tool for migrations, and the reason."""
    project = evidence.project
    manage = next(iter(project.find_named("manage.py")), "")
    has_migrations = any(re.search(r"(^|/)migrations/0\d+\w*\.py$", path) for path in project.files)
    has_migrations = has_migrations or "django.contrib.auth" in evidence.source.strings
    if manage and "django" in evidence.source.imports and has_migrations:
        if not read_settings(evidence, {}).find("DATABASES"):
            return "", ""
        return f"python {manage} migrate --noinput", f"{manage} and migrations are in the project"
    inis = [path for path in project.find_named("alembic.ini") if "/migrations/" not in f"/{path}"]
    if inis and _requires(requirements, "alembic"):
        command = " ".join(_point_alembic(evidence, ["alembic", "upgrade", "head"]))
        return command, f"{inis[0]} is in the project"
    has_flask = any(re.search(r"(^|/)migrations/(env\.py|alembic\.ini)$", path) for path in project.files)
    if has_flask and _requires(requirements, "flask-migrate"):
        return "flask db upgrade", "migrations of Flask-Migrate are in the project"
    if project.table("tool", "aerich") and _requires(requirements, "aerich"):
        return "aerich upgrade", "pyproject.toml has the configuration of aerich"
    return "", ""


def _requires(requirements: Requirements, name: str) -> bool:
    return name in requirements.distributions or not requirements.is_locked


def _add_notes(evidence: Evidence, result: Result, command: str, others: list[list[str]], where: str) -> None:
    """Name what the release command leaves out, and files that it does not find."""
    more = [shlex.join(words) for words in others if is_migration(words) or ONE_OFF.search(" ".join(words))]
    if more:
        listed = "`, `".join(dict.fromkeys(more))
        result.do_by_hand("migrations", f"release_command is one command, and {where} runs more: `{listed}`.")
    words = command.split()
    if words[0] == "alembic":
        config = words[words.index("-c") + 1] if "-c" in words else "alembic.ini"
        place = alembic_scripts(evidence, config)
        if place is None or evidence.project.has(f"{place}/env.py"):
            return
        inner = f"{posixpath.dirname(config)}/{place}".strip("/")
        module = evidence.project.module(f"{inner}/env.py")[1].removesuffix(".env")
        package, _, rest = module.partition(".")
        better = f"{package}:{rest.replace('.', '/')}" if rest else f"%(here)s/{place}"
        result.do_by_hand(
            "migrations",
            f"{config} names {place} for its scripts, which is not a folder of /app: write script_location = {better}.",
        )


def alembic_scripts(evidence: Evidence, config: str) -> str | None:
    """Return the folder of alembic's scripts from /app, or None if it is in a package or cannot be told."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(evidence.project.read(config))
        location = parser.get("alembic", "script_location")
    except configparser.Error:
        return None
    if ":" in location:
        return None
    here = posixpath.dirname(config)
    location = location.replace("%(here)s", here or ".")
    return posixpath.normpath(location)


def needed_paths(evidence: Evidence, command: str) -> list[str]:
    """Return the files and folders that the release command needs in /app."""
    words = command.split()
    found = [word for word in words if evidence.project.has(word)]
    if words[:1] == ["alembic"]:
        config = words[words.index("-c") + 1] if "-c" in words else "alembic.ini"
        found += [config] if evidence.project.has(config) else []
        place = alembic_scripts(evidence, config)
        found += [place] if place and place in evidence.project.folders else []
    if words[:1] == ["flask"]:
        found += ["migrations"] if "migrations" in evidence.project.folders else []
    return list(dict.fromkeys(found))
