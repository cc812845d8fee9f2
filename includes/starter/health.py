"""Probes: alive says that the process answers, ready says that it can do its work."""

import logging
import threading
import time
from collections.abc import Callable

CHECK_TIMEOUT = 2.0

logger = logging.getLogger(__name__)

# What the service needs before it can work, by name: functions that raise while it is not to be
# had. For example: checks["cache"] = cache.ping
checks: dict[str, Callable[[], object]] = {}

under_way: dict[str, "Check"] = {}
lock = threading.Lock()


class Check(threading.Thread):
    """A check on a thread of its own: a call that hangs can only be left behind."""

    def __init__(self, name: str) -> None:
        super().__init__(name=f"check {name}", daemon=True)
        self.call = checks[name]
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.call()
        except Exception as error:
            self.error = error


def alive() -> dict[str, str]:
    return {"status": "ok"}


def ready() -> tuple[dict[str, object], int]:
    """Return what to answer, and its HTTP status."""
    deadline = time.monotonic() + CHECK_TIMEOUT
    started = {name: start(name) for name in checks}
    results = {name: result(name, check, deadline) for name, check in started.items()}
    good = all(result == "ok" for result in results.values())
    return {"status": "ok" if good else "unavailable", "checks": results}, 200 if good else 503


def start(name: str) -> Check:
    """Start the check, or join one that is under way: one that hangs must not pile up threads."""
    with lock:
        check = under_way.get(name)
        if check is None or not check.is_alive():
            check = under_way[name] = Check(name)
            check.start()
        return check


def result(name: str, check: Check, deadline: float) -> str:
    check.join(max(0, deadline - time.monotonic()))
    if check.is_alive():
        logger.warning("Not ready: %s takes more than %s s", name, CHECK_TIMEOUT)
        return "timeout"
    if check.error:
        # The reason goes to the logs; whoever may call the probe need not know it.
        logger.warning("Not ready: %s", name, exc_info=check.error)
        return "failed"
    return "ok"
