"""The settings, read from environment variables of the same name."""

import os
from pathlib import Path

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(hide_input_in_errors=True)
    service_version: str = "0.0.0-dev"
    # The health check reads this variable, too.
    heartbeat_file: Path = Path("/tmp/heartbeat")  # noqa: S108

    @field_validator("heartbeat_file")
    @classmethod
    def is_writable(cls, path: Path) -> Path:
        if not os.access(path.parent, os.W_OK):
            raise ValueError("the folder is missing or not writable")
        return path
