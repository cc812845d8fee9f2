"""Commands of Celery, as a container with a read-only root file system runs them."""

from .servers import drop_option, find_option

HEARTBEAT_MODULE = "celery_heartbeat"
HEARTBEAT_FILE = "/tmp/heartbeat"
APP = ("-A", "--app")


def is_worker(words: list[str]) -> bool:
    """Return whether a command starts a Celery worker."""
    return words[:1] == ["celery"] and "worker" in words


def adapt_celery(words: list[str]) -> list[str]:
    """Return a command of Celery with the heartbeat of a worker, and without files that cannot be written."""
    if words[:1] != ["celery"]:
        return words
    app = find_option(words[1:], APP)
    if app:  # Celery 5 reads it before the subcommand only
        words = [words[0], "-A", app[2], *drop_option(words[1:], APP)]
    action = next((word for word in words if word in ("worker", "beat", "flower", "events")), "")
    words = [word for word in words if word not in ("--detach", "-D")]
    if action in ("worker", "beat"):
        words = drop_option(words, ("--pidfile",))
        words = drop_option(words, ("--logfile", "-f"))
        words = drop_option(words, ("--uid",))
        words = drop_option(words, ("--gid",))
        words = [word for word in words if word != "--without-heartbeat"]
    has_beat = action == "beat" or (action == "worker" and bool({"-B", "--beat"} & set(words)))
    if has_beat:
        words = drop_option(words, ("--schedule", "-s", "--schedule-filename"))
    if action == "worker":
        included = find_option(words, ("--include", "-I"))
        modules = included[2].split(",") if included else []
        if HEARTBEAT_MODULE not in modules:
            words = drop_option(words, ("--include", "-I"))
            words = [*words, "--include", ",".join([*modules, HEARTBEAT_MODULE])]
    if has_beat:
        words = [*words, "--schedule", "/tmp/celerybeat-schedule"]
    return [*words, "--pidfile="] if action == "beat" else words


def worker_words(module: str, name: str) -> list[str]:
    """Return the command of a worker of a Celery application of the source."""
    target = module if name in ("app", "celery") else f"{module}:{name}"
    return adapt_celery(["celery", "-A", target, "worker"])
