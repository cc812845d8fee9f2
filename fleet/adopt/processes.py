"""More services from the same image: workers, schedulers and the like."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ..errors import FleetError
from .celery import adapt_celery, worker_words
from .compose import ComposeService
from .evidence import Evidence
from .health import Health
from .lifecycle import DEFAULT_SECONDS, seconds, signal_name
from .release import is_migration
from .requirements import Requirements
from .results import Result
from .scripts import branches, find_script
from .servers import DISTRIBUTIONS, SERVERS
from .start import WORKER, Candidate, Rejected, Start, check_command, follow_scripts, join_entrypoint, read_supervised
from .words import Command, parse_command

# Commands for development, and those that end after a while.
LEFT_OUT = re.compile(
    r"\b(runserver|runserver_plus|flask run|npm|yarn|pnpm|bun|npx|node|pytest|tox|jupyter|mkdocs|sphinx-build|watchmedo"
    r"|watchfiles|collectstatic|compilemessages|createsuperuser|loaddata|mailhog|coverage|ruff|mypy|debugpy|ipython"
    r"|shell|shell_plus|dbshell|psql|redis-server|postgres|nginx|cypress|playwright|locust|honcho|foreman"
    r"|http\.server)\b|(^|\s)dev/|--reload|--debug\b|--dev\b|fastapi dev|manage\.py test|(^|\s)dev[_-]\w+"
)
NOT_PROGRAMS = {
    "tail", "sleep", "true", "false", "sh", "bash", "cat", "echo", "ls", "make", "just", "tox", "nox", "cp", "chown",
    "chmod", "curl", "wget", "docker", "git", "ssh", "cron", "crond", "ash", "zsh",
}  # fmt: skip
NOT_NAMES = re.compile(
    r"release|test|tests|dev|docs?|debug|shell|lint|migrat[\w-]*|init[\w-]*|setup[\w-]*|node|assets|frontend|tailwind"
)
FLOWER_PORT = "5555"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Entry:
    """A process that a file names."""

    name: str
    candidate: Candidate
    source: str
    service: ComposeService | None = None


def find_processes(
    evidence: Evidence, start: Start, requirements: Requirements, health: Health, given: Mapping[str, str]
) -> Result:
    """Find processes; raise FleetError if a name comes twice, or a command is not in the virtual environment."""
    result = Result()
    if "processes" in given:
        _check_given(evidence, requirements, given["processes"])
        return result
    found: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}
    places: list[str] = []
    for entry in _entries(evidence):
        process = _make(entry, evidence, start, requirements, health, result)
        if process is None:
            continue
        name = process["name"]
        if names.get(name, entry.name) != entry.name and found[name]["command"] != process["command"]:
            raise FleetError(
                "process-twice",
                f"the processes {names[name]} and {entry.name} would both be called {name}",
                "rename one of them, or pass --data processes=LIST",
            )
        if name in found or any(other["command"] == process["command"] for other in found.values()):
            continue
        found[name], names[name] = process, entry.name
        places.append(entry.source)
    if not any("celery" in process["command"] for process in found.values()):
        for process in _from_source(evidence, start, requirements):
            found.setdefault(process["name"], process)
            places.append("the Celery application in the source")
    if found:
        answer = json.dumps(list(found.values()), ensure_ascii=False)
        result.answer("processes", answer, f"found in {', '.join(dict.fromkeys(places))}")
    return result


def normalize(name: str) -> str:
    """Return a name as the template takes it."""
    return re.sub(r"^[-0-9]+|-+$", "", re.sub("[^a-z0-9]+", "-", name.lower()))


def _entries(evidence: Evidence) -> Iterator[Entry]:
    """Yield the processes of the Procfile, of compose files and of supervisor."""
    image = evidence.image
    variables = dict(image.variables) if image else {}
    for name, line in evidence.procfile.items():
        command = follow_scripts(parse_command(line, variables), evidence, variables)
        yield Entry(name, Candidate(command, f"{name} in Procfile", is_worker=True), "Procfile")
    for service in evidence.built:
        if not service.command and not service.entrypoint:
            continue
        known = variables | {key: text for key, text in service.variables.items() if "$" not in text}
        entrypoint = service.entrypoint or (image.entrypoint if image else "")
        command = join_entrypoint(entrypoint, service.command, evidence, known)
        candidate = Candidate(command, f"{service.name} in {service.file}", ports=service.ports, is_worker=True)
        yield Entry(service.name, candidate, service.file, service)
    script = find_script(evidence.project, _first(image.entrypoint or image.command), image) if image else None
    for name in branches(evidence.project.read(script)) if script and image else ():
        command = follow_scripts(Command((script or "", name)), evidence, variables)
        if WORKER.search(" ".join(command.words)) and command.words[0] != script:
            yield Entry(name, Candidate(command, f"{name} in {script}", is_worker=True), str(script))
    for name, candidate in read_supervised(evidence, variables):
        yield Entry(name, candidate, candidate.where.partition(" in ")[2])


def _first(value: str) -> str:
    """Return the first word of an entry point or a command."""
    return next(iter(parse_command(value).words), "")


def _make(
    entry: Entry, evidence: Evidence, start: Start, requirements: Requirements, health: Health, result: Result
) -> dict[str, Any] | None:
    """Return a process as the answer has it, or None if it is the service itself, or no service at all."""
    command = entry.candidate.command
    text = " ".join(command.words)
    name = normalize(entry.name)
    if not text or entry.name == "web" or NOT_NAMES.fullmatch(name) or LEFT_OUT.search(text):
        return None
    if command.program in NOT_PROGRAMS or is_migration(list(command.words)):
        return None
    is_flower = command.program == "celery" and "flower" in command.words
    serves = command.program in SERVERS
    try:
        checked = check_command(entry.candidate, evidence, requirements, None if serves else "")
    except Rejected as rejected:
        if rejected.reason.endswith("needs a shell"):
            result.do_by_hand("process", f"Run {entry.name} as a process without a shell: `{text}`.")
        elif "several programs" in rejected.reason and entry.service and not entry.service.ports:
            result.do_by_hand("process", f"Run each program of {entry.name} as a process of its own: `{text}`.")
        return None
    if checked.command == start.command or (
        serves and checked.module == start.module and checked.program == start.program
    ):
        return None
    if checked.refusal and checked.program not in DISTRIBUTIONS:
        result.do_by_hand("process", f"Run {entry.name} as a process from the same image, if it is one: `{text}`.")
        return None
    if checked.refusal:
        raise FleetError(
            "program-not-required",
            checked.refusal.message.replace("the start command needs", f"the process {entry.name} needs"),
            "add it to them, or pass --data processes=LIST",
        )
    process: dict[str, Any] = {"name": name, "command": checked.command}
    if not NAME.fullmatch(name):
        raise FleetError(
            "process-name", f"the process {entry.name} has no name of a-z, 0-9 and -", "pass --data processes=LIST"
        )
    if is_flower:
        match = re.search(r"--port[=\s](\d+)", text)
        process |= {"port": int(match[1] if match else FLOWER_PORT), "health_path": "/healthcheck"}
    elif serves and checked.port and start.port and checked.module.partition(".")[0] == start.module.partition(".")[0]:
        process |= {"port": int(checked.port), "health_path": health.path}
    if entry.service:
        signal, grace = signal_name(entry.service.stop_signal), seconds(entry.service.stop_grace_period)
        process |= {"stop_signal": signal} if signal not in ("", "SIGTERM") else {}
        process |= {"stop_grace_period": grace} if grace not in (0, DEFAULT_SECONDS) else {}
    return process


def _from_source(evidence: Evidence, start: Start, requirements: Requirements) -> Iterator[dict[str, Any]]:
    """Yield a worker, and a scheduler if there is a schedule, of a Celery application that nothing starts."""
    if not evidence.source.celery or start.program == "celery":
        return
    if requirements.distributions and "celery" not in requirements.distributions:
        return
    module, name, _ = min(evidence.source.celery, key=lambda found: (found[2].count("/"), found[2]))
    worker = worker_words(module, name)
    yield {"name": "worker", "command": " ".join(worker)}
    texts = (evidence.project.read(path) for path in evidence.project.sources)
    if any(re.search(r"beat_schedule|CELERY_?BEAT_SCHEDULE|django_celery_beat", text) for text in texts):
        yield {"name": "beat", "command": " ".join(adapt_celery([*worker[:3], "beat"]))}


def _check_given(evidence: Evidence, requirements: Requirements, text: str) -> None:
    """Raise FleetError if the user's list of processes has a name twice, or a command that nothing installs."""
    try:
        listed = yaml.safe_load(text)
    except yaml.YAMLError:
        listed = None
    if not isinstance(listed, list) or not all(isinstance(process, dict) for process in listed):
        raise FleetError(
            "processes-unreadable", "the answer to processes is not a list of mappings", "write it as JSON"
        )
    names = [str(process.get("name", "")) for process in listed]
    for name in names:
        if names.count(name) > 1:
            raise FleetError("process-twice", f"two processes are called {name}", "rename one of them")
    for process in listed:
        command = parse_command(str(process.get("command", "")))
        try:
            checked = check_command(Candidate(command, "given with --data"), evidence, requirements, "")
        except Rejected as rejected:
            raise FleetError(
                "process-unusable", f"the process {process.get('name')} cannot be used: {rejected.reason}", "correct it"
            ) from None
        if checked.refusal:
            raise FleetError(
                "program-not-required",
                checked.refusal.message.replace("the start command needs", f"the process {process.get('name')} needs"),
                "add it to them, or correct the command",
            )
