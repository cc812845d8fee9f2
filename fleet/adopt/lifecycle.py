"""How the service is started and stopped: start_period, stop_signal, stop_grace_period."""

import re

from .compose import ComposeService
from .evidence import Evidence
from .results import Result
from .start import Start

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 0.000001, "ns": 0.0}
DEFAULT_SECONDS = 30
SIGNALS = {
    "1": "SIGHUP",
    "2": "SIGINT",
    "3": "SIGQUIT",
    "9": "SIGKILL",
    "10": "SIGUSR1",
    "12": "SIGUSR2",
    "15": "SIGTERM",
}


def seconds(text: str) -> int:
    """Return the seconds of a duration such as 1m30s, rounded up; 0 if it is none."""
    if re.fullmatch(r"\d+", text):
        return int(text)
    parts = re.findall(r"([\d.]+)(ms|us|ns|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return 0
    return -int(-sum(float(number) * UNITS[unit] for number, unit in parts) // 1)


def signal_name(text: str) -> str:
    """Return the name of a signal with SIG, "" if it is none."""
    text = SIGNALS.get(text, text.upper())
    text = text if not text or text.startswith("SIG") else f"SIG{text}"
    return text if re.fullmatch(r"SIG[A-Z0-9]+", text) else ""


def find_lifecycle(evidence: Evidence, start: Start, service: ComposeService | None) -> Result:
    """Find the times and the signal; `service` is that of the old compose file, if there is one."""
    result = Result()
    image = evidence.image
    healthcheck = re.search(r"--start-period=(\S+)", image.healthcheck) if image else None
    period = seconds(service.start_period) if service else 0
    where = service.file if service and period else image.path if image else ""
    period = period or (seconds(healthcheck[1]) if healthcheck else 0)
    if period > DEFAULT_SECONDS:  # a shorter one does not make the start faster
        result.answer("start_period", str(period), f"the health check in {where}")
    signal, where = "", ""
    if service and service.stop_signal:
        signal, where = signal_name(service.stop_signal), service.file
    elif image and image.stop_signal:
        signal, where = signal_name(image.stop_signal), image.path
    elif start.program == "uwsgi" and not _dies_on_term(evidence, start.command.split()):
        signal, where = "SIGINT", "uWSGI reloads on SIGTERM without die-on-term"
    if signal and signal != "SIGTERM":
        result.answer("stop_signal", signal, where)
    grace = seconds(service.stop_grace_period) if service else 0
    if service and grace and grace != DEFAULT_SECONDS:
        result.answer("stop_grace_period", str(grace), service.file)
    return result


def _dies_on_term(evidence: Evidence, words: list[str]) -> bool:
    """Return whether uWSGI stops on SIGTERM, by its options or its configuration file."""
    if any(word.startswith("--die-on-term") for word in words):
        return True
    setting = re.compile(r"^\s*[\"']?die-on-term[\"']?\s*([:=]\s*(true|1|yes|on)|$)", re.MULTILINE | re.IGNORECASE)
    return any(setting.search(evidence.project.read(word.rpartition("=")[2] or word)) for word in words)
