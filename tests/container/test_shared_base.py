"""The shared base image, through a registry, and what services get from it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from testing.docker import docker, inspect
from testing.process import TOOLS, run
from testing.service import BaseImage, Service
from testing.template import generate

pytestmark = pytest.mark.xdist_group("shared")

# Each part of the interpreter that an image without the rest of Debian could have lost.
WHOLE = """
import asyncio, bz2, ctypes, ctypes.util, decimal, hashlib, locale, lzma, multiprocessing, sqlite3, ssl, subprocess
import sys, tempfile, uuid, zlib, zoneinfo, datetime, getpass, socket, mimetypes, csv, json, xml.etree.ElementTree

def square(number):
    return number * number

async def child():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(6 * 7)", stdout=subprocess.PIPE)
    return (await process.communicate())[0].strip()

if __name__ == "__main__":
    assert ssl.create_default_context().get_ca_certs(), "no certificates"
    assert sqlite3.connect(":memory:").execute("select sqlite_version(), 6 * 7").fetchone()[1] == 42
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    assert libc.abs(-42) == 42
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    assert datetime.datetime(2026, 7, 1, tzinfo=berlin).utcoffset() == datetime.timedelta(hours=2)
    assert decimal.Decimal("0.1") + decimal.Decimal("0.2") == decimal.Decimal("0.3")
    for codec in (lzma, bz2, zlib):
        assert codec.decompress(codec.compress(b"text" * 99)) == b"text" * 99
    assert uuid.uuid1().version == 1 and hashlib.new("sha3_256", b"") and hashlib.scrypt(b"", salt=b"", n=2, r=1, p=1)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(square, range(4)) == [0, 1, 4, 9]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(square, range(4)) == [0, 1, 4, 9]
    assert asyncio.run(child()) == b"42"
    assert locale.setlocale(locale.LC_ALL, "") == "C.UTF-8" and locale.getencoding().lower() == "utf-8"
    assert "grün".encode(sys.getfilesystemencoding()) == b"gr\\xc3\\xbcn" and "ä".encode("cp1252") == b"\\xe4"
    assert getpass.getuser() == "app" and socket.getservbyname("https") == 443
    assert mimetypes.guess_type("a.json")[0] == "application/json"
    tempfile.NamedTemporaryFile().write(b"x")
    print("whole")
"""

# One use of each package that is known to suffer from stripping, trimming or a missing library.
WHEELS = """
import io, numpy, pandas, lxml.etree, uvloop, psycopg2
from cryptography.fernet import Fernet
from PIL import Image

key = Fernet.generate_key()
assert Fernet(key).decrypt(Fernet(key).encrypt(b"text")) == b"text"
assert numpy.linalg.inv(numpy.array([[2.0, 0], [0, 4]])).tolist() == [[0.5, 0], [0, 0.25]]
assert numpy.fft.fft(numpy.ones(8))[0] == 8 and numpy.random.default_rng(1).random() < 1
frame = pandas.read_csv(io.StringIO("day,n\\n2026-01-01,1\\n2026-01-02,2"), parse_dates=["day"])
assert frame.set_index("day").resample("D").sum().n.sum() == 3 and frame.groupby("n").size().sum() == 2
assert lxml.etree.fromstring("<a><b>1</b></a>").xpath("//b/text()") == ["1"]
image = io.BytesIO()
Image.new("RGB", (8, 8), "red").resize((4, 4)).save(image, "JPEG")
assert Image.open(io.BytesIO(image.getvalue())).size == (4, 4)

async def answer():
    return 42

assert uvloop.run(answer()) == 42
try:
    psycopg2.connect("host=127.0.0.1 port=1")
except psycopg2.OperationalError as error:
    assert "refused" in str(error)
print("work")
"""


@pytest.fixture(scope="module")
def wheels(base: BaseImage, folder: Path) -> Iterator[Service]:
    """A distroless service with the packages that pruning could break."""
    project = generate(
        folder / "wheels",
        service_name="wheels",
        base="shared",
        base_image=base.name,
        build_packages="libpq-dev",
        runtime_packages="libpq5",
    )
    names = ("numpy", "pandas", "cryptography", "lxml", "pillow", "uvloop", "psycopg2==2.9.10")
    (project / "requirements.in").write_text("\n".join(names) + "\n")
    with Service(project) as service:
        service.make("lock")
        service.build()
        yield service


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


def test_the_interpreter_of_a_distroless_service_is_whole(distroless: Service, tmp_path: Path):
    script = tmp_path / "whole.py"
    script.write_text(WHOLE)
    script.chmod(0o644)
    options = ("--volume", f"{script}:/whole.py:ro", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")
    assert distroless.sandbox("python", "/whole.py", user="10001:10001", options=options).stdout == "whole\n"


def test_an_app_reads_the_full_python_version(slim: Service, distroless: Service):
    code = "import os, platform; print(os.environ['PYTHON_VERSION'], platform.python_version())"
    for service in (slim, distroless):
        named, actual = service.sandbox("python", "-c", code).stdout.split()
        assert named == actual


def test_packages_work_when_pruned_on_distroless(wheels: Service):
    assert wheels.sandbox("python", "-c", WHEELS, user="10001:10001").stdout == "work\n"
    left = [path for path in wheels.listing if "/numpy/" in path and ("/tests/" in path or path.endswith(".h"))]
    # numpy.f2py reads the sources beside its modules, and any file of a package's own folder may be data.
    assert [path for path in left if "/f2py/src/" not in path] == []


def test_licences_and_records_outlive_the_pruning(wheels: Service):
    records = {path for path in wheels.listing if ".dist-info/" in path}
    for distribution in ("numpy", "pandas", "cryptography", "lxml", "pillow", "uvloop"):
        own = [path for path in records if f"/{distribution}-" in path]
        assert any(path.endswith("/METADATA") for path in own) and any(path.endswith("/RECORD") for path in own)
        assert any("LICEN" in path.upper() for path in own), distribution


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
            ("contract=2.0", "contract=3.1"),
            "this service was made for contract 2.0, but its base provides 3.1: update the service",
        ),
        (
            ("contract=2.0", "contract=1.9"),
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
