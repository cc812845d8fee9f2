"""A private index behind a CA of its own and a password: nothing is edited, and nothing leaks."""

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from testing.docker import docker, inspect
from testing.private_network import Server, index
from testing.process import run
from testing.service import Service
from testing.template import generate, questions
from testing.uv import uv

pytestmark = pytest.mark.xdist_group("private-network")

HOST = "index.internal"
# What the project with a lock needs; the index mirrors it.
MIRRORED = "itsdangerous==2.2.0"
USER, PASSWORD = "build-robot", "a-canary-of-a-password"


def wheel(folder: Path) -> tuple[str, str]:
    """Write a wheel of one module into `folder`; return its requirement, locked."""
    path = folder / "private_package-1.0-py3-none-any.whl"
    info = "private_package-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("private_package.py", "NAME = 'private'\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: private-package\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"private-package==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="module")
def private(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """The index, running where builds reach it; what a build must be told of it."""
    folder = tmp_path_factory.mktemp("private")
    gateway = inspect("bridge")["IPAM"]["Config"][0]["Gateway"]
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "netrc").write_text(f"machine {HOST} login {USER} password {PASSWORD}\n")
    requirement = wheel(folder)
    # The installer too comes from the index.
    uv = f"uv=={questions()['uv_version']['default']}"
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, uv, MIRRORED)
    subprocess.run(command, check=True, capture_output=True)

    # A private network's name server knows the index; here the build is told of it.
    hosts = folder / "hosts.hcl"
    hosts.write_text(f'target "_common" {{\n  extra-hosts = {{ "{HOST}" = "{gateway}" }}\n}}\n')
    with Server(index(folder), gateway, HOST, USER, PASSWORD, authority) as server:
        yield {
            "bake": f"bake=docker buildx bake --file docker-bake.hcl --file {hosts}",
            "requirement": requirement,
            "ca": authority.cert_pem.bytes(),
            "env": {
                "INDEX_URL": f"{server.url}/simple/",
                "SSL_CERT_FILE": str(folder / "ca.pem"),
                "NETRC": str(folder / "netrc"),
                "BUILDX_BAKE_ENTITLEMENTS_FS": "0",
            },
        }


@pytest.fixture(scope="module", params=["uv", "pip"])
def service(request: pytest.FixtureRequest, private: dict, folder: Path) -> Iterator[Service]:
    project = generate(
        folder / f"private-{request.param}", installer=request.param, service_name=f"private-{request.param}"
    )
    (project / "requirements.txt").write_text(private["requirement"])
    with Service(project) as service:
        yield service


def test_a_build_needs_the_secrets_and_no_edit_and_keeps_neither(service: Service, private: dict, tmp_path: Path):
    for missing, expected in (("SSL_CERT_FILE", "ertificate"), ("NETRC", "401")):
        refused = service.make("build", private["bake"], check=False, **private["env"] | {missing: ""})
        assert refused.returncode and expected in refused.stderr, f"without {missing}: {refused.stderr}"

    service.make("build", private["bake"], **private["env"])
    assert service.sandbox("python", "-c", "import private_package as p; print(p.NAME)").stdout.strip() == "private"

    certificate = private["ca"].splitlines()[2]  # a line from the middle of its base64
    assert len(certificate) == 64
    secrets = [PASSWORD.encode(), USER.encode(), certificate]
    history = docker("history", "--no-trunc", "--format", "json", service.image) + json.dumps(inspect(service.image))
    assert [secret for secret in secrets if secret in history.encode()] == []
    docker("save", "--output", tmp_path / "image.tar", service.image)
    with tarfile.open(tmp_path / "image.tar") as image:
        layers = json.load(image.extractfile("manifest.json"))[0]["Layers"]
        for layer in layers:
            content = image.extractfile(layer).read()
            assert [secret for secret in secrets if secret in content] == [], layer
    assert len(layers) >= 5


def test_a_lock_of_the_public_index_installs_from_the_mirror(private: dict, tmp_path: Path):
    """uv itself would take the URLs that the lock names."""
    project = tmp_path / "mirrored"
    project.mkdir()
    metadata = (
        f'[project]\nname = "mirrored"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["{MIRRORED}"]\n'
    )
    (project / "pyproject.toml").write_text(metadata)
    (project / "main.py").write_text("import itsdangerous\n")
    uv("lock", "--quiet", cwd=project)
    answers = {"source": "existing", "app_dir": "main.py", "start_command": "python -m main", "port": ""}
    generate(project, requirements_file="uv.lock", **answers)
    with Service(project) as service:
        bake = private["bake"].removeprefix("bake=").split()
        run(*bake, "image", cwd=project, env=service.env | private["env"])
        assert service.sandbox("python", "-c", "import main; print(main.itsdangerous.__name__)").stdout
        # A mirror that serves something else under the same name is refused.
        changed = (project / "uv.lock").read_text()
        digest = re.search(r"itsdangerous-2.2.0-py3-none-any.whl\", hash = \"sha256:([0-9a-f]+)", changed)
        (project / "uv.lock").write_text(changed.replace(digest[1], "0" * 64))
        refused = run(*bake, "image", cwd=project, env=service.env | private["env"], check=False)
        assert refused.returncode and "Hash mismatch" in refused.stderr, refused.stderr
