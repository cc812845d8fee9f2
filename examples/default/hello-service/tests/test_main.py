import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from hello_service import main


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(main.settings, "api_token", SecretStr("dG9rZW4="))
    return TestClient(main.app)


def test_index(client: TestClient) -> None:
    response = client.get("/")
    assert response.json()["service"] == "hello-service"
    assert response.json()["version"] == main.app.version


def test_private_needs_the_token(client: TestClient) -> None:
    assert client.get("/private").status_code == 401
    for token, status in ("wrong", 401), ("\xfc", 401), ("dG9rZW4=", 200):
        headers = {b"Authorization": f"Bearer {token}".encode()}
        assert client.get("/private", headers=headers).status_code == status


def test_private_without_a_configured_token(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main.settings, "api_token", SecretStr(""))
    assert client.get("/private", headers={"Authorization": "Bearer "}).status_code == 401


def test_probes(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise ConnectionError

    assert client.get("/readyz").status_code == 200
    monkeypatch.setattr(main, "check_dependencies", fail)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
