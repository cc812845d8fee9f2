"""The settings, read from environment variables and from secret files of the same name."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS = Path("/run/secrets")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        secrets_dir=SECRETS if SECRETS.is_dir() else None, hide_input_in_errors=True
    )
    service_version: str = "0.0.0-dev"
    api_token: SecretStr = SecretStr("")
