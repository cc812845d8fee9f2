"""The probes' answers, and what the service must reach to be ready."""

from collections.abc import Callable

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from . import health
from .environment import READY_PATH


def ping_database() -> None:
    # A check has a thread of its own, and Django gives each thread its own connection.
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


health.checks["database"] = ping_database


def middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def answer(request: HttpRequest) -> HttpResponse:
        if request.path_info == settings.HEALTH_PATH:
            return JsonResponse(health.alive())
        if request.path_info == READY_PATH:
            body, status = health.ready()
            return JsonResponse(body, status=status)
        return get_response(request)

    return answer
