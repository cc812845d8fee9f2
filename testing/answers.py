"""The answers that the tests generate projects with.

The names in the table are used throughout: tests/render checks the output of every entry,
tests/update updates those of UPDATED, and tests/container builds those of BUILT.
"""

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
    "upstream-slim": {"flavor": "slim", "compression": "gzip"},
    "slim-untouched": {"flavor": "slim", "prune": False, "bytecode": False},
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
}

BASE_IMAGES: dict[str, dict[str, Any]] = {
    "base": {"kind": "base-image"},
    "base-every-python": {
        "kind": "base-image",
        "image_name": "the-python-that-our-services-all-use",
        "python_versions": ["3.11", "3.12", "3.13", "3.14", "3.15"],
        "runtime_packages": "libpq5 libffi8",
        "registry": "registry.example.com:5000/platform",
    },
}

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
