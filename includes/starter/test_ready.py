{% set Client = 'Client' if framework == 'django' else 'FlaskClient' %}
{% set body = 'response.json()' if framework == 'django' else 'response.json' %}
def test_it_is_ready_when_every_check_passes(
    client: {{ Client }}, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "checks", {"database": lambda: None})
    response = client.get(READY_PATH)
    assert response.status_code == 200
    assert {{ body }} == {"status": "ok", "checks": {"database": "ok"}}


def test_it_is_not_ready_when_a_check_fails_or_hangs(
    client: {{ Client }}, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise ConnectionError("the reason is for the logs alone")

    release = threading.Event()
    checks = {"cache": lambda: None, "database": fails, "queue": release.wait}
    monkeypatch.setattr(health, "CHECK_TIMEOUT", 0.2)
    monkeypatch.setattr(health, "checks", checks)
    threads = threading.active_count()
    for _ in range(3):
        response = client.get(READY_PATH)
        assert response.status_code == 503
        assert {{ body }} == {
            "status": "unavailable",
            "checks": {"cache": "ok", "database": "failed", "queue": "timeout"},
        }
    assert client.get(HEALTH_PATH).status_code == 200, "alive, though not ready"
    assert threading.active_count() == threads + 1, "a check that hangs hangs once"
    release.set()
    health.under_way["queue"].join()
    checks["database"] = checks["cache"]
    assert client.get(READY_PATH).status_code == 200, "ready again"
