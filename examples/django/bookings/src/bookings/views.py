"""The pages."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def index(request: HttpRequest) -> HttpResponse:
    context = {"version": settings.SERVICE_VERSION}
    return render(request, "bookings/index.html", context)
