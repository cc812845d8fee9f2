from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client

HEALTH_PATH = "/healthz"


@pytest.mark.parametrize("host", ["localhost", "10.1.2.3", "elsewhere.example"])
def test_liveness_accepts_any_host_without_https(settings: Any, host: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = Client().get(HEALTH_PATH, headers={"Host": host})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_while_the_database_answers(client: Client) -> None:
    response = client.get("/readyz", headers={"Host": "10.1.2.3"})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_not_ready_while_the_database_does_not_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(connection: BaseDatabaseWrapper) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", refuse)
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "unavailable"})
