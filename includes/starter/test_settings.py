from pathlib import Path

import pytest

from {{ package_name }}.settings import load


def test_the_defaults_need_no_environment() -> None:
    settings = load()
    assert settings.port == {{ port }}
    assert settings.health_path == "{{ health_path }}"
    assert settings.api_token is None


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    settings = load()
    assert (settings.port, settings.log_level) == (9000, "DEBUG")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "1023"),
        ("PORT", "65536"),
        ("PORT", "http"),
{% if framework == 'flask' %}
        ("WEB_CONCURRENCY", "0"),
        ("THREADS", "many"),
{% endif %}
        ("HEALTH_PATH", "healthz"),
        ("LOG_LEVEL", "lots"),
        ("SHUTDOWN_SECONDS", "30"),
        ("API_TOKEN_FILE", "/"),
    ],
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=rf"^bad settings: {variable}: [^\n]+$"):
        load()


def test_all_bad_settings_share_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "http")
    monkeypatch.setenv("LOG_LEVEL", "lots")
    with pytest.raises(SystemExit, match=r"^bad settings: PORT: [^\n]+; LOG_LEVEL: [^\n]+$"):
        load()


def test_the_token_is_not_shown(token_file: Path) -> None:
    token_file.write_text("open-sesame")
    assert "open-sesame" not in repr(load())


def test_a_secret_that_may_not_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.delenv("API_TOKEN_FILE")
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(SystemExit) as stop:
        load()
    assert stop.value.code == (
        "bad settings: API_TOKEN_FILE: cannot read /run/secrets/api_token: Permission denied"
    )


def test_a_token_that_cannot_be_read_is_not_shown_either(token_file: Path) -> None:
    token_file.write_bytes(b"open-sesame\xff")
    with pytest.raises(SystemExit, match=r"API_TOKEN_FILE: cannot read .+ UTF-8") as stop:
        load()
    assert "open-sesame" not in str(stop.value)
