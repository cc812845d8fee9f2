"""Start the service: one process, which ends the job in hand and exits with 0 when told to stop."""

import gc
import os
import signal

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    for number in STOP_SIGNALS:
        # No job is in hand yet, so a stop may cut the imports below short.
        signal.signal(number, lambda *_: os._exit(0))

    # What the imports make stays for good: to look for garbage in it only delays the start.
    gc.disable()
    # The imports stand here, and not above, so that the handlers come before all of them.
    import logging

    from . import jobs, logs, settings
    from .queue import Queue
    from .worker import Stop, Worker

    config = settings.load()
    logs.configure(config.log_level)
    logging.getLogger(__package__).info("Version %s", config.service_version)
    worker = Worker(Queue(config.jobs_dir), jobs.run, config.heartbeat_file, config.poll_seconds)
    gc.freeze()
    gc.enable()
    worker.work(Stop(*STOP_SIGNALS))


if __name__ == "__main__":
    main()
