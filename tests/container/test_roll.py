"""A new version under load: behind the proxy no request is lost, and a bad version changes nothing."""

import os
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from groups import services
from testing import ROOT
from testing.checklist import gather, missing
from testing.docker import docker, get, inspect
from testing.load import Load, Request
from testing.process import run
from testing.rolls import EXITS, NEWER, behind_proxy, roll, tls_load, variants
from testing.service import Service
from testing.template import generate
from testing.waiting import wait_until

# No starter takes POST at this path, so each of them answers it like this, by its own code.
REQUESTS = (Request("GET", "/healthz"), Request("POST", "/healthz", b"body", status=405))


# What depends on the proxy and the script alone is tested on one framework.
ONE = pytest.mark.parametrize("proxied", services("default"), indirect=True)


@pytest.fixture(scope="module", params=services("default", "flask"))
def proxied(
    request: pytest.FixtureRequest, built: Callable[[str], Service], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service behind the proxy, with the image of one that is built already."""
    run(ROOT / "engine" / "build-haproxy")
    original = built(request.param)
    answers = {"service_name": original.name, "framework": original.answers["framework"], "targets": ["proxy"]}
    project = generate(tmp_path_factory.mktemp("proxied") / original.name, **answers)
    service = behind_proxy(project, original.run_id)
    with service.production():
        yield service


def replicas(service: Service) -> set[str]:
    return set(service.compose("ps", "--all", "--quiet", service.name).stdout.split())


def test_rolls_lose_no_request_and_leave_new_replicas_alone(proxied: Service):
    with variants(proxied.image, newer=NEWER) as tags, tls_load(proxied, REQUESTS) as clients:
        for image in (tags["newer"], proxied.image, tags["newer"]):
            before = replicas(proxied)
            rolled = roll(proxied, image)
            assert rolled.returncode == 0, rolled.stderr
            after = replicas(proxied)
            assert len(after) == 2 and not after & before
            assert {inspect(replica)["Config"]["Image"] for replica in after} == {image}
        clients.wait_for(1)
    assert clients.failed == 0 and clients.total > 500, str(clients)
    print(clients)


@ONE
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param(EXITS, "healthy", id="exits"),
        # Docker's health check follows the variable, so only the proxy finds no service.
        pytest.param("ENV PORT=9000", "ready", id="not ready"),
    ],
)
def test_a_bad_version_is_removed_and_no_request_is_lost(proxied: Service, line: str, problem: str):
    script = proxied.project / "docker" / "roll.sh"
    script.write_text(script.read_text().replace("-lt 90 ]", "-lt 10 ]"))
    before = replicas(proxied)
    with variants(proxied.image, bad=line) as tags, tls_load(proxied, REQUESTS) as clients:
        rolled = roll(proxied, tags["bad"])
        clients.wait_for(100)
    assert rolled.returncode == 1
    assert rolled.stderr.splitlines()[-1] == f"roll: the new version is not {problem}, so the old version goes on"
    assert replicas(proxied) == before
    assert clients.failed == 0, str(clients)


@ONE
def test_an_interrupted_roll_leaves_the_old_version_alone(proxied: Service):
    before = replicas(proxied)
    with tls_load(proxied, REQUESTS) as clients:
        rolling = subprocess.Popen(
            ["sh", "docker/roll.sh"],
            cwd=proxied.project,
            env=os.environ | proxied.env,
            stderr=subprocess.PIPE,
            text=True,
            # As Ctrl-C does, the signal reaches all processes of the script.
            start_new_session=True,
        )
        wait_until("new replicas run", lambda: len(replicas(proxied)) == 4)
        assert roll(proxied, proxied.image).stderr == "roll: another roll is running\n"
        os.killpg(rolling.pid, signal.SIGINT)
        assert rolling.communicate()[1].splitlines()[-1] == "roll: interrupted, so the old version goes on"
    assert rolling.returncode == 1 and replicas(proxied) == before
    assert clients.failed == 0, str(clients)


@ONE
def test_a_version_that_does_not_run_is_replaced_and_stopped_replicas_are_removed(proxied: Service):
    with variants(proxied.image, exits=EXITS) as tags:
        broken = {f"{proxied.prefix}_IMAGE": tags["exits"]}
        proxied.compose("up", "--detach", "--no-deps", "--force-recreate", proxied.name, **broken)
        docker("stop", max(replicas(proxied)))
        before = replicas(proxied)
        rolled = roll(proxied, proxied.image)
    assert rolled.returncode == 0, rolled.stderr
    assert not replicas(proxied) & before
    with tls_load(proxied, REQUESTS) as clients:
        clients.wait_for(100)
    assert clients.failed == 0, str(clients)


@ONE
def test_without_tls_the_proxy_redirects_to_it(proxied: Service):
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    opener = urllib.request.build_opener(Stay)
    with pytest.raises(OSError, match="308"):
        opener.open(proxied.url("/healthz"))


@ONE
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
