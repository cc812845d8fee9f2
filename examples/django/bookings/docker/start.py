"""Run gunicorn's own command line. Before the slow imports, do what gunicorn does too late:

- A stop signal ends the start with status 0, even if this is process 1 of the container.
- A wrong environment variable ends the start with one line that names the variable.
"""

import gc
import os
import signal
import sys

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


def stop(number: int, frame: object) -> None:
    """End the process at once. gunicorn replaces this handler when it is ready to serve."""
    # sys.exit() raises an exception, which Python's import system swallows now and then.
    os._exit(0)


def check_number(name: str, default: int, maximum: int) -> None:
    """Give the variable its default, or exit if it is not a number in the range."""
    value = os.environ[name] = os.environ.get(name) or str(default)
    if not value.isdecimal() or not 1 <= int(value) <= maximum:
        sys.exit(f"{name} must be a whole number from 1 to {maximum}, but it is {value!r}.")


def check_log_level() -> None:
    """Give LOG_LEVEL its default, or exit if there is no such level."""
    value = os.environ["LOG_LEVEL"] = os.environ.get("LOG_LEVEL") or "info"
    if value.lower() not in LOG_LEVELS:
        sys.exit(f"LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}, but it is {value!r}.")


def check_proxies() -> None:
    """Exit if FORWARDED_ALLOW_IPS holds anything but addresses, networks and "*"."""
    import ipaddress

    for address in os.environ.get("FORWARDED_ALLOW_IPS", "").split(","):
        try:
            if address.strip() not in ("", "*"):
                ipaddress.ip_network(address.strip())
        except ValueError as error:
            sys.exit(f"FORWARDED_ALLOW_IPS must list IP addresses or networks, but {error}.")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    check_number("PORT", default=8000, maximum=65535)
    check_number("THREADS", default=8, maximum=1000)
    check_number("WEB_CONCURRENCY", default=1, maximum=100)
    check_log_level()
    check_proxies()
    # Skip garbage collection while importing: nothing is freed yet, and it slows the start.
    # gunicorn.conf.py enables it again.
    gc.disable()

    sys.argv[1:1] = ["--config", os.path.join(sys.path[0], "gunicorn.conf.py")]
    from gunicorn.app.wsgiapp import run

    run()
