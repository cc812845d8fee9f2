"""The image, beside what testing/checklist checks of it."""

import os
import re
from pathlib import Path

import pexpect
import pytest

from groups import services
from testing.docker import inspect
from testing.service import Service


def test_the_app_is_its_package_alone_and_can_read_all_of_it(service: Service):
    app = {path: entry for path, entry in service.listing.items() if path.startswith("/app/")}
    assert {path.split("/")[2] for path in app} <= {service.package, "__pycache__"}
    assert len([path for path in app if path.startswith(f"/app/{service.package}/") and path.endswith(".py")]) >= 3
    assert [path for path, entry in app.items() if not entry.permits(4)] == []


def test_make_shell_opens_a_shell_beside_the_service(production: Service):
    """The shell sees the service's files, processes and network, and is the service's user."""
    shell = pexpect.spawn("make", ["shell"], cwd=production.project, env=os.environ | production.env, encoding="utf-8")
    shell.expect(r"\$ ", timeout=30)
    root = "" if production.answers["flavor"] == "slim" else "/proc/1/root"
    app = f"$(ls {root}/app | grep -v pycache | head -1)"
    shell.sendline(f"echo id=$(id -u) app={app} init=$(tr '\\0' ' ' </proc/1/cmdline | cut -c1-40)")
    shell.expect(r"id=10001 app=(\S+) init=(\S+)", timeout=10)
    assert shell.match.group(1) in ("manage.py", production.package)
    assert "init" in shell.match.group(2)
    shell.sendline("exit")
    shell.expect(pexpect.EOF, timeout=20)


@pytest.mark.xdist_group("production")
def test_make_shell_says_that_the_service_is_not_running(default: Service):
    with default.second_stack() as stopped:
        refused = stopped.make("shell", check=False)
    assert refused.returncode
    assert f"{default.name} is not running: start it with make up or make dev" in refused.stderr


def test_the_image_has_the_name_the_version_and_the_port_of_the_service(service: Service):
    config = inspect(service.image)["Config"]
    assert config["WorkingDir"] == "/app"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Cmd"] == ["python", "/opt/server/start.py"] and not config.get("Entrypoint")
    assert list(config["ExposedPorts"]) == [f"{service.answers['port']}/tcp"]
    assert config["Labels"]["org.opencontainers.image.title"] == service.name
    assert config["Labels"]["org.opencontainers.image.version"] == service.env["VERSION"]


@pytest.mark.parametrize("service", services("default", "slim", "distroless"), indirect=True)
def test_nothing_is_compiled_at_start(service: Service):
    """Python reads no source: the library, the packages and the app are bytecode, on a read-only root."""
    start = (
        "import signal, subprocess, sys, time\n"
        "service = subprocess.Popen([sys.executable, '-v', '/opt/server/start.py'])\n"
        "time.sleep(5); service.send_signal(signal.SIGTERM); sys.exit(service.wait())"
    )
    said = service.sandbox("python", "-c", start, user="10001:10001", options=("--read-only",)).stderr.splitlines()
    loaded = [line.rpartition(" ")[2].strip("'") for line in said if line.startswith("# code object from")]
    assert any("fastapi" in path for path in loaded) and any("/app/" in path for path in loaded)
    assert [path for path in loaded if not path.endswith(".pyc")] == []


@pytest.mark.parametrize("service", services("default", "slim", "distroless"), indirect=True)
def test_bytecode_is_valid_whatever_the_times_of_the_files(service: Service):
    code = (
        "import pathlib\n"
        "for top in ('/usr/local/lib', '/opt/venv/lib', '/opt/server', '/app'):\n"
        "    flags = {p.read_bytes()[4:8] for p in pathlib.Path(top).rglob('*.pyc')}\n"
        "    print(top, sorted(int.from_bytes(f, 'little') for f in flags))"
    )
    # PEP 552: flag 1 is hash-based, flag 2 would have the source checked.
    said = service.sandbox("python", "-c", code).stdout.splitlines()
    assert [line.split(maxsplit=1)[1] for line in said] == ["[1]"] * 4


@pytest.mark.xdist_group("least_usual")
def test_without_bytecode_nothing_is_compiled(least_usual: Service):
    assert [path for path in least_usual.listing if path.startswith(("/app/", "/opt/")) and path.endswith(".pyc")] == []


@pytest.mark.parametrize("service", services("least_usual", "slim", "distroless"), indirect=True)
def test_a_driver_compiled_from_source_works_without_the_compiler(service: Service):
    code = (
        "import psycopg2\n"
        "try: psycopg2.connect('host=127.0.0.1 port=1 connect_timeout=1')\n"
        "except psycopg2.OperationalError as error: print(error)"
    )
    assert "Connection refused" in service.sandbox("python", "-c", code, user="10001").stdout


# Run by pytest in the test stage: the process has the user, the root file system and the libraries
# of the runtime image. The unique id keeps BuildKit from taking the result of an earlier run.
INSIDE = """
import os, pathlib, shutil, sys

def test_the_process_is_the_runtimes():
    assert "{run_id}"
    assert (os.getuid(), os.getgid(), os.getgroups()) == (10001, 10001, [10001])
    assert sys.prefix == "/opt/venv" and sys.base_prefix == "/usr/local"
    assert not os.access("/opt/venv", os.W_OK) and not os.access("/app", os.W_OK)
    assert not shutil.which("uv") and not shutil.which("gcc") and not shutil.which("pip")
    assert bool(shutil.which("sh")) == {shell}
    assert pathlib.Path("/usr/local/bin/healthcheck.py").exists()
    if {driver}:
        import psycopg2
        assert psycopg2.__libpq_version__ >= 170000
"""


def test_the_tests_pass_inside_the_image_that_ships(service: Service):
    inside = service.project / "tests" / "test_inside.py"
    answers = service.answers
    shell = answers["flavor"] == "slim"
    driver = "libpq5" in answers["runtime_packages"]
    inside.write_text(INSIDE.format(run_id=service.run_id, shell=shell, driver=driver))
    try:
        assert re.search(r"=+ \d+ passed in ", service.make("test").stderr)
        service.docker_build("test")  # make and bake add nothing that the tests need
    finally:
        inside.unlink()


@pytest.mark.xdist_group("production")
def test_a_failing_test_fails_the_build(default: Service, tmp_path: Path):
    (default.project / "tests" / "test_that_fails.py").write_text("def test_it():\n    assert False, 'on purpose'\n")
    try:
        result = default.make("test", check=False)
        assert result.returncode and "on purpose" in result.stderr
    finally:
        (default.project / "tests" / "test_that_fails.py").unlink()
