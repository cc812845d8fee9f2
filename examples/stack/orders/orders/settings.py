import os
from pathlib import Path


def secret(name: str) -> str:
    """Return a secret from its file or, in development, from the variable in upper case."""
    file = Path("/run/secrets", name)
    return file.read_text().strip() if file.exists() else os.environ[name.upper()]


SECRET_KEY = secret("secret_key")
DEBUG = False
# The health check and the proxy ask for localhost.
ALLOWED_HOSTS = ["localhost", *os.environ.get("ALLOWED_HOSTS", "").split()]
SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = ["django.contrib.contenttypes", "sales"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "orders.urls"
WSGI_APPLICATION = "orders.wsgi.application"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("DATABASE_HOST", "localhost"),
        "NAME": "orders",
        "USER": "orders",
        "PASSWORD": secret("database_password"),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"

REDIS_HOST = os.environ.get("REDIS_HOST", "localhost")
CELERY_BROKER_URL = f"redis://:{secret('redis_password')}@{REDIS_HOST}"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A job that a killed worker had begun is done again, after Celery's visibility timeout of an hour.
CELERY_TASK_ACKS_LATE = True
# After SIGQUIT, a worker finishes jobs for this many seconds and gives the others back to Redis.
# After SIGTERM it can hang until it is killed, and what it has fetched waits for an hour.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_TASK_IGNORE_RESULT = True
CELERY_BEAT_SCHEDULE = {"count": {"task": "sales.tasks.count", "schedule": 1.0}}
