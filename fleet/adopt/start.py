"""The command that starts the service, and its port."""

import contextlib
import re
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ..errors import FleetError
from .celery import adapt_celery, worker_words
from .evidence import Evidence
from .project import Project
from .requirements import Requirements
from .scripts import find_script, is_script, read_script, select_branch
from .servers import DEVELOPMENT_SERVERS, DISTRIBUTIONS, SERVERS, find_option, read_port, set_address
from .source import Application
from .words import SHELL_SYNTAX, Command, expand, parse_command, parse_shell, quote

DEFAULT_PORT = "8000"
SETTINGS = re.compile(r"DJANGO_SETTINGS_MODULE|FLASK_APP|[A-Z_]*SETTINGS(_MODULE)?|APP_ENV|ENVIRONMENT")
# The framework's default ports, for the sentence that gives the reason.
# Files that a command may name as its configuration.
CONFIGURATION = re.compile(r"\.(py|ini|conf|cfg|toml|json|ya?ml)$")
# A command of a compose file for development.
DEVELOPMENT = re.compile(r"\b(runserver|runserver_plus|flask run|npm|yarn)\b|--reload|--debug|fastapi dev")
DEVELOPMENT_FILE = re.compile(r"(^|[^a-z])(dev|develop|development|test|tests|local|debug)([^a-z]|$)")
WORKER = re.compile(r"\b(celery|rq|rqworker|dramatiq|arq|huey_consumer|taskiq|faust)\b")


