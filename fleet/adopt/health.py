"""What answers the health check: a path, or a heartbeat file."""

import re
from dataclasses import dataclass

from .evidence import Evidence
from .source import HEALTH, HEALTH_NAMES

ACCEPTED = re.compile(r"/[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*/?")
URL = re.compile(
    r"(?:https?://)?(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\$\{?HOST\w*\}?)(?::[\w${}:-]+?)?(/[^\s\"'|)\\;]*)"
)


@dataclass(frozen=True)
class Health:
    """The path, the reason, and a sentence on what could not be told."""

    path: str
    reason: str
    unknown: str = ""


def find_health(evidence: Evidence) -> Health:
    """Find the path that answers without a login: of an old health check, or of a route named so."""
    image = evidence.image
    checks = [(image.healthcheck, image.path)] if image else []
    checks += [(service.health, service.file) for service in evidence.built]
    refused = ""
    for text, where in checks:
        match = URL.search(text) or _read_probe(evidence, text)
        # A script may put a prefix of its own into the address.
        path = re.sub(r"\{[^{}]*\}", "", match[1]).partition("?")[0] if match else ""
        if ACCEPTED.fullmatch(path) and len(path) <= 60:
            return Health(path, f"the health check in {where}")
        refused = refused or (
            f"the health check in {where} asks for {path}, which the template does not accept; " if path else ""
        )
    routes = {path: file for path, file in evidence.source.routes if ACCEPTED.fullmatch(path) and len(path) <= 60}
    named = [path for path in routes if HEALTH.fullmatch(path.rstrip("/").rsplit("/", 1)[-1])]
    if named:
        best = min(named, key=_rank)
        return Health(best, f"a route in {routes[best]}")
    unknown = f"{refused}no route is named like a health check, so the proposed path is a guess"
    frameworks = {app.framework for app in evidence.source.applications}
    for path, reason in (
        ("/metrics", "a route of metrics"),
        ("/openapi.json", "FastAPI serves it unless it is told otherwise"),
    ):
        if path in routes or (path == "/openapi.json" and "FastAPI" in frameworks):
            return Health(path, reason, unknown)
    if "prometheus_client" in evidence.source.imports and not frameworks:
        return Health("/metrics", "prometheus_client serves it", unknown)
    plain = [path for path in routes if re.search(r"(login|signin|about|robots\.txt|version)/?$", path)]
    if plain:
        best = min(plain, key=lambda path: ("version" not in path and "robots" not in path, len(path), path))
        return Health(best, f"a route in {routes[best]} that likely needs no login", unknown)
    others = [path for path in routes if not re.search(r"logout|delete|admin|api|download|webhook|callback", path)]
    if others:
        best = min(others, key=lambda path: (path.count("/"), len(path), path))
        return Health(best, f"a route in {routes[best]} without parameters", unknown)
    return Health("/healthz", "the template's default", unknown)


def _read_probe(evidence: Evidence, text: str) -> re.Match[str] | None:
    """Return the address that a script of the project asks for, if a health check runs one."""
    words = {word.strip("[]\"',").rsplit("/", 1)[-1] for word in text.split()}
    for path in evidence.project.files:
        is_probe = path.rsplit("/", 1)[-1] in words and path.endswith((".py", ".sh"))
        if is_probe and (match := URL.search(evidence.project.read(path))):
            return match
    return None


def _rank(path: str) -> tuple[int, int, str]:
    name = path.strip("/").rsplit("/", 1)[-1].strip("_").lower()
    return HEALTH_NAMES.index(name) if name in HEALTH_NAMES else len(HEALTH_NAMES), path.count("/"), path


def find_heartbeat(evidence: Evidence) -> tuple[str, str]:
    """Return the file that a service without a port touches, and the reason; nothing if there is none."""
    for path, file in evidence.source.heartbeats:
        if re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+", path):
            return path, f"a path in {file}"
    return "", "no file that looks like a heartbeat is in the source"
