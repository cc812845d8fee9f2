"""Touch /tmp/heartbeat as long as the Celery worker reaches its broker; the health check reads its age."""

import pathlib

from celery.signals import heartbeat_sent

HEARTBEAT = pathlib.Path("/tmp/heartbeat")


@heartbeat_sent.connect
def touch(**_):
    HEARTBEAT.touch()
