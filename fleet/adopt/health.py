"""What answers the health check: a path, or a heartbeat file."""

import ast
import re
from dataclasses import dataclass

from .evidence import Evidence
from .results import Result
from .settings import Settings, read_default, read_name
from .source import HEALTH, HEALTH_NAMES

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")

# What the template accepts: a path, and a query if there is one.
ACCEPTED = re.compile(r"/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*/?)?(\?[A-Za-z0-9._~=&%/:,+-]+)?")
LONGEST = 100
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
        path = re.sub(r"\{[^{}]*\}", "", match[1]) if match else ""
        for found in (path, path.partition("?")[0]):
            if ACCEPTED.fullmatch(found) and len(found) <= LONGEST:
                return Health(found, f"the health check in {where}")
        refused = refused or (
            f"the health check in {where} asks for {path}, which the template does not accept; " if path else ""
        )
    routes = {path: file for path, file in evidence.source.routes if ACCEPTED.fullmatch(path) and len(path) <= LONGEST}
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


def find_host(evidence: Evidence, settings: Settings) -> Result:
    """Find health_host and health_https: what the old health check sends, and what Django asks of requests."""
    result = Result()
    image = evidence.image
    sent = re.search(r"['\"]Host:\s*([\w.-]+)['\"]", image.healthcheck) if image else None
    found = settings.find("ALLOWED_HOSTS")
    if sent and image:
        result.answer("health_host", sent[1], f"the health check in {image.path}")
    elif found:
        hosts = _hosts(found[1])
        where = found[0]
        if hosts is None:
            result.do_by_hand(
                "allowed-hosts",
                f"ALLOWED_HOSTS in {where} comes from the environment: include localhost, the Host header of the health"
                " check, or pass --data health_host=HOST.",
            )
        elif hosts and not {"*", "localhost", "127.0.0.1", ".localhost"} & set(hosts):
            literal = [host.lstrip(".") for host in hosts if HOST.fullmatch(host.lstrip("."))]
            if literal:
                result.answer("health_host", literal[0], f"the first one of ALLOWED_HOSTS in {where}")
    redirects = settings.find_plain("SECURE_SSL_REDIRECT")
    if redirects and _is_true(redirects[1]) and not settings.find("SECURE_REDIRECT_EXEMPT"):
        header = settings.find("SECURE_PROXY_SSL_HEADER")
        if header and "X_FORWARDED_PROTO" in ast.unparse(header[1]):
            result.answer("health_https", "true", f"SECURE_SSL_REDIRECT and SECURE_PROXY_SSL_HEADER in {redirects[0]}")
        else:
            result.do_by_hand(
                "https-redirect",
                "SECURE_SSL_REDIRECT answers the health check with a redirect: set SECURE_PROXY_SSL_HEADER and pass"
                " --data health_https=true, or except its path (SECURE_REDIRECT_EXEMPT).",
            )
    return result


def _hosts(node: ast.expr) -> list[str] | None:
    """Return the literal hosts of ALLOWED_HOSTS; None if they come from the environment without a default."""
    reads = [call for call in ast.walk(node) if read_name(call)]
    if reads:
        default = next((read_default(call) for call in reads if isinstance(call, ast.Call)), None)
        texts = _strings(default) if default is not None else []
        hosts = [host.strip() for text in texts for host in text.split(",") if host.strip()]
        return hosts or None
    hosts = _strings(node)
    return hosts if hosts or isinstance(node, ast.List | ast.Tuple) else None


def _strings(node: ast.expr) -> list[str]:
    return [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant) and isinstance(inner.value, str)]


def _is_true(node: ast.expr) -> bool:
    """Return whether a setting is true in production, unless the environment says otherwise."""
    if isinstance(node, ast.Call) and read_name(node):
        default = read_default(node)
        return default is not None and _is_true(default)
    if isinstance(node, ast.Compare):  # os.environ.get("X", "True") == "True"
        inner = [value for value in (node.left, *node.comparators) if isinstance(value, ast.expr)]
        reads = [call for call in ast.walk(node) if isinstance(call, ast.Call) and read_name(call)]
        default = read_default(reads[0]) if reads else None
        values = [value.value for value in inner if isinstance(value, ast.Constant)]
        return isinstance(default, ast.Constant) and default.value in values
    if isinstance(node, ast.Constant):
        return node.value is True or str(node.value).lower() in ("true", "1", "yes", "on")
    return ast.unparse(node) == "not DEBUG"


def find_heartbeat(evidence: Evidence) -> tuple[str, str]:
    """Return the file that a service without a port touches, and the reason; nothing if there is none."""
    for path, file in evidence.source.heartbeats:
        if re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+", path):
            return path, f"a path in {file}"
    return "", "no file that looks like a heartbeat is in the source"
