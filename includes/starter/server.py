"""The server: gunicorn, set by the service's own settings alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from gunicorn import glogging
from gunicorn.app.base import BaseApplication

{% if framework == 'django' %}
from .environment import READY_PATH, Settings
{% else %}
from .settings import READY_PATH, Settings
{% endif %}

# Memory, whatever else is read-only, full, or a slow disk.
WORKER_FOLDER = Path("/dev/shm")  # noqa: S108 - gunicorn makes a file there without a name


class Logger(glogging.Logger):
    """Write by the root logger, without queries and without the probes that succeeded."""

    probes: ClassVar[set[str]] = set()

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log.propagate = self.access_log.propagate = True

    def access(self, resp: Any, req: Any, environ: dict[str, str], request_time: Any) -> None:
        client = f"{environ['REMOTE_ADDR']}:{environ['REMOTE_PORT']}"
        method, path = environ["REQUEST_METHOD"], without_query(environ["RAW_URI"])
        status = int(resp.status[:3])
        if status >= 400 or path not in self.probes:
            fields = {"client": client, "method": method, "path": path, "status": status}
            self.access_log.info("%s %s %s", method, path, status, extra=fields)

    def exception(self, msg: str, *args: object, **kwargs: Any) -> None:
        super().exception(msg, *map(without_query, args), **kwargs)


def without_query(target: object) -> str:
    return str(target).partition("?")[0]  # a query may hold what does not belong in logs


class Server(BaseApplication):
    def __init__(self, application: Callable, settings: Settings) -> None:
        self.application = application
        self.settings = settings
        Logger.probes = {settings.health_path, READY_PATH}
        super().__init__()

    def load_config(self) -> None:
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        options = {
            "bind": f"{host}:{self.settings.port}",
            "workers": self.settings.web_concurrency,
            "worker_class": "gthread",
            "threads": self.settings.threads,
            # Loaded once, before the fork: what is broken ends the start, and workers share memory.
            "preload_app": True,
            "graceful_timeout": self.settings.shutdown_seconds,
            "logger_class": Logger,
            "worker_tmp_dir": str(WORKER_FOLDER) if WORKER_FOLDER.is_dir() else None,
            # It would want a home to put its socket in.
            "control_socket_disable": True,
        }
        # The proxies whose X-Forwarded-Proto is believed are those that FORWARDED_ALLOW_IPS
        # names: gunicorn reads that variable itself, and without it believes only loopback.
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Callable:
        return self.application
