"""What is in the image, and what is not."""

import json
import re
from pathlib import Path

import pytest
from service import Service, docker, inspect

BASE = "python:3.13-slim-trixie"


@pytest.fixture(
    params=[
        pytest.param("default", marks=pytest.mark.xdist_group("production")),
        pytest.param("least_usual", marks=pytest.mark.xdist_group("least_usual")),
    ]
)
def service(request: pytest.FixtureRequest) -> Service:
    return request.getfixturevalue(request.param)


def paths(service: Service, *condition: str, user: str = "0") -> set[str]:
    """The paths in a fresh container of the image that meet a condition of `find`."""
    found = service.sandbox("find", "/", "-xdev", *condition, "-print", user=user, check=False)
    return {path for path in found.stdout.splitlines() if not path.startswith(("/proc", "/sys", "/dev"))}


def test_no_file_sets_its_user_or_group(service: Service):
    assert paths(service, "-type", "f", "-perm", "/6000") == set()


def test_only_tmp_is_writable_for_everybody(service: Service):
    assert paths(service, "-perm", "-0002", "-not", "-type", "l") == {"/tmp"}


def test_the_venv_belongs_to_root_and_the_app_cannot_write_it(service: Service):
    assert paths(service, "-path", "/opt/venv*", "-not", "-user", "0") == set()
    assert paths(service, "-path", "/opt/venv*", "-writable", "-not", "-type", "l", user="10001") == set()


def test_the_app_can_read_all_of_its_source(service: Service):
    assert paths(service, "-path", "/app/*", "-not", "-readable", user="10001") == set()
    assert len(paths(service, "-path", f"/app/{service.package}/*.py", user="10001")) >= 5


def test_no_tool_of_a_build_is_left(service: Service):
    tools = "gcc cc g++ c++ make ld as cpp pip pip3 uv uvx curl wget git sudo su mount passwd"
    found = service.sandbox("sh", "-c", f"for tool in {tools}; do command -v $tool; done", check=False)
    assert found.stdout.split() == []
    assert paths(service, "-path", "*/site-packages/pip", "-o", "-path", "*/site-packages/pip-*") == set()


@pytest.mark.parametrize("module", ["pip", "ensurepip", "uv", "setuptools", "wheel"])
def test_no_installer_is_usable(service: Service, module: str):
    for python in ("python", "/usr/local/bin/python3"):
        result = service.sandbox(python, "-m", module, "--version", check=False)
        assert result.returncode and "No module named" in result.stderr, (python, result)


def test_no_cache_list_or_leftover_of_a_build_is_in_it(service: Service):
    leftovers = {
        "/root/.cache",
        "/root/.netrc",
        "/app/tests",
        "/app/pyproject.toml",
        "/app/requirements.txt",
        "/app/.git",
        "/app/src",
    }
    assert leftovers & paths(service) == set()
    places = ("/var/cache", "/var/log", "/var/lib/apt")
    before = set(docker("run", "--rm", BASE, "find", *places, "-type", "f").splitlines())
    left = set(service.sandbox("find", *places, "-type", "f").stdout.splitlines())
    assert left - before <= {"/var/cache/ldconfig/aux-cache", "/var/lib/apt/extended_states"}


def test_accounts_are_whole_and_have_no_password(service: Service):
    code = (
        "import grp, pwd; users = pwd.getpwall()\n"
        "assert len({u.pw_uid for u in users}) == len(users)\n"
        "assert all(line.split(':')[1] in ('*', '!', '!*') for line in open('/etc/shadow'))\n"
        "user = pwd.getpwuid(10001); print(user.pw_name, user.pw_shell, grp.getgrgid(10001).gr_name)"
    )
    assert service.sandbox("python", "-c", code).stdout.split() == ["app", "/usr/sbin/nologin", "app"]


