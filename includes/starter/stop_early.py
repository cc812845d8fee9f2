import gc
import os
import signal

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    for number in STOP_SIGNALS:
        # Nothing is being served yet, so a stop may cut the imports below short.
        signal.signal(number, lambda *_: os._exit(0))

    # What the imports make stays for good: to look for garbage in it only delays the start.
    gc.disable()
    # The imports stand here, and not above, so that the handlers come before all of them, and the
    # report of a bad setting before the slow ones.
    from . import logs, settings

    config = settings.load()
