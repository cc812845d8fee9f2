"""Start the service: one process, which drains and exits with 0 when it is told to stop."""

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
    logs.configure(config)

    import uvicorn

    from .api import create_app

    server = uvicorn.Server(
        uvicorn.Config(
            create_app(config),
            host=config.host,
            port=config.port,
            workers=1,
            log_config=None,
            server_header=False,
            # From the proxies that FORWARDED_ALLOW_IPS names: uvicorn reads that variable itself,
            # and without it believes only what comes over loopback.
            proxy_headers=True,
            timeout_graceful_shutdown=config.shutdown_seconds,
        )
    )
    for number in STOP_SIGNALS:
        # After draining, uvicorn raises the signal again for the handler that stood here before
        # its own. Its own, here too, makes that harmless: Python ends as usual, with 0.
        signal.signal(number, server.handle_exit)
    gc.freeze()
    gc.enable()
    server.run()


if __name__ == "__main__":
    main()
