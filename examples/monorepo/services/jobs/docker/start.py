"""Start the worker."""

import gc
import os
import signal
import sys


def main() -> None:
    # PID 1 ignores SIGTERM until it has a handler, so set one before the slow imports.
    # It does not call sys.exit(), because pydantic turns a SystemExit into another error.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # Skip garbage collection while importing: nothing is freed yet, and it slows the start by 8 %.
    gc.disable()

    import logs

    logs.configure()
    sys.path.insert(0, os.getcwd())
    from jobs.main import main

    gc.freeze()
    gc.enable()
    main()


if __name__ == "__main__":
    main()
