"""debian-stage, in a container of the official image: what it copies, and what it refuses."""

import pytest

from testing import ROOT
from testing.process import run

pytestmark = pytest.mark.xdist_group("production")

IMAGE = "python:3.13-slim-trixie"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
# A compiled module that needs libstdc++ and other libraries of Debian: apt's own library.
MODULE = f"mkdir /venv && cp {LIBRARIES}/libapt-pkg.so.7.0 /venv/module.so"


@pytest.fixture
def in_container(engine: None):
    def execute(script: str, check: bool = True):
        mounted = ("--volume", f"{ROOT / 'includes' / 'docker' / 'build'}:/build:ro")
        options = ("--rm", "--network", "none", *mounted, "--entrypoint", "sh")
        return run("docker", "run", *options, IMAGE, "-euc", script, check=check)

    return execute


def test_it_adds_what_a_compiled_module_needs_and_the_base_lacks(in_container):
    done = in_container(
        f"""
        {MODULE}
        /build/debian-stage /base libc6 >/dev/null
        /build/debian-stage /packages --base /base --needed-by /venv
        cd /packages && find . -type f -o -type l
        """
    )
    copied = {line.removeprefix(".") for line in done.stdout.splitlines() if line.startswith("./")}
    assert f"{LIBRARIES}/libstdc++.so.6" in copied
    assert {"/var/lib/dpkg/status.d/libstdc++6", "/var/lib/dpkg/status.d/libstdc++6.md5sums"} <= copied
    assert "/usr/share/doc/libstdc++6" in copied
    assert not [path for path in copied if "/libc.so" in path or "/libgcc_s.so" in path]  # the base has them


def test_the_checksums_that_it_records_are_those_of_the_files(in_container):
    script = "/build/debian-stage /tree libssl3t64 tzdata >/dev/null; cd /tree; md5sum --quiet --check"
    in_container(f"{script} var/lib/dpkg/status.d/*.md5sums")
    in_container(f"{script} var/lib/dpkg/status.d/libc6.md5sums")


def test_a_missing_library_ends_the_build_and_nothing_is_copied(in_container):
    remove = f"rm {LIBRARIES}/libxxhash.so.0"
    done = in_container(
        f"{MODULE}; {remove}; /build/debian-stage /packages --needed-by /venv && exit 9; test ! -e /packages",
    )
    sentence = "/venv/module.so needs libxxhash.so.0, which is not installed: install its package"
    assert [sentence in line for line in done.stderr.splitlines()] == [True]
    in_container(f"{MODULE}; {remove}; /build/debian-stage /packages --needed-by /venv --ignore libxxhash.so.0")


def test_a_library_that_the_environment_contains_is_not_missing(in_container):
    move = f"mv {LIBRARIES}/libxxhash.so.0.8.3 /venv/libxxhash.so.0; rm {LIBRARIES}/libxxhash.so.0"
    in_container(f"{MODULE}; {move}; /build/debian-stage /packages --needed-by /venv; test -d /packages")


def test_a_package_that_is_not_installed_is_refused(in_container):
    done = in_container("/build/debian-stage /packages libpq5", check=False)
    assert done.returncode == 1
    assert done.stderr == ("debian-stage: the package libpq5 is not installed here: install it with apt-get first\n"), (
        done.stderr
    )


def test_a_virtual_name_stands_for_the_package_that_provides_it(in_container):
    done = in_container("/build/debian-stage /packages libssl3; ls /packages/var/lib/dpkg/status.d")
    assert "libssl3t64" in done.stdout.splitlines()


def test_no_copied_file_has_a_setuid_bit(in_container):
    done = in_container("/build/debian-stage /tree passwd >/dev/null; find /tree -perm /6000; ls /tree/usr/bin/passwd")
    assert done.stdout == "/tree/usr/bin/passwd\n"
