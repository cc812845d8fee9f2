from typing import Any

import pytest


@pytest.fixture(autouse=True)
def static_files_from_the_source(settings: Any) -> None:
    """Do without the files that `collectstatic` would collect."""
    settings.WHITENOISE_AUTOREFRESH = True
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": backend}}
