"""The options of servers by which they are told where to listen."""

import ast
import re
from dataclasses import dataclass

from .project import Project

ALL_INTERFACES = "0.0.0.0"


@dataclass(frozen=True)
class Server:
    """A server: its distribution, its options for an address or for host and port, and its default port.

    `interface` is what it serves: wsgi, asgi or both.
    """

    distribution: str
    interface: str
    address: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    port: tuple[str, ...] = ()
    default: str = "8000"
    listens_everywhere: bool = False


SERVERS = {
    "gunicorn": Server("gunicorn", "both", address=("--bind", "-b")),
    "uvicorn": Server("uvicorn", "asgi", host=("--host",), port=("--port",)),
    "hypercorn": Server("hypercorn", "both", address=("--bind", "-b")),
    "daphne": Server("daphne", "asgi", host=("-b", "--bind"), port=("-p", "--port")),
    "granian": Server("granian", "both", host=("--host",), port=("--port",)),
    "waitress-serve": Server(
        "waitress", "wsgi", address=("--listen",), host=("--host",), port=("--port",), default="8080",
        listens_everywhere=True,
    ),
    "fastapi": Server("fastapi-cli", "asgi", host=("--host",), port=("--port",), listens_everywhere=True),
    "litestar": Server("litestar", "asgi", host=("--host", "-H"), port=("--port", "-p")),
    "streamlit": Server("streamlit", "own", host=("--server.address",), port=("--server.port",), default="8501"),
}  # fmt: skip
# Servers for development, which no service should run on.
DEVELOPMENT_SERVERS = {"flask", "runserver", "runserver_plus", "runsslserver"}
# Programs whose distribution has another name.
DISTRIBUTIONS = {name: server.distribution for name, server in SERVERS.items()} | {
    "flask": "flask", "celery": "celery", "uwsgi": "uwsgi", "django-admin": "django", "rq": "rq",
    "dramatiq": "dramatiq",
    "rqworker": "rq", "arq": "arq", "huey_consumer": "huey", "huey_consumer.py": "huey", "taskiq": "taskiq",
    "faust": "faust", "alembic": "alembic", "prefect": "prefect", "airflow": "apache-airflow", "pserve": "pyramid",
    "scrapy": "scrapy", "chainlit": "chainlit", "panel": "panel", "bokeh": "bokeh", "mlflow": "mlflow",
    "supervisord": "supervisor", "honcho": "honcho", "circusd": "circus", "sanic": "sanic",
}  # fmt: skip


def find_option(words: list[str], names: tuple[str, ...]) -> tuple[int, int, str] | None:
    """Return the position of an option, how many words it takes, and its value; None if it is not there."""
    for position, word in enumerate(words):
        for name in names:
            if word == name and position + 1 < len(words):
                return position, 2, words[position + 1]
            if word.startswith(f"{name}="):
                return position, 1, word.partition("=")[2]
            if len(name) == 2 and word.startswith(name) and len(word) > 2 and not word.startswith("--"):
                return position, 1, word[2:]
    return None


def drop_option(words: list[str], names: tuple[str, ...]) -> list[str]:
    """Return the words without an option and its value."""
    while found := find_option(words, names):
        position, count, _ = found
        words = words[:position] + words[position + count :]
    return words


def read_port(words: list[str], server: Server, project: Project) -> str | None:
    """Return the port that a command of a server sets, by its options or a configuration file of gunicorn."""
    found = find_option(words, server.address)
    if found:
        match = re.search(r":(\d+)$", found[2]) or re.fullmatch(r"(\d+)", found[2])
        return match[1] if match else None
    found = find_option(words, server.port)
    if found:
        return found[2] if found[2].isdigit() else None
    if server.distribution == "gunicorn":
        bind = read_gunicorn_bind(words, project)
        match = re.search(r":(\d+)$", bind or "")
        return match[1] if match else None
    return None


def read_gunicorn_bind(words: list[str], project: Project) -> str | None:
    """Return what gunicorn's configuration file sets as `bind`; an f-string with a default counts too."""
    named = find_option(words, ("-c", "--config"))
    file = (named[2] if named else "gunicorn.conf.py").removeprefix("./").removeprefix("python:")
    tree = project.parse(file) if project.has(file) else None
    if tree is None:
        return None
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and any(
            getattr(target, "id", "") == "bind" for target in statement.targets
        ):
            value = statement.value
            if isinstance(value, ast.List) and value.elts:
                value = value.elts[0]
            if isinstance(value, ast.Constant):
                return str(value.value)
            port = re.search(r"['\"](\d{4,5})['\"]|\b(\d{4,5})\b", ast.unparse(value))
            return f"{ALL_INTERFACES}:{port[1] or port[2]}" if port else None
    return None


def set_address(words: list[str], server: Server, port: str, project: Project) -> list[str]:
    """Return the words with options that listen on all interfaces and on `port`; right ones stay as they are."""
    address = find_option(words, server.address)
    if address:
        host, _, number = address[2].rpartition(":")
        if number == port and host.strip("[]") in (ALL_INTERFACES, "", "::", "*"):
            return words
        position, count, _ = address
        option = words[position] if count == 2 else server.address[0]
        return [
            *words[:position],
            option,
            f"{ALL_INTERFACES}:{port}",
            *drop_option(words[position + count :], server.address),
        ]
    if server.address and not server.port:
        bind = read_gunicorn_bind(words, project) if server.distribution == "gunicorn" else None
        if bind and re.fullmatch(rf"(0\.0\.0\.0|\[::\]|\*)?:{port}", bind):
            return words
        return [*words, server.address[0], f"{ALL_INTERFACES}:{port}"]
    host_option, port_option = find_option(words, server.host), find_option(words, server.port)
    is_open = host_option[2] in (ALL_INTERFACES, "::", "*") if host_option else server.listens_everywhere
    if not is_open:
        words = [*drop_option(words, server.host), server.host[0], ALL_INTERFACES]
    if not (port_option and port_option[2] == port):
        words = [*drop_option(words, server.port), server.port[0], port]
    return words
