"""Health checks, for load balancers and orchestrators."""

import logging
from collections.abc import Callable

from django.db import Error, connections
from django.http import HttpRequest, HttpResponse, JsonResponse

logger = logging.getLogger(__name__)


class HealthMiddleware:
    """Answer health checks first: other middleware rejects unknown hosts and redirects to HTTPS."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == "/healthz":
            return JsonResponse({"status": "ok"})
        if request.path_info == "/readyz":
            return ready()
        return self.get_response(request)


def ready() -> JsonResponse:
    """Answer 503 unless the database accepts a new connection within its connect_timeout."""
    database = connections.create_connection("default")
    try:
        database.ensure_connection()
    except Error:
        # The reason is logged only: callers of this check may be anyone.
        logger.warning("Not ready: the database does not answer.", exc_info=True)
        return JsonResponse({"status": "unavailable"}, status=503)
    finally:
        database.close()
    return JsonResponse({"status": "ok"})