@dataclass(frozen=True)
class Start:
    """The proposed command as the answer to start_command, the port ("" for none), and the reasons."""

    command: str
    reason: str
    port: str
    port_reason: str
    program: str
    module: str
    root: str
    script: str = ""  # the console script of the project that the command is
    before: tuple[tuple[str, ...], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    refusal: FleetError | None = None


@dataclass(frozen=True)
class Candidate:
    """A command that something in the project names, and where it stands."""

    command: Command
    where: str
    before: tuple[tuple[str, ...], ...] = ()
    ports: tuple[str, ...] = ()
    is_worker: bool = False


@dataclass
class Rejected(Exception):
    """A candidate that cannot be the start command, and why."""

    reason: str
    refusal: FleetError | None = field(default=None)


def find_start(evidence: Evidence, requirements: Requirements, port: str | None, chosen: str | None) -> Start:
    """Find the start command and the port; `port` and `chosen` are the user's answers.

    Raise FleetError if nothing tells how the service starts, or several things do equally.
    """
    notes: list[str] = []
    refused: FleetError | None = None
    if chosen is not None:
        command = parse_shell(chosen, {})
        candidate = Candidate(replace(command, words=command.words or ("",)), "given with --data")
        return replace(check_command(candidate, evidence, requirements, port), command=chosen)
    before: tuple[tuple[str, ...], ...] = ()
    for candidate in find_candidates(evidence):
        before += candidate.before
        try:
            start = check_command(candidate, evidence, requirements, port)
        except Rejected as rejected:
            notes.append(f"{candidate.where}: {rejected.reason}.")
            refused = refused or rejected.refusal
            continue
        return replace(start, before=before, notes=(*notes, *start.notes))
    try:
        start = _from_source(evidence, requirements, port)
    except Rejected as rejected:
        raise (rejected.refusal or refused or _nothing(notes, rejected.reason)) from None
    return replace(start, before=before, notes=(*notes, *start.notes))


def _nothing(notes: list[str], reason: str) -> FleetError:
    because = f" ({' '.join(notes).rstrip('.')})" if notes else ""
    return FleetError("no-start-command", f"{reason}{because}", "pass --data start_command=COMMAND")


def find_candidates(evidence: Evidence) -> Iterator[Candidate]:
    """Yield the commands that the old container files name, the most reliable first."""
    built = evidence.built
    web = [service for service in built if service.ports] or [
        service for service in built if not WORKER.search(f"{service.name} {service.command}")
    ]
    image = evidence.image
    variables = dict(image.variables) if image else {}
    for service in web[:1]:
        variables |= {key: value for key, value in service.variables.items() if "$" not in value}
    if image and (image.command or image.entrypoint):
        found = []
        if web and web[0].command and not DEVELOPMENT.search(str(web[0].command)):
            joined = join_entrypoint(web[0].entrypoint or image.entrypoint, web[0].command, evidence, variables)
            found.append(Candidate(joined, f"{web[0].name} in {web[0].file}", joined.before, image.ports))
        joined = join_entrypoint(image.entrypoint, image.command, evidence, variables)
        found.append(Candidate(joined, image.path, joined.before, image.ports))
        if web and web[0].mounts_checkout:  # for development
            found.reverse()
        yield from (candidate for candidate in found if candidate.command.words)
        if joined.program == "supervisord":
            yield from _supervised(evidence, variables, image.ports)
    for name in ("web", "app", "api", "server"):
        if name in evidence.procfile:
            command = follow_scripts(parse_command(evidence.procfile[name], variables), evidence, variables)
            yield Candidate(command, f"{name} in Procfile", command.before)
    for service in web:
        if service.command and not (image and (image.command or image.entrypoint)):
            command = follow_scripts(parse_command(service.command, variables), evidence, variables)
            yield Candidate(command, f"{service.name} in {service.file}", command.before, service.ports)
    if not any(name in evidence.procfile for name in ("web", "app", "api", "server")):
        for name, line in evidence.procfile.items():
            if name not in ("release", "beat"):
                command = follow_scripts(parse_command(line, variables), evidence, variables)
                yield Candidate(command, f"{name} in Procfile", command.before, is_worker=True)


def _supervised(evidence: Evidence, variables: dict[str, str], ports: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the programs of supervisor that may be the service: servers, then Python."""
    found = [candidate for _, candidate in read_supervised(evidence, variables, ports)]
    found = [candidate for candidate in found if candidate.command.program in (*SERVERS, "uwsgi", "python")]
    yield from sorted(found, key=lambda candidate: candidate.command.program not in SERVERS)


def read_supervised(
    evidence: Evidence, variables: dict[str, str], ports: tuple[str, ...] = ()
) -> list[tuple[str, Candidate]]:
    """Return the programs of supervisor's configuration files, with their names."""
    found = []
    for path in evidence.project.files:
        if not re.fullmatch(r"(.*/)?supervisor[\w.-]*\.(conf|ini)", path) or DEVELOPMENT_FILE.search(path.lower()):
            continue
        parser = ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(evidence.project.read(path))
        except ConfigParserError:
            continue
        for section in parser.sections():
            if section.startswith("program:") and "command" in parser[section]:
                command = follow_scripts(parse_shell(parser[section]["command"], variables), evidence, variables)
                name = section.partition(":")[2]
                found.append((name, Candidate(command, f"{name} in {path}", command.before, ports)))
    return found


def join_entrypoint(entrypoint: object, command: object, evidence: Evidence, variables: dict[str, str]) -> Command:
    """Return the command of an image: the arguments of an entry point that passes them on, or else itself."""
    arguments = parse_command(command, variables)
    if not entrypoint:
        return follow_scripts(arguments, evidence, variables)
    entry = parse_command(entrypoint, variables)
    if not entry.words:  # only an init program
        return follow_scripts(arguments, evidence, variables)
    script = find_script(evidence.project, entry.words[0], evidence.image)
    if script:
        passed = entry.words[1:] + arguments.words
        text = select_branch(evidence.project.read(script), passed[0] if passed else "")
        found = read_script(text, variables, passed)
        found = replace(found, before=arguments.before + found.before)
        return follow_scripts(found, evidence, variables) if found.words != entry.words else found
    is_init = entry.words[0].rsplit("/", 1)[-1] in ("tini", "dumb-init", "env")
    words = () if is_init else entry.words
    return follow_scripts(replace(entry, words=words + arguments.words), evidence, variables)


def follow_scripts(command: Command, evidence: Evidence, variables: dict[str, str], depth: int = 0) -> Command:
    """Follow a command that is a script of the project to what the script runs."""
    if not command.words or depth > 3:
        return command
    script = find_script(evidence.project, command.words[0], evidence.image)
    if script is None:
        return command
    text = select_branch(evidence.project.read(script), command.words[1] if len(command.words) > 1 else "")
    found = read_script(text, dict(variables) | dict(command.variables), command.words[1:])
    if not found.words:
        return command
    found = replace(found, before=command.before + found.before, variables=command.variables + found.variables)
    return follow_scripts(found, evidence, variables, depth + 1)


def check_command(candidate: Candidate, evidence: Evidence, requirements: Requirements, port: str | None) -> Start:
    """Make a start command of a candidate; raise Rejected if that is impossible."""
    project = evidence.project
    command = candidate.command
    words = [inside(word, evidence) for word in command.words]
    program = command.program
    if not words:
        raise Rejected("there is no command to run")
    if program == "python" and len(words) > 2 and words[1] == "-m" and words[2] in (*SERVERS, "celery"):
        words, program = words[2:], words[2]
    if program == "python" and (path := next((word for word in words[1:] if not word.startswith("-")), "")):
        name = path.rsplit("/", 1)[-1]
        if re.fullmatch(r"/\S*/bin/[\w.-]+", path) and name in console_scripts(
            evidence
        ):  # python -u /usr/local/bin/NAME
            words, program = [name, *words[words.index(path) + 1 :]], name
    if program in ("supervisord", "honcho", "circusd", "nginx", "s6-svscan", "init"):
        raise Rejected(f"{program} starts several programs, and a container of this layout has one")
    is_development = (program == "flask" and "run" in words) or any(word in DEVELOPMENT_SERVERS for word in words[1:3])
    if is_development:
        raise Rejected(f"{program} starts a server for development")
    if is_script(project, words[0]) or words[0].endswith(".sh"):
        raise Rejected(f"what {words[0]} starts cannot be told")
    if words[0].endswith(".py") and project.has(words[0]):
        words, program = ["python", *words], "python"
    own = _own_script(evidence, program)
    script = program if own and evidence.can_install else ""
    if own:
        words, program = [*own, *words[1:]], "python"
    elif program == "python":
        words[0] = "python"
    elif words[0] != program:
        words[0] = program  # /venv/bin/gunicorn
    is_known = program in DISTRIBUTIONS or program in requirements.distributions or program == "python"
    if (
        not is_known
        and requirements.distributions
        and program in ("make", "just", "task", "npm", "docker", "invoke", "bash")
    ):
        raise Rejected(f"{program} is for development")
    exposed = (match[0] for number in candidate.ports if (match := re.match(r"[1-9]\d{3,4}", number)))
    words = _drop_variables(words, port or next(exposed, DEFAULT_PORT))
    listens, reason = _find_port(program, words, candidate, evidence, port)
    server = SERVERS.get(program)
    if server and listens:
        words = set_address(words, server, listens, project)
        words = [word for word in words if word not in ("--reload", "--debug")]
    module, root = _find_module(evidence, program, words)
    if root and program == "gunicorn" and not find_option(words, ("--chdir",)):
        words = [words[0], "--chdir", root, *words[1:]]
    elif root and program == "uvicorn" and not find_option(words, ("--app-dir",)):
        words = [*words, "--app-dir", root]
    if script and own:
        words = [script, *words[len(own) :]]
    words = adapt_celery(words)
    text = quote(words)
    if SHELL_SYNTAX.search(text) or re.search(r"\"[^\"]*'[^\"]*\"[^\"]*'", text):
        raise Rejected(f"`{text}` needs a shell")
    refusal = _check_program(program, requirements)
    if program == "gunicorn" and (kind := find_option(words, ("-k", "--worker-class"))):
        refusal = refusal or _check_worker(kind[2], requirements)
    return Start(
        text, _reason(candidate, words), listens, reason, program, module, root, script,
        candidate.before, command.variables, (), refusal,
    )  # fmt: skip


def inside(word: str, evidence: Evidence) -> str:
    """Return the path in the project of a word that is a path in the old image; other words as they are."""
    workdir = evidence.image.workdir.rstrip("/") if evidence.image else "/app"
    for prefix in (f"{workdir}/", "/app/", "./"):
        inside = word.removeprefix(prefix)
        if word.startswith(prefix) and (evidence.project.has(inside) or inside in evidence.project.folders):
            return inside
    if word.startswith("/") and CONFIGURATION.search(word):
        name = word.rsplit("/", 1)[-1]
        named = [path for path in evidence.project.files if path.rsplit("/", 1)[-1] == name]
        return named[0] if len(named) == 1 else word
    if re.fullmatch(r"\w+\.py", word) and not evidence.project.has(word):  # its folder was copied to the old one
        named = [path for path in evidence.project.files if path.endswith(f"/{word}") and path.count("/") == 1]
        return named[0] if len(named) == 1 else word
    return word


def _reason(candidate: Candidate, words: list[str]) -> str:
    same = list(candidate.command.words) == words
    return candidate.where if same or "--data" in candidate.where else f"{candidate.where}, adapted to the new image"


def _drop_variables(words: list[str], port: str) -> list[str]:
    """Replace $PORT, and leave out options whose value is a variable that nothing sets."""
    kept: list[str] = []
    for word in (expand(word, {"PORT": port}) for word in words):
        if re.search(r"\$\{?\w", word):
            if kept and kept[-1].startswith("-") and "=" not in kept[-1] and len(kept) > 1:
                kept.pop()
            elif not word.startswith("-"):
                kept.append(word)
        else:
            kept.append(word)
    return kept


def _find_port(
    program: str, words: list[str], candidate: Candidate, evidence: Evidence, chosen: str | None
) -> tuple[str, str]:
    """Return the port that the service listens on, "" if it has none, and the reason."""
    if chosen is not None:
        return chosen, "given with --data"
    server = SERVERS.get(program)
    exposed = [(port, evidence.image.path if evidence.image else "") for port in candidate.ports]
    exposed += [(port, service.file) for service in evidence.built for port in service.ports]
    exposed = [(match[1], file) for port, file in exposed if (match := re.match(r"(\d+)", port))]
    own = evidence.image.variables.get("PORT", "") if evidence.image else ""
    found = read_port(words, server, evidence.project) if server else None
    where = "the start command"
    if not found and not server:
        match = re.search(r"(?:--?(?:http-socket|http|port|p)[=\s]\S*?|0\.0\.0\.0:|\s:)(\d{4,5})\b", " ".join(words))
        found = match[1] if match else None
    if not found and program == "uwsgi":
        for word in words[1:]:
            match = re.search(r"^\s*http(?:-socket)?\s*=\s*\S*:(\d+)", evidence.project.read(word), re.MULTILINE)
            found, where = (match[1], word) if match else (found, where)
    if not found and exposed and not candidate.is_worker:
        found, where = exposed[0][0], f"{exposed[0][1]} publishes it"
    if not found and server:
        found, where = (
            (own, "PORT in the old image") if own.isdigit() else (server.default, f"the default of {program}")
        )
    if not found and not WORKER.search(program) and not candidate.is_worker:
        found = _port_in_source(evidence, words)
        where = "the source code"
    if (
        not found
        and candidate.where.endswith(" in Procfile")
        and not candidate.is_worker
        and not WORKER.search(program)
    ):
        found, where = DEFAULT_PORT, "a web process listens on PORT, which the image sets"
    if not found:
        return "", "nothing listens or publishes a port"
    if not 1024 <= int(found) <= 65535:
        return DEFAULT_PORT, f"{found} ({where}) is below 1024, which only root may use"
    return found, where


def _port_in_source(evidence: Evidence, words: list[str]) -> str | None:
    """Return the port that the started file, or one of its package, passes to a server."""
    module, _ = _find_module(evidence, "python", words)
    find = evidence.project.find_module
    found = (find(f"{module}.__main__") or find(module)) if module else None
    file = found[1] if found else words[1] if len(words) > 1 and evidence.project.has(words[1]) else None
    if not file:
        return None
    folder = str(PurePosixPath(file).parent)
    nearby = [path for path in evidence.project.sources if str(PurePosixPath(path).parent) == folder and folder != "."]
    for path in [file, *nearby]:
        text = evidence.project.read(path)
        serves = r"uvicorn\.run|\.run\(|serve\(|run_app|start_http_server|run_simple|make_server|HTTPServer|TCPSite"
        if re.search(serves, text):
            match = re.search(r"\b[Pp][Oo][Rr][Tt]['\"]?\s*(?::\s*int\s*)?[=,:]\D{0,40}?(\d{4,5})\b", text)
            match = match or re.search(r"(?:start_http_server|make_server|HTTPServer)\(\D*?(\d{4,5})\b", text)
            if match:
                return match[1]
    for name in re.findall(r"^\s*(?:from|import)\s+(\w+)", evidence.project.read(file), re.MULTILINE):
        for path in evidence.project.sources:
            if path.startswith(f"{name}/") and path.count("/") == 1:
                match = re.search(
                    r"^[A-Z_]*PORT\s*(?::\s*int\s*)?=\s*(\d{4,5})\b", evidence.project.read(path), re.MULTILINE
                )
                if match:
                    return match[1]
    return None


def _find_module(evidence: Evidence, program: str, words: list[str]) -> tuple[str, str]:
    """Return the module that a command starts, and the folder for Python's path if it is not on it already."""
    name = ""
    if program == "python":
        if match := re.search(r"resolve_name\('([\w.]+):", " ".join(words[1:3])):
            name = match[1]
        elif len(words) > 2 and re.fullmatch("-[a-zA-Z]*m", words[1]):
            name = words[2]
        elif len(words) > 1 and words[1].endswith(".py") and evidence.project.has(words[1]):
            return evidence.project.module(words[1])[1], ""
    elif program in ("gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "waitress-serve"):
        for word in words[1:]:
            match = re.fullmatch(r"([A-Za-z_][\w.]*)(:[\w.]+(\(.*\))?)?", word)
            if match and (match[2] or "." in word) and evidence.project.find_module(match[1]):
                name = match[1]
                break
        else:
            name = next((word for word in words[1:] if evidence.project.find_module(word)), "")
    elif program == "celery" and (app := find_option(words, ("-A", "--app"))):
        name = app[2].partition(":")[0]
    found = evidence.project.find_module(name) if name else None
    is_on_path = found is None or found[0] in ("", "src") or found[0] in evidence.project.package_roots
    return name, "" if is_on_path or found is None else found[0]


def _own_script(evidence: Evidence, program: str) -> list[str] | None:
    """Return the words that start a console script of the project, which the image does not install."""
    target = console_scripts(evidence).get(program)
    return start_target(evidence, target) if target else None


def console_scripts(evidence: Evidence) -> dict[str, str]:
    """Return the console scripts of the project, MODULE:FUNCTION by name."""
    return console_scripts_of(evidence.project)


def console_scripts_of(project: Project) -> dict[str, str]:
    """Return the console scripts of a project, MODULE:FUNCTION by name."""
    scripts = project.table("project", "scripts") | project.table("tool", "poetry", "scripts")
    found = {name: target for name, target in scripts.items() if isinstance(target, str)}
    text = project.read(project.own("setup.cfg")) + project.read(project.own("setup.py"))
    if "console_scripts" in text:
        found |= dict(re.findall(r"^[\s\['\"]*([\w.-]+)\s*=\s*([\w.]+:[\w.]+)", text, re.MULTILINE))
    return found


def start_target(evidence: Evidence, target: str) -> list[str]:
    """Return the words that start MODULE:FUNCTION, by `python -m` if the module can be run."""
    module, _, function = target.strip().partition(":")
    package = module.rsplit(".", 1)[0]
    if evidence.project.find_module(f"{package}.__main__"):
        return ["python", "-m", package]
    if evidence.project.find_module(f"{module}.__main__"):
        return ["python", "-m", module]
    found = evidence.project.find_module(module)
    if found and found[1] in evidence.source.runnable:
        return ["python", "-m", module]
    return ["python", "-c", f"__import__('pkgutil').resolve_name('{module}:{function}')()"]


def _check_program(program: str, requirements: Requirements) -> FleetError | None:
    """Return the error for a program that the requirements do not install."""
    if program == "python" or not requirements.distributions:
        return None
    distribution = DISTRIBUTIONS.get(program, program.lower().replace("_", "-"))
    if distribution in requirements.distributions or (program not in DISTRIBUTIONS and not requirements.is_locked):
        return None
    if distribution in ("fastapi-cli", "uvicorn") and "fastapi-cli" in requirements.distributions:
        return None
    return FleetError(
        "program-not-required",
        f"the start command needs {distribution}, which is not among the requirements",
        f"add {distribution} to them, or pass --data start_command=COMMAND",
    )


def _check_worker(kind: str, requirements: Requirements) -> FleetError | None:
    """Return the error for a worker class of gunicorn whose distribution the requirements do not name."""
    needed = {
        "gevent": "gevent",
        "eventlet": "eventlet",
        "tornado": "tornado",
        "uvicorn": "uvicorn",
        "uvicorn_worker": "uvicorn-worker",
    }
    distribution = needed.get(kind.partition(".")[0])
    if distribution and requirements.is_locked and distribution not in requirements.distributions:
        return FleetError(
            "program-not-required",
            f"the workers of the start command need {distribution}, which is not among the requirements",
            f"add {distribution} to them, or pass --data start_command=COMMAND",
        )
    return None


def _from_source(evidence: Evidence, requirements: Requirements, port: str | None) -> Start:
    """Make a start command of what the source defines; raise Rejected if nothing tells, or several things do."""
    applications = choose_applications(evidence)
    if applications:
        best = applications[0]
        equal = [app for app in applications if _rank(app) == _rank(best) and app.target != best.target]
        words = serve(best, requirements)
        if equal and words:
            commands = [quote(serve(app, requirements) or []) for app in (best, *equal)]
            choices = " or ".join(f"--data start_command='{command} …'" for command in commands[:4])
            names = ", ".join(app.target for app in (best, *equal))
            error = FleetError("ambiguous", f"several applications are equally likely: {names}", f"pass {choices}")
            raise Rejected("several applications", error)
        if words is None:
            for candidate in _own_servers(evidence):
                with contextlib.suppress(Rejected):
                    return replace(check_command(candidate, evidence, requirements, port), reason=candidate.where)
            kind = "uvicorn" if best.interface == "asgi" else "gunicorn"
            error = FleetError(
                "program-not-required",
                f"{best.target} is a {best.framework} application, and no server for it is among the requirements",
                f"add {kind} to them",
            )
            raise Rejected("no server", error)
        candidate = Candidate(
            Command(tuple(words)), f"{best.framework} application {best.target} in {best.path}", ports=_ports(evidence)
        )
        start = check_command(candidate, evidence, requirements, port)
        return replace(start, reason=candidate.where)
    for candidate in _programs(evidence):
        return replace(check_command(candidate, evidence, requirements, port), reason=candidate.where)
    raise Rejected("nothing tells how the service starts")


def _own_servers(evidence: Evidence) -> Iterator[Candidate]:
    """Yield the programs of the project that bring a server of their own, none for development."""
    with contextlib.suppress(Rejected):
        for candidate in _programs(evidence):
            module, _ = _find_module(evidence, "python", list(candidate.command.words))
            found = evidence.project.find_module(module) if module else None
            path = found[1] if found else candidate.command.words[-1]
            if path.endswith(".py") and not re.search(r"\bapp\.run\(|run_simple\(", evidence.project.read(path)):
                yield candidate


def _ports(evidence: Evidence) -> tuple[str, ...]:
    return evidence.image.ports if evidence.image else ()


def choose_applications(evidence: Evidence) -> list[Application]:
    """Return the WSGI and ASGI applications, the likeliest first; objects before functions that make one."""
    found = [app for app in evidence.source.applications if app.interface in ("wsgi", "asgi")]
    return sorted(found, key=lambda app: (_rank(app), app.path, app.name))


def _rank(app: Application) -> tuple[bool, int, int, int]:
    file = app.path.rsplit("/", 1)[-1]
    names = ["asgi.py", "wsgi.py", "main.py", "app.py", "application.py", "server.py", "__init__.py"]
    if app.framework == "Django":
        names = ["wsgi.py", "asgi.py"]
    return (
        app.is_factory,
        len(names) if file not in names else min(names.index(file), 2),
        app.path.count("/"),
        _likely(app),
    )


def _likely(app: Application) -> int:
    return 0 if app.name in ("app", "application", "create_app") else 1


def serve(app: Application, requirements: Requirements) -> list[str] | None:
    """Return the words that serve an application by a server of the requirements, or None if there is none."""
    has = requirements.distributions
    target = f"{app.target}()" if app.is_factory else app.target
    if app.interface == "asgi":
        if "gunicorn" in has and "uvicorn-worker" in has:
            return ["gunicorn", target, "-k", "uvicorn_worker.UvicornWorker", "--worker-tmp-dir", "/dev/shm"]
        if "uvicorn" in has:
            return ["uvicorn", app.target, *(["--factory"] if app.is_factory else [])]
        if "hypercorn" in has:
            return ["hypercorn", target]
        if "daphne" in has:
            return ["daphne", app.target]
        if "granian" in has:
            return ["granian", "--interface", "asgi", app.target, *(["--factory"] if app.is_factory else [])]
        return None
    if "gunicorn" in has:
        return ["gunicorn", target, "--worker-tmp-dir", "/dev/shm"]
    if "waitress" in has:
        return ["waitress-serve", *(["--call"] if app.is_factory else []), app.target]
    if "granian" in has:
        return ["granian", "--interface", "wsgi", app.target, *(["--factory"] if app.is_factory else [])]
    return None


def _programs(evidence: Evidence) -> Iterator[Candidate]:
    """Yield the programs of a project without a web application: console scripts, then modules that run."""
    project = evidence.project
    targets = console_scripts(evidence)
    ports = _ports(evidence)
    if len(targets) > 1:
        own = {str(project.table("project").get("name", project.folder.name)), *project.folders}
        own = {name.removeprefix("src/").lower().replace("_", "-") for name in own}
        targets = {name: target for name, target in targets.items() if name.lower().replace("_", "-") in own} or targets
    if len(targets) > 1:
        choices = " or ".join(
            f'--data start_command="{name if evidence.can_install else quote(start_target(evidence, target))}"'
            for name, target in targets.items()
        )
        raise Rejected(
            "",
            FleetError(
                "ambiguous", f"several console scripts are equally likely: {', '.join(targets)}", f"pass {choices}"
            ),
        )
    for name, target in targets.items():
        words = (name,) if evidence.can_install else tuple(start_target(evidence, target))
        yield Candidate(Command(words), f"console script {name}", ports=ports)
    for module, name, _ in evidence.source.celery[:1]:
        words = tuple(worker_words(module, name))
        yield Candidate(Command(words), f"Celery application {module}:{name}", is_worker=True)
    packages = [path for path in evidence.source.runnable if path.endswith("__main__.py") and path.count("/") <= 2]
    files = [path for path in evidence.source.runnable if path.count("/") == 0 and path != "manage.py"]
    preferred = ("main.py", "app.py", "bot.py", "run.py", "server.py", "worker.py", "start.py", "exporter.py")
    files = [name for name in preferred if name in files][:1] or files
    for found in (packages, files):
        if len(found) > 1:
            commands = [_run_file(evidence, path) for path in found]
            choices = " or ".join(f'--data start_command="{quote(command)}"' for command in commands[:4])
            raise Rejected(
                "", FleetError("ambiguous", f"several modules can be run: {', '.join(found)}", f"pass {choices}")
            )
        for path in found:
            yield Candidate(Command(tuple(_run_file(evidence, path))), f"{path} runs", ports=ports)


def _run_file(evidence: Evidence, path: str) -> list[str]:
    if path.endswith("/__main__.py"):
        return ["python", "-m", evidence.project.module(path)[1].removesuffix(".__main__")]
    return ["python", path]
