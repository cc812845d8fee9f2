"""The variables that the image sets."""

import re

from .evidence import Evidence
from .results import Result
from .settings import NAMED, find_module
from .start import CONFIGURATION, Start

# Variables that the new image sets itself, or that only the old one needs.
IGNORED = re.compile(
    r"PATH|PYTHON.*|PIP_.*|UV_.*|POETRY_.*|PDM_.*|PIPENV_.*|LANG|LC_ALL|DEBIAN_FRONTEND|PORT|HOME|.*VERSION.*|VIRTUAL_ENV"
    r"|VENV.*|TZ|USER.*|UID|GID|.*_DEPS|.*_URL|URL|NODE_.*|NPM_.*|LD_LIBRARY_PATH|HEALTH_\w+|HEARTBEAT_FILE|APP_HOME|WORKDIR|TERM|SHELL"
)
SECRET = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|KEY|CREDENTIAL")
ALLOWED = re.compile(r"[^\s\"'$`\\{}]+")


def old_variables(evidence: Evidence, start: Start) -> dict[str, str]:
    """Return the variables that the old image and the old start command set."""
    image = evidence.image
    variables = dict(image.environment) if image else {}
    variables |= dict(start.variables)
    if "DJANGO_SETTINGS_MODULE" not in variables:
        for text in (*evidence.procfile.values(), *(image.commands if image else ())):
            match = re.search(r"(?:^|\s)DJANGO_SETTINGS_MODULE=['\"]?([\w.]+)", text)
            if match and not re.search(r"(^|[._])(test|dev|local)", match[1]):
                variables["DJANGO_SETTINGS_MODULE"] = match[1]
        for service in evidence.built:
            value = service.variables.get("DJANGO_SETTINGS_MODULE", "")
            if re.fullmatch(r"[\w.]+", value) and not re.search(r"(^|[._])(test|dev|local)", value):
                variables.setdefault("DJANGO_SETTINGS_MODULE", value)
    return variables


def find_environment(evidence: Evidence, start: Start, variables: dict[str, str], release: str) -> Result:
    """Find the answer to environment; `variables` are those of the old image."""
    result = Result()
    workdir = evidence.image.workdir.rstrip("/") if evidence.image else ""
    kept: dict[str, str] = {}
    left: list[str] = []
    if any("VIRTUAL_ENV" in evidence.project.read(word) for word in start.command.split() if CONFIGURATION.search(word)):
        kept["VIRTUAL_ENV"] = "/opt/venv"
    for name, value in sorted(variables.items()):
        if IGNORED.fullmatch(name) or not value or "$" in value or SECRET.search(name):
            continue
        if workdir.count("/") > 0:
            value = re.sub(rf"(?<![\w./-]){re.escape(workdir)}(?=/|$|[:,])", "/app", value)
        if ALLOWED.fullmatch(value) and not re.search(r"://[^/@]*:[^/@]*@", value):
            kept[name] = value
        else:
            left.append(f"{name}={value}")
    reason = "the old image sets them"
    module, where = find_module(evidence, variables)
    if "django" in evidence.source.imports and "DJANGO_SETTINGS_MODULE" not in kept and module:
        manage = next(iter(evidence.project.find_named("manage.py")), "")
        match = NAMED.search(evidence.project.read(manage)) if manage else None
        if match and match[1] != module:
            kept["DJANGO_SETTINGS_MODULE"] = module
            reason = f"{where} has these settings, and {manage} others" if len(kept) == 1 else reason
        else:
            result.do_by_hand(
                "environment",
                f"The settings are {module}: set DJANGO_SETTINGS_MODULE in docker-compose.prod.yml for others.",
            )
    if release.startswith("flask ") and "FLASK_APP" not in kept and not _is_found_by_flask(evidence):
        application = next((app for app in evidence.source.applications if app.framework == "Flask"), None)
        target = start.module or (application.module if application else "")
        if target:
            kept["FLASK_APP"] = target
            reason = "release_command needs it" if len(kept) == 1 else reason
    result.answer("environment", " ".join(f"{name}={value}" for name, value in sorted(kept.items())), reason)
    if left:
        result.do_by_hand(
            "environment",
            f"Set these variables of the old image in docker-compose.prod.yml, if they are needed: {', '.join(left)}.",
        )
    return result


def _is_found_by_flask(evidence: Evidence) -> bool:
    return any(evidence.project.has(name) for name in ("app.py", "wsgi.py"))
