"""The URLs of the pages. The health checks are not among them: see health.py."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.index, name="index"),
]
