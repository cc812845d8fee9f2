"""The answers that the tests generate projects with.

The names in the table are used throughout: tests/render checks the output of every entry,
tests/update updates those of UPDATED, and tests/container builds those of BUILT.
"""

import os
from typing import Any

# The longest name that the template accepts.
LONG_NAME = "a-service-with-a-name-of-forty-character"

SERVICES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "pip": {"installer": "pip"},
    "no-bytecode": {"bytecode": False},
    "pip-no-bytecode": {"installer": "pip", "bytecode": False},
    "packages": {"build_packages": "libpq-dev libffi-dev", "runtime_packages": "libpq5 libffi8"},
    "pip-packages": {
        "installer": "pip",
        "flavor": "slim",
        "build_packages": "[libpq-dev]",
        "runtime_packages": "libpq5, libffi8",
    },
    "python-3.11": {"python_version": "3.11"},
    "python-3.12": {"python_version": "3.12", "installer": "pip"},
    "python-3.14": {"python_version": "3.14", "bytecode": False},
    "python-3.15": {"python_version": "3.15"},
    "short-name": {"service_name": "a", "port": "1024", "cpu_limit": "0.25", "memory_limit": "64M"},
    "long-name": {
        "service_name": LONG_NAME,
        "description": "It's the longest: " + "ä" * 102,
        "registry": "registry.example.com:5000/a-team/with-a-long-name/and-folders",
        "port": "65535",
        "health_path": "/internal/health/live",
        "cpu_limit": "16",
        "memory_limit": "12g",
        "pids_limit": "4096",
    },
    # Every answer that differs from the default and can be built without a shared base image.
    "least-usual": {
        "service_name": "least-usual",
        "flavor": "slim",
        "installer": "pip",
        "bytecode": False,
        "build_packages": "libpq-dev",
        "runtime_packages": "libpq5",
        "port": "9000",
        "health_path": "/alive",
        "cpu_limit": "0.5",
        "memory_limit": "192m",
        "pids_limit": "64",
    },
    "no-prune": {"prune": False},
    "proxy": {"targets": ["proxy"]},
    "upstream-slim": {"flavor": "slim", "compression": "gzip"},
    "slim-untouched": {"flavor": "slim", "prune": False, "bytecode": False},
    "no-ci": {"ci": "none"},
    # The image and its base are in two registries, each with a password.
    "gitlab": {
        "ci": "gitlab",
        "registry": "registry.example.com:5000/team",
        "base": "shared",
        "base_image": "base.example.com/python-base",
        "targets": ["proxy"],
    },
    "distroless": {"base": "shared"},
    "distroless-packages": {
        "base": "shared",
        "base_image": "registry.example.com/team/python-base",
        "build_packages": "libpq-dev",
        "runtime_packages": "libpq5",
    },
    "slim": {"base": "shared", "flavor": "slim", "installer": "pip", "prune": False},
    "slim-packages": {
        "base": "shared",
        "flavor": "slim",
        "build_packages": "libpq-dev",
        "runtime_packages": "libpq5",
        "bytecode": False,
        "python_version": "3.14",
    },
}

# The starters besides FastAPI's, which all entries above have.
STARTERS = ("flask", "django", "worker")
for starter in STARTERS:
    SERVICES[starter] = {"framework": starter}
    SERVICES[f"{starter}-least-usual"] = {
        "framework": starter,
        "base": "shared",
        "installer": "pip",
        "bytecode": False,
        "service_name": LONG_NAME,
    }

# Each starter for Kubernetes.
KUBERNETES: dict[str, dict[str, Any]] = {
    f"kubernetes-{starter}": {"framework": starter, "targets": ["kubernetes"]} for starter in ("fastapi", *STARTERS)
}
KUBERNETES["kubernetes-worker"]["ci"] = "gitlab"
SERVICES |= KUBERNETES

