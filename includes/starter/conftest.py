from pathlib import Path

import pytest

from {{ package_name }}.settings import Settings


@pytest.fixture(autouse=True)
def token_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keep this machine's settings out of the tests; return where the token's file would be."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    path = tmp_path / "api_token"
    monkeypatch.setenv("API_TOKEN_FILE", str(path))
    return path