def test_the_image_says_what_it_is_and_how_it_runs(service: Service):
    config = inspect(service.image)["Config"]
    assert config["User"] == "10001:10001"
    assert config["WorkingDir"] == "/app"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Cmd"] == ["python", "-m", service.package] and not config.get("Entrypoint")
    assert list(config["ExposedPorts"]) == [f"{service.answers['port']}/tcp"]
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert labels["title"] == service.name
    assert labels["version"] == service.env["VERSION"]
    assert {"description", "revision", "created"} <= labels.keys()


@pytest.mark.xdist_group("production")
def test_the_standard_library_the_packages_and_the_app_are_compiled(default: Service):
    """Python reads no source at start: all that it loads is bytecode, and the root is read-only."""
    start = ("timeout", "--preserve-status", "5", "python", "-v", "-m", default.package)
    started = default.sandbox(*start, user="10001:10001", options=("--read-only",))
    said = [line for line in started.stderr.splitlines() if line.startswith("# code object from")]
    loaded = [line.rpartition(" ")[2].strip("'") for line in said]
    assert any("fastapi" in path for path in loaded) and any("/app/" in path for path in loaded)
    assert [path for path in loaded if not path.endswith(".pyc")] == []


@pytest.mark.xdist_group("production")
def test_bytecode_is_valid_whatever_the_times_of_the_files(default: Service):
    code = (
        "import pathlib, sys\n"
        "for top in ('/usr/local/lib/python3.13', '/opt/venv/lib', '/app'):\n"
        "    flags = {p.read_bytes()[4:8] for p in pathlib.Path(top).rglob('*.pyc')}\n"
        "    print(top, sorted(int.from_bytes(f, 'little') for f in flags))"
    )
    # PEP 552: flag 1 is hash-based, flag 2 would have the source checked.
    assert {line.split(maxsplit=1)[1] for line in default.sandbox("python", "-c", code).stdout.splitlines()} == {"[1]"}


@pytest.mark.xdist_group("least_usual")
def test_without_bytecode_nothing_is_compiled(least_usual: Service):
    assert paths(least_usual, "-name", "*.pyc", "-path", "/app/*") == set()
    assert paths(least_usual, "-name", "*.pyc", "-path", "/opt/venv/*") == set()


@pytest.mark.xdist_group("least_usual")
def test_a_driver_compiled_from_source_works_without_the_compiler(least_usual: Service):
    code = (
        "import psycopg2\n"
        "try: psycopg2.connect('host=127.0.0.1 port=1 connect_timeout=1')\n"
        "except psycopg2.OperationalError as error: print(error)"
    )
    assert "Connection refused" in least_usual.sandbox("python", "-c", code, user="10001").stdout
    assert paths(least_usual, "-name", "*.h", "-path", "/usr/include/*") == set()


@pytest.mark.xdist_group("least_usual")
def test_the_least_usual_answers_run_in_production_too(least_usual: Service):
    with least_usual.production():
        host = inspect(least_usual.container)["HostConfig"]
        assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (192 * 1024 * 1024, 500_000_000, 64)
        status = json.loads(
            least_usual.python(
                "import json, urllib.request as r; print(json.dumps(r.urlopen('http://127.0.0.1:9000/alive').status))"
            ).stdout
        )
        assert status == 200


def test_the_tests_pass_inside_the_image(service: Service):
    one_more = service.project / "tests" / "test_one_more.py"  # else what passed before is cached
    one_more.write_text(f"def test_one_more():\n    assert {service.run_id!r}\n")
    try:
        assert re.search(r"=+ \d+ passed in ", service.make("test").stderr)
    finally:
        one_more.unlink()


@pytest.mark.xdist_group("production")
def test_a_failing_test_fails_the_build(default: Service, tmp_path: Path):
    (default.project / "tests" / "test_that_fails.py").write_text("def test_it():\n    assert False, 'as planted'\n")
    try:
        result = default.make("test", check=False)
        assert result.returncode and "as planted" in result.stderr
    finally:
        (default.project / "tests" / "test_that_fails.py").unlink()
