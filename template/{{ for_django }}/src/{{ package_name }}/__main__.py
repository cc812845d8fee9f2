"""Start the service: gunicorn, which drains and exits with 0 when it is told to stop.

Followed by one of Django's commands, such as `migrate`, `python -m` runs that in its place.
"""

import gc
import os
import signal
import sys

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve() -> None:
    for number in STOP_SIGNALS:
        # Nothing is being served yet, so a stop may cut the imports below short.
        signal.signal(number, lambda *_: os._exit(0))

    # What the imports make stays for good: to look for garbage in it only delays the start.
    gc.disable()
    # The imports stand here, and not above, so that the handlers come before all of them, and the
    # report of a bad setting before the slow ones.
    import logging

    from . import logs, settings

    logs.configure(settings.env.log_level)

    from django.urls import get_resolver

    from .server import Server
    from .wsgi import application

    if settings.env.secret_key is None:
        logging.getLogger(__package__).warning(
            "No secret key: its file is absent or empty, so sessions end when this process does"
        )
    # Django itself would read the URLs when the first request comes: too late to find them broken.
    get_resolver().check()
    server = Server(application, settings.env)
    # Frozen, it also stays in the memory that the workers share.
    gc.freeze()
    gc.enable()
    server.run()


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{__package__}.settings")
    if len(sys.argv) == 1:
        serve()
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line([f"python -m {__package__}", *sys.argv[1:]])


if __name__ == "__main__":
    main()
