"""Start the worker."""

import gc
import os
import signal
import sys


def main() -> None:
    # A PID 1 without a handler ignores SIGTERM, so set one before the slow imports.
    # sys.exit() is not safe here: pydantic reports a SystemExit in its code as another error.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # Skip garbage collection while importing: nothing is freed yet, and it slows the start by 8 %.
    gc.disable()

    import logs

    logs.configure()
    sys.path.insert(0, os.getcwd())
    from worker.main import main

    gc.freeze()
    gc.enable()
    main()


if __name__ == "__main__":
    main()