EXISTING: dict[str, dict[str, Any]] = {
    "existing": {
        "source": "existing",
        "app_dir": "manage.py mysite, apps/blog/",
        "requirements_file": "requirements/production.txt",
        "start_command": """gunicorn "mysite.wsgi:make('a b')" --bind 0.0.0.0:8080""",
        "port": "8080",
        "health_path": "/health",
    },
    "existing-on-slim": {"source": "existing", "base": "shared", "flavor": "slim", "installer": "pip"},
    "existing-heartbeat": {"source": "existing", "port": "", "heartbeat_file": "/tmp/alive", "bytecode": False},
    "existing-neither": {
        "source": "existing",
        "port": "",
        "base": "shared",
        "flavor": "distroless",
        "runtime_packages": "libpq5",
    },
    "existing-on-distroless": {"source": "existing", "flavor": "distroless", "build_packages": "libpq-dev"},
    "existing-proxy": {
        "source": "existing",
        "app_dir": "shop",
        "start_command": "gunicorn shop.wsgi --bind 0.0.0.0:8000",
        "health_path": "/",
        "health_host": "shop.example.com",
        "health_https": True,
        "release_command": "alembic upgrade head",
        "processes": [{"name": "mails", "command": "python -m shop.mails"}],
        "targets": ["proxy"],
    },
    # The questions of questions/existing.yml: these entries answer each one otherwise than by its default.
    "existing-files": {
        "source": "existing",
        "requirements_file": "requirements.txt, deploy/production.txt",
        "requirements_includes": "constraints.txt",
        "extra_requirements": "colorama<1 idna==3.10",
        "app_dir": "reports",
        "installer": "pip",
        "build_commands": "python -m reports.compile",
        "data_dirs": "/app/reports/cache",
        "environment": "REPORTS_LANGUAGE=de",
    },
    "existing-uv-lock": {
        "source": "existing",
        "base": "shared",
        "flavor": "slim",
        "requirements_file": "uv.lock",
        "extras": "server, metrics",
        "groups": "production",
        "app_dir": "migrations alembic.ini",
        "local_packages": ". packages/common",
        "package_files": "src README.md",
        "start_command": "notes-server --port 8080",
        "release_command": "alembic upgrade head",
        "port": "8080",
        "health_path": "/?check=live",
    },
    "existing-workspace": {
        "source": "existing",
        "flavor": "distroless",
        "requirements_file": "uv.lock",
        "workspace_member": "api",
        "app_dir": "",
        "local_packages": "packages/api packages/greetings",
        "start_command": "gunicorn api:app --bind 0.0.0.0:8000",
        "environment": "LANGUAGE=en WEB_CONCURRENCY=2",
        "stop_signal": "SIGINT",
    },
    "existing-poetry": {
        "source": "existing",
        "base": "shared",
        "flavor": "distroless",
        "requirements_file": "backend/poetry.lock",
        "groups": "production metrics",
        "extras": "postgres",
        "app_dir": "backend/src",
        "assets_lock": "frontend/bun.lock",
        "assets_output": "frontend/dist",
        "build_commands": "python -m backend.compile",
        "bytecode": False,
        "port": "",
        "heartbeat_file": "/tmp/alive",
        "processes": [{"name": "purge", "command": "python -m backend.purge"}],
    },
    "existing-pylock": {
        "source": "existing",
        "requirements_file": "pylock.production.toml",
        "extras": "server",
        "groups": "production",
        "bytecode": False,
        "prune": False,
        "assets_lock": "pnpm-lock.yaml",
        "assets_files": "assets/ vite.config.js",
        "data_dirs": "/data",
        "health_https": True,
    },
    "existing-everything": {
        "source": "existing",
        "service_name": "orders",
        "flavor": "distroless",
        "requirements_file": "requirements.txt",
        "app_dir": "manage.py orders sales",
        "build_packages": "libpq-dev",
        "runtime_packages": "libpq5",
        "start_command": "gunicorn orders.wsgi --bind 0.0.0.0:8000",
        "assets_lock": "frontend/package-lock.json",
        "assets_files": "frontend/src",
        "assets_command": "npm run bundle",
        "assets_output": "frontend/dist, sales/static/sales",
        "build_commands": (
            "SECRET_KEY=build python manage.py collectstatic --noinput && python manage.py compilemessages"
        ),
        "build_network": True,
        "build_outputs": "/srv/static",
        "release_command": "python manage.py migrate --noinput",
        "processes": [
            {
                "name": "worker",
                "command": "celery -A orders worker --include celery_heartbeat",
                "replicas": 2,
                "cpu_limit": 2,
                "memory_limit": "512m",
                "pids_limit": 64,
                "stop_signal": "SIGQUIT",
                "stop_grace_period": 300,
            },
            {"name": "beat", "command": "celery -A orders beat --schedule /tmp/celerybeat-schedule --pidfile="},
            {"name": "stream", "command": "daphne -p 8001 orders.asgi:app", "port": 8001, "health_path": "/live"},
            {"name": "mails", "command": "python manage.py mails", "heartbeat_file": "/tmp/mails"},
            {"name": "flower", "command": "celery -A orders flower", "health_command": "python -m orders.flower"},
        ],
        "data_dirs": "/app/media /data",
        "health_host": "orders.example.com",
        "health_https": True,
        "start_period": "120",
        "stop_grace_period": "60",
        "environment": "DJANGO_SETTINGS_MODULE=orders.settings.production WEB_CONCURRENCY=2",
    },
}

