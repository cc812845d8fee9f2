"""The pages' addresses. The probes' are not among them: see probes.py."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.index, name="index"),
]
