"""Django's settings. What differs between environments comes from environment variables."""

import logging
import os
import secrets
from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import load_backend


def read_flag(name: str) -> bool:
    """Return the value of an environment variable that is true, false or not set."""
    value = os.environ.get(name) or "false"
    if value.lower() not in ("true", "false"):
        raise ImproperlyConfigured(f"{name} must be true or false, but it is {value!r}.")
    return value.lower() == "true"


def read_secret(name: str) -> str:
    """Return the content of a secret's file, or an empty string if there is no such file."""
    path = Path(os.environ.get(f"{name}_FILE") or f"/run/secrets/{name.lower()}")
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error}.") from None


BASE_DIR = Path(__file__).resolve().parent.parent
SERVICE_VERSION = os.environ.get("SERVICE_VERSION", "0.0.0-dev")

SECRET_KEY = read_secret("SECRET_KEY")
if not SECRET_KEY:
    # gunicorn's workers share this key, because they are forked after this file was imported.
    SECRET_KEY = secrets.token_urlsafe(64)
    logging.getLogger(__name__).warning("No secret key is set: sessions end with this process.")

DEBUG = read_flag("DEBUG")

# The names of this site, separated by commas. The last one is its name in a compose file.
DEFAULT_HOSTS = "localhost,127.0.0.1,[::1],bookings"
hosts = os.environ.get("ALLOWED_HOSTS") or DEFAULT_HOSTS
ALLOWED_HOSTS = [host.strip() for host in hosts.split(",")]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "bookings",
]

MIDDLEWARE = [
    # First, because the other middleware rejects health checks.
    "bookings.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "bookings.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

WSGI_APPLICATION = "bookings.wsgi.application"

# The default database is for a first try: it is lost when the container ends.
try:
    database = dj_database_url.parse(
        os.environ.get("DATABASE_URL") or "sqlite:////tmp/db.sqlite3",
        conn_max_age=60,
        conn_health_checks=True,
    )
    load_backend(database["ENGINE"])  # Find a driver that is not installed.
except (ImportError, ValueError, ImproperlyConfigured) as error:
    raise ImproperlyConfigured(f"DATABASE_URL cannot be used: {error}") from None
if password := read_secret("DATABASE_PASSWORD"):
    database["PASSWORD"] = password
if database["ENGINE"] == "django.db.backends.postgresql":
    database.setdefault("OPTIONS", {}).setdefault("connect_timeout", 2)
DATABASES = {"default": database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Browsers may keep static files forever: their names change with their content.
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# For a service that is reached through a TLS proxy only.
HTTPS_ONLY = read_flag("HTTPS_ONLY")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS_ONLY else 0
# Whether HSTS covers subdomains and browsers preload it is a decision for the whole domain.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
