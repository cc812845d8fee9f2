"""What the template cannot express yet, so that the user does it by hand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from .evidence import Evidence
from .requirements import Requirements
from .start import Start

MIGRATIONS = re.compile(
    r"((?:manage\.py|django-admin|flask|alembic|aerich|python -m \S+)\s+(?:\S+\s+)*?"
    r"(?:migrate|db upgrade|upgrade head|upgrade|deploy)\b[^;&|\"]*)"
)
BUILD_STEPS = re.compile(
    r"(collectstatic|compilemessages|compress\b|assets build|translate compile|pybabel compile|digest)"
)
INSTALLERS = {
    "pip",
    "setuptools",
    "wheel",
    "uv",
    "poetry",
    "pipenv",
    "pdm",
    "pip-tools",
    "virtualenv",
    "build",
    "supervisor",
}
OPTIONS_WITH_VALUES = {
    "-r",
    "--requirement",
    "-c",
    "-e",
    "--index-url",
    "--prefix",
    "--target",
    "-i",
    "-w",
    "--wheel-dir",
    "--group",
    "--extra",
}
NODE = ("package.json", "frontend/package.json", "client/package.json", "theme/static_src/package.json")
WORKER_WORDS = re.compile(
    r"\b(celery|rq|rqworker|dramatiq|huey_consumer|arq|taskiq|qcluster|beat|scheduler|worker|consumer)\b"
)


@dataclass(frozen=True)
class Finding:
    """A thing to do by hand: a code for programs, and a sentence."""

    code: str
    message: str


def find_work(evidence: Evidence, start: Start, requirements: Requirements, health: str) -> Iterator[Finding]:
    """Yield what remains to be done by hand."""
    yield from _migrations(evidence, start)
    yield from _processes(evidence, start)
    yield from _build(evidence)
    yield from _environment(evidence, start, requirements)
    yield from _writes(evidence)
    if start.port:
        yield from _hosts(evidence, health)
    yield from _metadata(evidence)
    yield from _places(evidence, start)
    yield from _replaced(evidence)


def _texts(evidence: Evidence, start: Start) -> list[str]:
    """Return all commands that the old container files run."""
    image = evidence.image
    texts = [" ".join(words) for words in start.before]
    texts += [*(image.commands if image else ()), *evidence.procfile.values()]
    return texts + [str(service.command) for service in evidence.built if service.command]


def _migrations(evidence: Evidence, start: Start) -> Iterator[Finding]:
    for text in _texts(evidence, start):
        match = MIGRATIONS.search(text)
        if match:
            command = match[1].strip().removeprefix("./")
            command = f"python {command}" if command.startswith("manage.py") else command
            yield Finding("migrations", f"Run the migrations before each start, in the new image: `{command}`.")
            return
    tools = {
        "alembic.ini": "alembic upgrade head",
        "manage.py": "python manage.py migrate",
    }
    for file, command in tools.items():
        if evidence.project.has(file) and (file != "manage.py" or "django" in evidence.source.imports):
            yield Finding(
                "migrations", f"Run the migrations before each start, in the new image, if there are any: `{command}`."
            )
            return
    if any(re.search(r"(^|/)migrations/(env\.py|alembic\.ini)$", path) for path in evidence.project.files):
        yield Finding("migrations", "Run the migrations before each start, in the new image: `flask db upgrade`.")


def _processes(evidence: Evidence, start: Start) -> Iterator[Finding]:
    others = {
        name: line
        for name, line in evidence.procfile.items()
        if name != "web" and "release" not in name and line != start.command
    }
    for service in evidence.built:
        command = service.command if isinstance(service.command, str) else " ".join(map(str, service.command or ()))
        if command and WORKER_WORDS.search(f"{service.name} {command}") and command != start.command:
            others.setdefault(service.name, command)
    for name, line in others.items():
        yield Finding("process", f"Run {name} as a service of its own from the same image: `{line}`.")
    if not others and evidence.source.celery and not start.command.startswith("celery"):
        module, name, _ = evidence.source.celery[0]
        target = module if name in ("app", "celery") else f"{module}:{name}"
        yield Finding(
            "process",
            f"Run the Celery worker as a service of its own from the same image: `celery -A {target} worker`.",
        )


def _build(evidence: Evidence) -> Iterator[Finding]:
    image = evidence.image
    has_node = bool(image and image.has_node)
    if has_node or any(evidence.project.has(name) for name in NODE if not image):
        yield Finding(
            "assets",
            "Build the assets with Node before the image, or in a stage that you add to the Dockerfile.",
        )
    commands = [*(image.commands if image else ()), *evidence.procfile.values()]
    steps = sorted({match for text in commands for match in BUILD_STEPS.findall(text)})
    is_django = "STATIC_ROOT" in evidence.source.constants or any(
        re.search(r"^STATIC_ROOT\s*=", evidence.project.read(path), re.MULTILINE)
        for path in evidence.project.sources
        if "settings" in path
    )
    if not steps and is_django:
        steps = ["collectstatic"]
    for step in steps:
        yield Finding(
            "build-step",
            f"Run {step} when the image is built: add it to the stage `app` of the Dockerfile, after the COPY lines.",
        )


def _environment(evidence: Evidence, start: Start, requirements: Requirements) -> Iterator[Finding]:
    image = evidence.image
    variables = dict(image.environment) if image else {}
    variables |= dict(start.variables)
    ignored = re.compile(
        r"PATH|PYTHON.*|PIP_.*|UV_.*|POETRY_.*|LANG|LC_ALL|DEBIAN_FRONTEND|PORT|HOME|.*VERSION.*|VIRTUAL_ENV|TZ|USER.*|UID|GID|.*_DEPS|.*URL"
    )
    kept = {
        name: value for name, value in variables.items() if not ignored.fullmatch(name) and value and "$" not in value
    }
    if kept:
        listed = " ".join(f"{name}={value}" for name, value in sorted(kept.items()))
        yield Finding(
            "environment",
            f"Set the variables of the old image in docker-compose.prod.yml, where they are needed: {listed}.",
        )
    if "django" in evidence.source.imports and "DJANGO_SETTINGS_MODULE" not in variables:
        found = next(
            (
                match[1]
                for path in ("manage.py", *evidence.project.sources)
                if (match := re.search(r"DJANGO_SETTINGS_MODULE['\"],\s*['\"]([\w.]+)", evidence.project.read(path)))
            ),
            None,
        )
        if found:
            yield Finding(
                "environment",
                f"The settings are {found}: set DJANGO_SETTINGS_MODULE in docker-compose.prod.yml for others.",
            )
    installed = sorted(
        {
            name
            for command in (image.commands if image else ())
            for name in _installed_by_pip(command)
            if name not in requirements.distributions and name not in INSTALLERS and not evidence.project.has(name)
        }
    )
    if installed:
        listed = ", ".join(installed)
        yield Finding("requirements", f"Add to {requirements.file} what the old Dockerfile installs besides: {listed}.")


def _installed_by_pip(command: str) -> Iterator[str]:
    """Yield the normalized names of the distributions that a command installs by name."""
    for match in re.finditer(r"pip3? (?:install|wheel) ([^;&|]+)", command):
        is_value = False
        for word in (word.strip("\"'") for word in match[1].split()):
            if is_value or word.startswith("-"):
                is_value = not is_value and word in OPTIONS_WITH_VALUES
            elif found := re.fullmatch(r"([A-Za-z][\w.-]*)(\[[\w,-]+\])?([=<>~!]=?[\w.*]+)?", word):
                yield canonicalize_name(found[1])


def _writes(evidence: Evidence) -> Iterator[Finding]:
    folders = set(evidence.image.volumes if evidence.image else ())
    folders |= {path for service in evidence.built for path in service.volumes}
    if folders:
        listed = ", ".join(sorted(folders))
        yield Finding(
            "writes",
            f"Add a volume that belongs to user 10001 for each folder that the service writes: {listed}.",
        )
        return
    sqlite = any(re.match(r"sqlite(\+\w+)?:///", text) for text in evidence.source.strings)
    named = [name for name in ("MEDIA_ROOT", "UPLOAD_FOLDER", "UPLOAD_DIR") if _is_set(evidence, name)]
    if sqlite or named:
        what = " and ".join([*named, *(["an SQLite database"] if sqlite else [])])
        yield Finding(
            "writes",
            f"The root file system is read-only: if {what} is used, add a volume that belongs to user 10001.",
        )


def _is_set(evidence: Evidence, name: str) -> bool:
    return any(
        re.search(rf"^\s*{name}\s*[=:]", evidence.project.read(path), re.MULTILINE)
        for path in evidence.project.sources
        if re.search(r"settings|config", path)
    )


def _hosts(evidence: Evidence, health: str) -> Iterator[Finding]:
    for path in evidence.project.sources:
        if not re.search(r"settings|config", path) or re.search(r"test|dev|local|debug|ci\b", path):
            continue
        match = re.search(r"^\s*ALLOWED_HOSTS\s*(?::[^=]*)?=\s*(.*)", evidence.project.read(path), re.MULTILINE)
        if match and "*" not in match[1]:
            yield Finding(
                "allowed-hosts",
                f"ALLOWED_HOSTS in {path} must include localhost, the Host header of the health check ({health}).",
            )
            break
    if any(_is_true(evidence, name) for name in ("SECURE_SSL_REDIRECT",)):
        yield Finding(
            "https-redirect",
            "SECURE_SSL_REDIRECT answers the health check with a redirect: except its path (SECURE_REDIRECT_EXEMPT).",
        )


def _is_true(evidence: Evidence, name: str) -> bool:
    return any(
        re.search(rf"^\s*{name}\s*=\s*(?!False)", evidence.project.read(path), re.MULTILINE)
        for path in evidence.project.sources
        if "settings" in path
    )


def _metadata(evidence: Evidence) -> Iterator[Finding]:
    name = str(evidence.project.table("project").get("name", ""))
    if name and ("importlib" in evidence.source.imports or "pkg_resources" in evidence.source.imports):
        for path in evidence.project.sources:
            text = evidence.project.read(path)
            if re.search(
                rf"(version|metadata|get_distribution|files)\(\s*(__name__|__package__|['\"]{re.escape(name)}['\"])",
                text,
            ):
                yield Finding(
                    "not-installed",
                    f"{path} asks for the metadata of {name}, which the image does not install: let it do without.",
                )
                return


def _places(evidence: Evidence, start: Start) -> Iterator[Finding]:
    """Yield the files that name places of the old image; the app is in /app in the new one."""
    workdir = evidence.image.workdir.rstrip("/") if evidence.image else ""
    if workdir.count("/") < 1 or workdir == "/app":
        return
    words = start.command.split()
    paths = [path for path in evidence.project.files if path in words] + list(evidence.project.sources)
    named = [
        path
        for path in dict.fromkeys(paths)
        if re.search(rf"(?<![\w./-]){re.escape(workdir)}(/|\b)", evidence.project.read(path))
    ]
    if named:
        listed = ", ".join(named[:5])
        yield Finding("old-places", f"The app is in /app now, and no longer in {workdir}, which is named in {listed}.")


def _replaced(evidence: Evidence) -> Iterator[Finding]:
    others = [
        service.name for service in evidence.services if service.file == "docker-compose.yml" and not service.is_built
    ]
    if others:
        listed = ", ".join(others)
        yield Finding(
            "compose-services",
            f"The new docker-compose.yml has no {listed}: move them to a compose file that includes it.",
        )
    if evidence.project.has("docker-compose.override.yml"):
        yield Finding(
            "compose-override",
            "Compose merges docker-compose.override.yml with the new docker-compose.yml: check or remove it.",
        )
