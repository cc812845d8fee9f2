"""The variables that the image sets."""

import re

from .evidence import Evidence
from .results import Result
from .settings import NAMED, find_module
from .start import CONFIGURATION, Start

# Variables that the new image sets itself, or that only the old one needs.
IGNORED = re.compile(
    r"PATH|PYTHON.*|PIP_.*|UV_.*|POETRY_.*|PDM_.*|PIPENV_.*|LANG|LC_ALL|DEBIAN_FRONTEND|PORT|HOME|.*VERSION.*|VIRTUAL_ENV"
    r"|VENV.*|TZ|USER.*|UID|GID|.*_DEPS|.*_URL|URL|NODE_.*|NPM_.*|LD_LIBRARY_PATH|.*(SHA|COMMIT|REVISION)|BUILD_.*|HEALTH_\w+|HEARTBEAT_FILE|APP_HOME|WORKDIR|TERM|SHELL"
)
SECRET = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|KEY|CREDENTIAL")
# Folders of the old image that the new one does not have.
OLD_PLACE = re.compile(r"(^|[:,])/(opt|home|root|srv|usr/src|code|build)(/|$)")
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


def keep_variables(
    evidence: Evidence, variables: dict[str, str], moved: dict[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the variables of the old image that the new one sets, and those that are left to the user.

    `moved` are places of the old image, and where they are in the new one.
    """
    workdir = evidence.image.workdir.rstrip("/") if evidence.image else ""
    places = moved | ({workdir: "/app"} if workdir else {})
    kept: dict[str, str] = {}
    left: list[str] = []
    for name, value in sorted(variables.items()):
        if IGNORED.fullmatch(name) or not value or "$" in value or SECRET.search(name):
            continue
        for old, new in places.items():
            value = re.sub(rf"(?<![\w./-]){re.escape(old)}(?=/|$|[:,])", new, value)
        if not ALLOWED.fullmatch(value) or re.search(r"://[^/@]*:[^/@]*@", value) or OLD_PLACE.search(value):
            left.append(f"{name}={value}")
        else:
            kept[name] = value
    return kept, left


def find_environment(
    evidence: Evidence, start: Start, variables: dict[str, str], release: str, moved: dict[str, str]
) -> Result:
    """Find the answer to environment; `variables` are those of the old image."""
    result = Result()
    kept, left = keep_variables(evidence, variables, moved)
    configurations = [word for word in start.command.split() if CONFIGURATION.search(word)]
    if any("VIRTUAL_ENV" in evidence.project.read(path) for path in configurations):
        kept["VIRTUAL_ENV"] = "/opt/venv"
    for old, new in moved.items():
        if not any(old in value for value in variables.values()):
            result.do_by_hand(
                "assets", f"The assets are in {new} now, and the old image had them in {old}: correct the settings."
            )
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
