"""The interpreter is whole and packages work, on every kind of runtime image, and on the oldest Python."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from groups import services
from testing.service import Service
from testing.template import generate

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
    assert locale.setlocale(locale.LC_CTYPE, "") == "C.UTF-8" and locale.getencoding().lower() == "utf-8"
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

SANDBOXED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")


def in_sandbox(service: Service, script: str, folder: Path) -> str:
    """Run a script in a container of the image, as the service runs; return its output."""
    file = folder / "script.py"
    file.write_text(script)
    file.chmod(0o644)
    options = ("--volume", f"{file}:/script.py:ro", *SANDBOXED)
    return service.sandbox("python", "/script.py", user="10001:10001", options=options).stdout


@pytest.mark.parametrize("service", services("default", "least_usual", "slim", "distroless"), indirect=True)
def test_the_interpreter_is_whole(service: Service, tmp_path: Path):
    assert in_sandbox(service, WHOLE, tmp_path) == "whole\n"


PACKAGES = ("numpy", "pandas", "cryptography", "lxml", "pillow", "uvloop", "psycopg2==2.9.10")
ANSWERS = {
    "shared-distroless": {"base": "shared", "flavor": "distroless"},
    "shared-slim": {"base": "shared", "flavor": "slim"},
    "upstream-slim": {"flavor": "slim"},
    "upstream-distroless-3.11": {"flavor": "distroless", "python_version": "3.11"},
}


@pytest.fixture(scope="module")
def wheels(request: pytest.FixtureRequest, engine: None, folder: Path) -> Iterator[dict[str, Service]]:
    """A service of each kind with the packages that pruning or a missing library could break, by its name."""
    base = request.getfixturevalue("base").name
    packages = {"build_packages": "libpq-dev", "runtime_packages": "libpq5"}
    with contextlib.ExitStack() as stack:
        built: dict[str, Service] = {}
        for name, answers in ANSWERS.items():
            answers = packages | answers | ({"base_image": base} if "base" in answers else {})
            # Layers are shared between services with equal locks, so that three of the builds have equal packages.
            project = generate(folder / f"wheels-{name}", service_name=f"wheels-{name.replace('.', '')}", **answers)
            (project / "requirements.in").write_text("\n".join(PACKAGES) + "\n")
            service = stack.enter_context(Service(project))
            first = next(iter(built.values()), None)
            if first and "python_version" not in answers:
                shutil.copy(first.project / "requirements.txt", project)
            else:
                service.make("lock")
            service.build()
            built[name] = service
        yield built


@pytest.mark.xdist_group("shared")
@pytest.mark.parametrize("name", ANSWERS)
def test_packages_work_when_pruned(wheels: dict[str, Service], tmp_path: Path, name: str):
    assert in_sandbox(wheels[name], WHEELS, tmp_path) == "work\n"
    assert in_sandbox(wheels[name], WHOLE, tmp_path) == "whole\n"
    listing = wheels[name].listing
    # On Python 3.11, numpy has a module that compiles (numpy.distutils), so its headers stay.
    headers = () if name.endswith("3.11") else (".h",)
    left = [path for path in listing if "/numpy/" in path and ("/tests/" in path or path.endswith(headers))]
    # numpy.f2py reads the sources beside its modules, and any file of a package's own folder may be data.
    assert [path for path in left if "/f2py/src/" not in path] == []


@pytest.mark.xdist_group("shared")
@pytest.mark.parametrize("name", ["shared-distroless", "upstream-slim"])
def test_licences_and_records_outlive_the_pruning(wheels: dict[str, Service], name: str):
    records = {path for path in wheels[name].listing if ".dist-info/" in path}
    for distribution in ("numpy", "pandas", "cryptography", "lxml", "pillow", "uvloop"):
        own = [path for path in records if f"/{distribution}-" in path]
        assert any(path.endswith("/METADATA") for path in own) and any(path.endswith("/RECORD") for path in own)
        assert any("LICEN" in path.upper() for path in own), distribution
