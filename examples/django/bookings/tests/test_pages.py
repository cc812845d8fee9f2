from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client


def test_index_shows_the_version(client: Client, settings: Any) -> None:
    settings.SERVICE_VERSION = "1.2.3"
    page = client.get("/").content.decode()
    assert "<h1>bookings</h1>" in page
    assert "Version 1.2.3" in page
    assert 'href="/static/bookings/style.css"' in page


def test_unknown_hosts_are_rejected(client: Client) -> None:
    assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 400


def test_https_only_redirects_pages(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/").headers["Location"] == "https://testserver/"
    assert Client().get("/", secure=True).status_code == 200


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
