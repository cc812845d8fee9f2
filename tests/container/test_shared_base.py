"""The shared base image, through a registry, and what services get from it."""

import json
import shutil
from pathlib import Path

import pytest
import trustme

from testing.docker import docker, inspect
from testing.process import TOOLS, run
from testing.service import BaseImage, Service
from testing.template import generate

pytestmark = pytest.mark.xdist_group("shared")


def test_the_base_passes_the_tests_of_its_own_structure(base: BaseImage):
    (base.project / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(TOOLS / "container-structure-test", base.project / ".venv" / "bin")
    said = base.make("test").stdout
    assert said.count("FAIL") == 0 and said.count("PASS") > 40, said
    base.forget()


def test_a_build_with_a_wrong_python_version_ends_and_names_the_right_one(base: BaseImage):
    options = ("--target", "files", "--build-arg", "PYTHON_VERSION=3.13.999")
    refused = run("docker", "build", *options, base.project, check=False)
    assert refused.returncode
    assert "PYTHON_VERSION is '3.13.999', but the python:3.13 image has 3.13." in refused.stderr


def test_an_app_reads_the_full_python_version(slim: Service, distroless: Service):
    code = "import os, platform; print(os.environ['PYTHON_VERSION'], platform.python_version())"
    for service in (slim, distroless):
        named, actual = service.sandbox("python", "-c", code).stdout.split()
        assert named == actual


def test_dns_and_https_work_from_inside_distroless(distroless: Service, tmp_path: Path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("tls-server").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    tmp_path.chmod(0o755)
    serve = (
        "import http.server, ssl\n"
        "server = http.server.HTTPServer(('', 8443), http.server.SimpleHTTPRequestHandler)\n"
        "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain('/tls/server.pem')\n"
        "server.socket = context.wrap_socket(server.socket, server_side=True); server.serve_forever()"
    )
    ask = (
        "import time, urllib.request, urllib.error\n"
        "for _ in range(50):\n"
        "    try: print(urllib.request.urlopen('https://tls-server:8443/').status); break\n"
        "    except urllib.error.URLError as error:\n"
        "        if 'refused' not in str(error): raise\n"
        "        time.sleep(0.1)"
    )
    network = f"tls-{distroless.run_id}"
    mounted = ("--network", network, "--volume", f"{tmp_path}:/tls:ro")
    docker("network", "create", network)
    try:
        server = ("run", "--detach", "--rm", "--name", network, "--network-alias", "tls-server", *mounted)
        docker(*server, distroless.image, "python", "-c", serve)
        trusting = (*mounted, "--env", "SSL_CERT_FILE=/tls/ca.pem")
        assert distroless.sandbox("python", "-c", ask, user="10001", options=trusting).stdout.strip() == "200"
        stranger = distroless.sandbox("python", "-c", ask, user="10001", options=mounted, check=False)
        assert "CERTIFICATE_VERIFY_FAILED" in stranger.stderr
    finally:
        docker("rm", "--force", network, check=False)
        docker("network", "rm", network)


def test_distroless_has_no_shell_and_no_package_manager(distroless: Service):
    for program in ("sh", "bash", "apt", "apt-get", "dpkg", "busybox", "perl"):
        result = distroless.sandbox(program, check=False)
        assert result.returncode == 127 and "executable file not found" in result.stderr, program


def test_a_scanner_finds_every_package_and_every_distribution(distroless: Service, tmp_path: Path):
    docker("save", "--output", tmp_path / "image.tar", distroless.image)
    found = run(
        TOOLS / "syft",
        f"docker-archive:{tmp_path}/image.tar",
        "--output",
        "json",
        env={"SYFT_CHECK_FOR_APP_UPDATE": "false"},
    )
    artifacts = json.loads(found.stdout)["artifacts"]
    debian = {artifact["name"] for artifact in artifacts if artifact["type"] == "deb"}
    assert {"libc6", "libssl3t64", "libpq5", "libkrb5-3", "ca-certificates", "tzdata", "base-files"} <= debian
    python = {artifact["name"].lower().replace("_", "-") for artifact in artifacts if artifact["type"] == "python"}
    code = "import importlib.metadata as m; print(*{d.name.lower().replace('_', '-') for d in m.distributions()})"
    there = set(distroless.sandbox("python", "-c", code).stdout.split())
    assert len(there) > 10 and there <= python, there - python


def test_a_new_release_of_the_base_reaches_a_service_by_a_rebuild_alone(base: BaseImage, distroless: Service):
    script = base.project / "scripts" / "healthcheck.py"
    text = script.read_text()
    read = "print(open('/usr/local/bin/healthcheck.py').read())"
    assert base.version not in distroless.sandbox("python", "-c", read).stdout
    script.write_text(f"{text}\n# patched in {base.version}\n")
    try:
        base.make("build")
        base.publish()
        distroless.build()
        assert base.version in distroless.sandbox("python", "-c", read).stdout
        with distroless.production():
            assert distroless.health == "healthy"
    finally:
        script.write_text(text)
        base.make("build")
        base.publish()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            ("contract=2.1", "contract=3.1"),
            "this service was made for contract 2.0, but its base provides 3.1: update the service",
        ),
        (
            ("contract=2.1", "contract=1.9"),
            "this service was made for contract 2.0, but its base provides 1.9: use a newer base",
        ),
        (("version=", "version=9."), "the builder has version"),
    ],
)
def test_a_base_that_breaks_the_contract_ends_the_build_with_one_line(
    base: BaseImage, folder: Path, tmp_path: Path, change: tuple[str, str], sentence: str
):
    record = "/usr/local/share/base-image/contract"
    for flavor in ("builder", "slim"):
        docker("pull", base.tag(flavor))
    kept = docker("run", "--rm", "--entrypoint", "cat", base.tag("slim"), record)
    (tmp_path / "contract").write_text(kept.replace(*change) + "\n")
    broken = base.name.replace("python-base", f"broken-{base.version}")
    (tmp_path / "Dockerfile").write_text(f"FROM {base.tag('slim')}\nCOPY contract {record}\n")
    docker("build", "--quiet", "--tag", f"{broken}:3.13-slim", tmp_path)
    docker("tag", base.tag("builder"), f"{broken}:3.13-builder")
    for flavor in ("builder", "slim"):
        docker("push", f"{broken}:3.13-{flavor}")
    service = Service(generate(tmp_path / "service", base="shared", flavor="slim", base_image=broken))
    try:
        refused = service.make("build", check=False)
        assert refused.returncode
        lines = [line for line in refused.stderr.splitlines() if "base-contract: " in line and "RUN" not in line]
        assert sentence in lines[0], refused.stderr
    finally:
        docker("image", "rm", "--force", f"{broken}:3.13-slim", f"{broken}:3.13-builder", check=False)
        base.forget()


def test_an_operator_looks_into_a_distroless_service_with_the_debug_flavor(base: BaseImage):
    said = docker("run", "--rm", base.tag("debug"), "sh", "-c", "id -u; ls /usr/local/bin; python -c 'print(6 * 7)'")
    assert said.splitlines()[0] == "10001" and said.splitlines()[-1] == "42"
    assert inspect(base.tag("debug"))["Config"]["User"] == "10001:10001"
    base.forget()
