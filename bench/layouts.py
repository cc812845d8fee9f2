"""The apps that are measured, and the layouts in which they are built.

An app is a folder of bench/apps: what it adds to a starter of this template, or has instead of it.
A layout is either a Dockerfile of bench/dockerfiles, written from the description of its kind, or a
service that this template generates.
"""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.measure import build, docker
from testing import ROOT
from testing.template import generate

HERE = Path(__file__).parent
TAG = "bench-of-layouts"
BASE, DISTROLESS = f"{TAG}-base", f"{TAG}-distroless"
SOURCE = "src/field_app/__main__.py"
LIBPQ = {"build_packages": "libpq-dev", "runtime_packages": "libpq5"}
DOCKERFILES = Environment(
    loader=FileSystemLoader(HERE / "dockerfiles"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,
)


class App(NamedTuple):
    """An app.

    `path` is put under load, and `imports` is the Python code that loads what the app needs to
    answer. `cold` is the number of cold builds: each takes minutes for all layouts.
    """

    description: str
    starter: str
    packages: dict[str, str]
    path: str
    imports: str
    cold: int = 1


FASTAPI = """
from importlib.util import find_spec
from uvicorn import Config
Config("field_app.main:app").load()
if find_spec("uvloop"):
    import uvloop
"""
DJANGO = """
import field_app.wsgi, gunicorn.app.wsgiapp, gunicorn.workers.gthread
"""
APPS = {
    "small": App("FastAPI alone", "fastapi", {}, "/", FASTAPI, cold=2),
    "typical": App(
        "FastAPI, SQLAlchemy, psycopg2 from source, httpx and uvicorn[standard]",
        "fastapi",
        LIBPQ,
        "/items",
        FASTAPI,
    ),
    "django": App("Django with static files", "django", {}, "/", DJANGO, cold=2),
    "heavy": App("FastAPI with pandas, scikit-learn and pyarrow", "fastapi", {}, "/items", FASTAPI),
}


class Layout(NamedTuple):
    """A layout; `prepare` writes the app in this layout to a folder that does not exist."""

    description: str
    is_ours: bool
    prepare: Callable[[str, Path], None]


def generate_with(app: str, folder: Path, **answers: object) -> None:
    """Generate a service that contains the app."""
    chosen = APPS[app]
    generate(folder, service_name="field-app", framework=chosen.starter, **chosen.packages, **answers)
    own = HERE / "apps" / app
    if (own / "requirements.txt").exists():
        shutil.rmtree(folder / "src")
        shutil.copy(own / "requirements.txt", folder)
    shutil.copytree(own / "src", folder / "src", dirs_exist_ok=True)


def locked(package: str, lock: str) -> str:
    """Return what a lock of this repository has for a package: its version and hashes."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text()
    found = re.search(rf"^{package}==(?:.*\\\n)*.*\n", text, re.MULTILINE)
    assert found, f"{package} is not in locks/{lock}.txt"
    return found[0]


def written_by_hand(name: str) -> Callable[[str, Path], None]:
    def prepare(app: str, folder: Path) -> None:
        service = folder.with_name(f"{folder.name}-generated")
        generate_with(app, service)
        folder.mkdir()
        for part in ("src", "requirements.txt"):
            shutil.move(service / part, folder)
        if name == "debian-distroless" and not docker("image", "ls", "--quiet", DISTROLESS):
            base = folder.with_name("distroless")
            base.mkdir()
            shutil.copy(HERE / "dockerfiles/distroless-base.Dockerfile", base / "Dockerfile")
            build(base, DISTROLESS)
        text = DOCKERFILES.get_template(f"{name}.Dockerfile.jinja").render(
            compiled=bool(APPS[app].packages),
            static=APPS[app].starter == "django",
            distroless=DISTROLESS,
            gunicorn=locked("gunicorn", "django").split()[0].partition("==")[2],
            uvicorn_worker="0.4.0",
        )
        (folder / "Dockerfile").write_text(text)

    return prepare


def on_official_image(flavor: str) -> Callable[[str, Path], None]:
    return lambda app, folder: generate_with(app, folder, flavor=flavor)


def on_shared_base(flavor: str) -> Callable[[str, Path], None]:
    def prepare(app: str, folder: Path) -> None:
        if not docker("image", "ls", "--quiet", BASE):
            base = folder.with_name("base")
            generate(base, kind="base-image", image_name=BASE)
            subprocess.run(["make", "-C", base, "build"], check=True, capture_output=True)
        generate_with(app, folder, base="shared", base_image=BASE, flavor=flavor)

    return prepare


LAYOUTS = {
    "before": Layout(
        "one stage, build tools kept, source copied before the packages are installed",
        False,
        written_by_hand("before"),
    ),
    "docker init": Layout(
        "as `docker init` writes it: one stage, requirements by mount, source last",
        False,
        written_by_hand("docker-init"),
    ),
    "uv multi-stage": Layout(
        "as uv's multi-stage example: a venv with bytecode, without uv in the image",
        False,
        written_by_hand("uv-multistage"),
    ),
    "slim, gunicorn": Layout(
        "a competent slim image: two stages, gunicorn with one worker, curl for the health check",
        False,
        written_by_hand("slim-gunicorn"),
    ),
    "Debian distroless": Layout(
        "a venv of Debian's Python on an image without a package manager, as Google's distroless Python",
        False,
        written_by_hand("debian-distroless"),
    ),
    "ours, slim": Layout("`base: upstream`, `flavor: slim`", True, on_official_image("slim")),
    "ours, distroless": Layout(
        "`base: upstream`, `flavor: distroless`: the default", True, on_official_image("distroless")
    ),
    "ours, shared slim": Layout("`base: shared`, `flavor: slim`", True, on_shared_base("slim")),
    "ours, shared distroless": Layout("`base: shared`, `flavor: distroless`", True, on_shared_base("distroless")),
}
DEFAULT = "ours, distroless"


def use_own_caches(folder: Path, run: str) -> None:
    """Give the cache mounts of a Dockerfile names of their own, so that they are empty in the first build."""
    file = folder / "Dockerfile"
    text = file.read_text()
    file.write_text(re.sub(r"type=cache,target=([^ ,]+)", rf"type=cache,id={run}\1,target=\1", text))


def remove_bases() -> None:
    """Remove the base images that the layouts have made."""
    for name in (BASE, DISTROLESS):
        tags = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", name).split()
        if tags:
            docker("image", "rm", "--force", *tags)
