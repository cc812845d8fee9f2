"""New versions of a service: images that differ by a line, and a service behind the generated proxy."""

import contextlib
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import trustme

from testing.docker import docker, free_port
from testing.load import Load, Request
from testing.process import run
from testing.service import Service

# What a Dockerfile adds to a good image.
NEWER = 'ENV SERVICE_VERSION="2.0.0"'
EXITS = 'CMD ["python", "-c", "raise SystemExit(1)"]'
UNHEALTHY = 'HEALTHCHECK CMD ["python", "-c", "raise SystemExit(1)"]'

# What `take_orders` adds to the FastAPI starter, and requests for it.
CODE = """

@app.post("/orders", status_code=201)
async def order() -> dict[str, str]:
    await asyncio.sleep(0.01)
    return {"status": "ordered"}
"""
ORDERS = (Request(), Request("POST", "/orders", b"an order", 201))


def take_orders(service: Service) -> None:
    """Add a path that takes POST to a service made from the FastAPI starter."""
    with (service.project / "src" / service.package / "main.py").open("a") as main:
        main.write(CODE)


@contextlib.contextmanager
def variants(image: str, **lines: str) -> Iterator[dict[str, str]]:
    """Build an image for each line of a Dockerfile that starts from `image`; yield the tags by name.

    The images are removed on exit.
    """
    tags = {name: f"{image}-{name}" for name in lines}
    try:
        for name, line in lines.items():
            with tempfile.TemporaryDirectory() as context:
                (Path(context) / "Dockerfile").write_text(f"FROM {image}\n{line}\n")
                docker("build", "--quiet", "--tag", tags[name], context)
        yield tags
    finally:
        docker("image", "rm", "--force", *tags.values(), check=False)


def behind_proxy(project: Path, run_id: str) -> Service:
    """Return the service of a project with the target `proxy`, with the image of the run `run_id`.

    Its certificate is in the folder above the project, with that of the authority which signed it.
    """
    folder = project.parent
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "tls.pem")
    (folder / "tls.pem").chmod(0o644)
    service = Service(project, run_id=run_id)
    service.env |= {
        f"{service.prefix}_TLS_FILE": str(folder / "tls.pem"),
        f"{service.prefix}_TLS_PORT": str(free_port()),
    }
    return service


def tls_load(service: Service, requests: Sequence[Request]) -> Load:
    """Return clients that speak HTTPS to the proxy of the service."""
    context = ssl.create_default_context(cafile=service.project.parent / "ca.pem")
    return Load(f"https://localhost:{service.env[f'{service.prefix}_TLS_PORT']}", requests, context=context)


def roll(service: Service, image: str) -> subprocess.CompletedProcess[str]:
    """Run the generated script as its README says."""
    environment = service.env | {f"{service.prefix}_IMAGE": image}
    return run("sh", "docker/roll.sh", cwd=service.project, env=environment, check=False)
