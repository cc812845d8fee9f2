"""Start uvicorn, which reads its options from the UVICORN_* environment variables."""

import gc
import importlib
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
    # The health check reads HOST and PORT, and uvicorn reads UVICORN_HOST and UVICORN_PORT.
    os.environ["UVICORN_HOST"] = os.environ.get("HOST") or "0.0.0.0"  # noqa: S104
    port = os.environ["UVICORN_PORT"] = os.environ["PORT"]
    if not (port.isdecimal() and 1 <= int(port) <= 65535):
        sys.exit(f"PORT is {port!r}: set it to a number from 1 to 65535.")

    import click
    import uvicorn

    sys.path.insert(0, os.getcwd())
    importlib.import_module(os.environ["UVICORN_APP"].partition(":")[0])
    gc.freeze()
    gc.enable()
    # After its shutdown, uvicorn raises SIGTERM again: run the atexit handlers and exit with 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        uvicorn.main(standalone_mode=False)
    except click.BadParameter as error:
        sys.exit(f"UVICORN_{error.param.name.upper()}: {error.message}")  # type: ignore[union-attr]


# The worker processes of uvicorn import this file, too.
if __name__ == "__main__":
    main()
