"""Start uvicorn, which reads its options from the UVICORN_* environment variables."""

import gc
import importlib
import os
import signal
import sys


def main() -> None:
    # Handle stop signals before the slow imports, because a PID 1 without handlers ignores them.
    # uvicorn raises them again after its own shutdown, so these handlers set the exit status.
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Skip garbage collection while importing: nothing is freed yet, and it slows the start by 8 %.
    gc.disable()

    import logs

    logs.configure()
    # The health check reads PORT, and uvicorn reads UVICORN_PORT.
    port = os.environ["UVICORN_PORT"] = os.environ["PORT"]
    if not (port.isdecimal() and 1 <= int(port) <= 65535):
        sys.exit(f"PORT is {port!r}: set it to a number from 1 to 65535.")

    import click
    import uvicorn

    sys.path.insert(0, os.getcwd())
    importlib.import_module(os.environ["UVICORN_APP"].partition(":")[0])
    gc.freeze()
    gc.enable()
    try:
        uvicorn.main(standalone_mode=False)
    except click.BadParameter as error:
        sys.exit(f"UVICORN_{error.param.name.upper()} is invalid: {error.message}")


# uvicorn's worker processes import this file, too.
if __name__ == "__main__":
    main()
