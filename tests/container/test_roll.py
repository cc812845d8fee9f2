"""A new version under load: behind the proxy no request is lost, and a bad version changes nothing."""

import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from groups import services
from testing import ROOT
from testing.checklist import gather, missing
from testing.docker import docker, free_port, get, inspect
from testing.load import Load, Request
from testing.process import run
from testing.service import Service
from testing.template import generate

# No starter takes POST at this path, so each of them answers it like this, by its own code.
REQUESTS = (Request("GET", "/healthz"), Request("POST", "/healthz", b"body", status=405))


@pytest.fixture(scope="module", params=services("default", "flask"))
def proxied(
    request: pytest.FixtureRequest, built: Callable[[str], Service], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service behind the proxy, with the image of one that is built already."""
    run(ROOT / "engine" / "build-haproxy")
    original = built(request.param)
    folder = tmp_path_factory.mktemp("proxied")
    answers = {"service_name": original.name, "framework": original.answers["framework"], "targets": ["proxy"]}
    project = generate(folder / original.name, **answers)
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost").private_key_and_cert_chain_pem
    certificate.write_to_path(folder / "tls.pem")
    (folder / "tls.pem").chmod(0o644)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    environment = {
        f"{original.prefix}_TLS_FILE": str(folder / "tls.pem"),
        f"{original.prefix}_TLS_PORT": str(free_port()),
    }
    service = Service(project, run_id=original.run_id, env=environment)
    with service.production():
        yield service


def roll(service: Service, image: str) -> subprocess.CompletedProcess[str]:
    """Run the generated script as its README says."""
    environment = service.env | {f"{service.prefix}_IMAGE": image}
    return run("sh", "docker/roll.sh", cwd=service.project, env=environment, check=False)


def replicas(service: Service) -> set[str]:
    return set(service.compose("ps", "--all", "--quiet", service.name).stdout.split())


def load(service: Service) -> Load:
    """Clients that speak HTTPS to the proxy."""
    folder = service.project.parent
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    return Load(f"https://localhost:{service.env[f'{service.prefix}_TLS_PORT']}", REQUESTS, context=context)


def test_rolls_lose_no_request_and_leave_new_replicas_alone(proxied: Service):
    with load(proxied) as clients:
        for _ in range(3):
            before = replicas(proxied)
            rolled = roll(proxied, proxied.image)
            assert rolled.returncode == 0, rolled.stderr
            assert len(replicas(proxied)) == 2 and not replicas(proxied) & before
        clients.wait_for(1)
    assert clients.failed == 0 and clients.total > 500, str(clients)
    print(clients)


@pytest.mark.parametrize("command", ["raise SystemExit(3)"])
def test_a_bad_version_is_removed_and_no_request_is_lost(proxied: Service, tmp_path: Path, command: str):
    bad = f"{proxied.name}:bad-{proxied.run_id}"
    (tmp_path / "Dockerfile").write_text(f'FROM {proxied.image}\nCMD ["python", "-c", "{command}"]\n')
    docker("build", "--quiet", "--tag", bad, tmp_path)
    try:
        before = replicas(proxied)
        with load(proxied) as clients:
            rolled = roll(proxied, bad)
            clients.wait_for(100)
        assert rolled.returncode == 1
        assert rolled.stderr.splitlines()[-1] == "roll: the new version is not healthy, so the old one goes on"
        assert replicas(proxied) == before
        assert clients.failed == 0, str(clients)
    finally:
        docker("image", "rm", "--force", bad)


def test_without_tls_the_proxy_redirects_to_it(proxied: Service):
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    opener = urllib.request.build_opener(Stay)
    with pytest.raises(OSError, match="308"):
        opener.open(proxied.url("/healthz"))


def test_the_proxy_is_confined_and_the_service_is_not_published(proxied: Service):
    assert missing(gather(proxied, f"{proxied.name}-proxy")) == {}
    for replica in replicas(proxied):
        assert not inspect(replica)["NetworkSettings"]["Ports"].get("8000/tcp")


@pytest.mark.xdist_group("production")
def test_without_the_proxy_a_roll_loses_requests(default: Service):
    """The negative control: the clients see what the proxy prevents."""
    with default.second_stack() as service, service.production():
        assert get(service.url("/healthz"))[0] == 200
        with Load(service.url(""), REQUESTS) as clients:
            clients.wait_for(50)
            service.compose("up", "--detach", "--wait", "--force-recreate")
        assert clients.failed > 0, str(clients)