EXISTING["kubernetes-existing"] = EXISTING["existing-everything"] | {"targets": ["kubernetes"]}
# Without a port, and so without all that a port brings.
EXISTING["kubernetes-existing-worker"] = {
    "source": "existing",
    "service_name": LONG_NAME,
    "registry": SERVICES["long-name"]["registry"],
    "start_command": "celery -A shop worker",
    "port": "",
    "release_command": "python -c 'print(1)'",
    "processes": [{"name": "web", "command": "daphne -p 8001 shop.asgi:app", "port": 8001, "health_path": "/a?b=c"}],
    "targets": ["kubernetes"],
}
KUBERNETES |= {name: EXISTING[name] for name in ("kubernetes-existing", "kubernetes-existing-worker")}

BASE_IMAGES: dict[str, dict[str, Any]] = {
    "base": {"kind": "base-image"},
    "base-every-python": {
        "kind": "base-image",
        "image_name": "the-python-that-our-services-all-use",
        "python_versions": ["3.11", "3.12", "3.13", "3.14", "3.15"],
        "runtime_packages": "libpq5 libffi8",
        "registry": "registry.example.com:5000/platform",
        "ci": "gitlab",
    },
}

# The services above that can be deployed to a Swarm, too.
SERVICES["swarm-fastapi"] = {"targets": ["swarm"]}
SERVICES["swarm-long-name"] = SERVICES["long-name"] | {"targets": ["swarm"]}
for starter in STARTERS:
    SERVICES[f"swarm-{starter}"] = {"framework": starter, "targets": ["swarm"]}
SERVICES["swarm-django"]["ci"] = "gitlab"
EXISTING["swarm-existing"] = EXISTING["existing-everything"] | {"targets": ["swarm"]}
EXISTING["swarm-existing-worker"] = EXISTING["existing-poetry"] | {"service_name": LONG_NAME, "targets": ["swarm"]}
SWARM = [name for name in SERVICES | EXISTING if name.startswith("swarm-")]

# One entry for each form that a pipeline has.
PIPELINES = (
    *("defaults", "distroless-packages", "long-name", "kubernetes-fastapi", "base"),
    *("gitlab", "swarm-django", "kubernetes-worker", "base-every-python"),
)

LAYOUTS = SERVICES | EXISTING
MATRIX = LAYOUTS | BASE_IMAGES

# Services that existed before the template (tests/fixtures), and the answers of their owners.
ADOPTED: dict[str, dict[str, str]] = {
    "shop": {
        "app_dir": "shop",
        "start_command": 'gunicorn --bind 0.0.0.0:8000 "shop:create_app()"',
        "health_path": "/health",
    },
    "site": {
        "app_dir": "manage.py mysite blog",
        "requirements_file": "requirements/production.txt",
        "start_command": "gunicorn mysite.wsgi:application --bind 0.0.0.0:8080 --worker-tmp-dir /dev/shm",
        "port": "8080",
        "health_path": "/healthz/",
    },
    "consumer": {
        "app_dir": "consumer",
        "start_command": "python -m consumer",
        "port": "",
        "heartbeat_file": "/tmp/consumer.alive",
        "flavor": "distroless",
        "build_packages": "libpq-dev",
        "runtime_packages": "libpq5",
    },
}

# The entries that tests/update updates, from each release that has their questions.
UPDATED = {name: MATRIX[name] for name in ("defaults", "least-usual", "distroless-packages", *STARTERS, "base")}

# The services that tests/container builds and runs. Those on a shared base get the answer
# `base_image` when the base image is built.
BUILT: dict[str, dict[str, Any]] = {
    "default": SERVICES["defaults"],
    "least_usual": SERVICES["least-usual"],
}
for flavor in ("slim", "distroless"):
    on_base = {"base": "shared", "flavor": flavor}
    BUILT[flavor] = on_base | {"build_packages": "libpq-dev", "runtime_packages": "libpq5"}
# ssh-agent has a setgid bit in Debian.
BUILT["slim"]["runtime_packages"] += " openssh-client"
for starter in STARTERS:
    BUILT[starter] = {"framework": starter}
    for flavor in ("slim", "distroless"):
        BUILT[f"{starter}-{flavor}"] = {"framework": starter, "base": "shared", "flavor": flavor}
# The other starters are on the distroless flavor, which is the default.
BUILT["flask"] = {"framework": "flask", "flavor": "slim"}

# tests/mutants runs a test on few entries, which takes seconds: ANSWERS names them.
if chosen := os.environ.get("ANSWERS"):
    SWARM = [name for name in SWARM if name in chosen.split()]
    for table in (SERVICES, KUBERNETES, EXISTING, BASE_IMAGES, LAYOUTS, MATRIX):
        for name in table.keys() - set(chosen.split()):
            del table[name]
