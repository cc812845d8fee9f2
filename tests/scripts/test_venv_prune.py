"""venv-prune, on small virtual environments of made-up packages."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "includes" / "docker" / "build" / "venv-prune"
TESTS = {"pkg/__init__.py": "", "pkg/tests/__init__.py": "", "pkg/tests/test_a.py": "def test(): pass\n"}


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An empty virtual environment."""
    (tmp_path / "pyvenv.cfg").touch()
    (tmp_path / "lib" / "python3.13" / "site-packages").mkdir(parents=True)
    return tmp_path


def prune(venv: Path, files: dict[str, str], *options: str) -> set[str]:
    """Install `files`, by name and content, prune the environment, and return the names that are left."""
    site = venv / "lib" / "python3.13" / "site-packages"
    for name, content in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content)
    result = subprocess.run([sys.executable, SCRIPT, venv, *options], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}


def test_tests_that_nothing_needs_are_removed(venv: Path):
    files = TESTS | {
        "pkg/tests/data.json": "{}",
        "pkg/core.py": '"""See tests/data.json, and the tests."""\nimport json  # not pkg.tests\n',
        "pkg/more.py": "from .testsuite import x\n",
        "pkg/conftest.py": "from .tests import test_a\n",
    }
    assert prune(venv, files) == {"pkg/__init__.py", "pkg/core.py", "pkg/more.py", "pkg/conftest.py"}


@pytest.mark.parametrize(
    "code",
    [
        "import pkg.tests.test_a\n",
        "from pkg.tests import test_a\n",
        "from pkg import tests\n",
        "from . import tests\n",
        "from .tests import test_a as a\n",
        "from . import (\n    other,  # (comment)\n    tests,\n)\n",
        "from . import other, \\\n    tests\n",
        "import json, \\\n    pkg.tests.test_a\n",
        "from pkg \\\n    import tests\n",
        "def late():\n    if True: from .tests.test_a import test\n",
        "import importlib; importlib.import_module('.tests.test_a', __name__)\n",
        "PLUGINS = ['pkg.tests.test_a']\n",
    ],
)
def test_tests_that_are_imported_are_kept(venv: Path, code: str):
    assert set(TESTS) <= prune(venv, TESTS | {"pkg/core.py": code})


def test_tests_that_kept_tests_import_are_kept(venv: Path):
    files = TESTS | {
        "pkg/core.py": "from .tests import test_a\n",
        "pkg/tests/test_a.py": "from pkg.part.tests import helper\n",
        "pkg/part/tests/helper.py": "",
        "pkg/rest/tests/unused.py": "",
    }
    assert prune(venv, files) == set(files) - {"pkg/rest/tests/unused.py"}


def test_tests_that_an_entry_point_names_are_kept(venv: Path):
    files = TESTS | {
        "pkg-1.0.dist-info/entry_points.txt": (
            "[console_scripts]\npkg = pkg.core:main\n\n[plugins]\na=pkg.tests.test_a:test [extra]\n"
        ),
        "pkg/part/tests/unused.py": "",
    }
    assert prune(venv, files) == set(files) - {"pkg/part/tests/unused.py"}


@pytest.mark.parametrize(
    "code",
    [
        "open(__file__.replace('core.py', 'tests/data.json'))\n",
        "from pathlib import Path\nPath(__file__).parent.joinpath('tests', 'data.json')\n",
        "from importlib.resources import files\nfiles('pkg.tests')\n",
        "def path(root):\n    return f'{root}/tests/data.json'\n",
    ],
)
def test_tests_whose_data_is_read_are_kept(venv: Path, code: str):
    files = TESTS | {"pkg/tests/data.json": "{}", "pkg/core.py": code}
    assert prune(venv, files) == set(files)


def test_the_word_alone_keeps_no_folder_without_data(venv: Path):
    files = TESTS | {"pkg/core.py": "SKIPPED = ['docs', 'tests']\n"}
    assert prune(venv, files) == {"pkg/__init__.py", "pkg/core.py"}


def test_a_folder_of_data_alone_is_kept(venv: Path):
    files = {"pkg/__init__.py": "", "pkg/tests/generic/builtin.sql": "select 1", "pkg/tests/note.txt": ""}
    assert prune(venv, files) == set(files)


def test_tests_of_a_package_with_a_module_that_does_not_parse_are_kept(venv: Path):
    files = TESTS | {
        "pkg/template.py": "from {{ name }}.tests import x\n",
        "other/template.py": "{{ nothing to see }}\n",
        "other/tests/test_b.py": "",
    }
    assert prune(venv, files) == set(files) - {"other/tests/test_b.py"}


def test_stubs_go_where_their_module_is(venv: Path):
    files = {
        "pkg/__init__.py": "",
        "pkg/__init__.pyi": "",
        "pkg/sub.pyi": "",
        "pkg/sub/__init__.py": "",
        "pkg/fast.cpython-313-x86_64-linux-gnu.so": "",
        "pkg/fast.pyi": "",
        "pkg/typeshed/stdlib/json/__init__.pyi": "",
        "requests-stubs/__init__.pyi": "",
    }
    gone = {"pkg/__init__.pyi", "pkg/sub.pyi", "pkg/fast.pyi", "requests-stubs/__init__.pyi"}
    assert prune(venv, files) == set(files) - gone


@pytest.mark.parametrize("reader", ["lazy_loader/__init__.py", "mypy/__init__.py"])
def test_stubs_stay_where_a_package_reads_them(venv: Path, reader: str):
    files = {"pkg/__init__.py": "", "pkg/__init__.pyi": "", "requests-stubs/__init__.pyi": "", reader: ""}
    assert prune(venv, files) == set(files)


def test_headers_and_libraries_go_where_only_a_compiler_reads_them(venv: Path):
    files = {
        "pkg/fast.so": "",
        "pkg/core/include/pkg/api.h": "",
        "pkg/includes/api.pxd": "",
        "pkg/lib/libpkg.a": "",
        "pkg/cl/kernel.h": "",
        "pkg/cl/kernel.cl": "",
        "compiler/lib/include/stdio.h": "",
        "compiler/lib/crt.a": "",
        "cupy/fast.so": "",
        "cupy/include/cuda.h": "",
    }
    gone = {"pkg/core/include/pkg/api.h", "pkg/includes/api.pxd", "pkg/lib/libpkg.a"}
    assert prune(venv, files) == set(files) - gone


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("compiler/build.py", "import pkg\nFLAGS = ['-I' + pkg.get_include()]\n"),
        ("compiler/build.py", "from pkg.core import get_include\n"),
        ("pkg/build.py", "COMPILER = 'g++'\n"),
        ("compiler.py", "import pkg as p\nFLAGS = ['-I' + p.get_include()]\n"),
        ("Cython/__init__.py", ""),
    ],
)
def test_headers_and_libraries_stay_where_a_package_compiles_with_them(venv: Path, module: str, code: str):
    files = {"pkg/fast.so": "", "pkg/core/include/pkg/api.h": "", "pkg/lib/libpkg.a": "", module: code}
    assert prune(venv, files) == set(files)


def test_a_package_that_only_offers_its_headers_does_not_keep_them(venv: Path):
    files = {
        "pkg/fast.so": "",
        "pkg/core/include/pkg/api.h": "",
        "pkg/__init__.py": "from pkg.core import get_include\n",
        "other/__init__.py": "import pkg\n",
        "other/template.py": "{{ name }}.get_include()\n",
    }
    assert prune(venv, files) == set(files) - {"pkg/core/include/pkg/api.h"}


def test_c_sources_go_where_their_module_is(venv: Path):
    files = {
        "pkg/fast.cpython-313-x86_64-linux-gnu.so": "",
        "pkg/fast.c": "",
        "pkg/fast.pyx": "",
        "pkg/handles.pxi": "",
        "pkg/templates/main.c": "",
    }
    assert prune(venv, files) == set(files) - {"pkg/fast.c", "pkg/fast.pyx", "pkg/handles.pxi"}


def test_cython_keeps_what_it_reads(venv: Path):
    files = {"Cython/__init__.py": "", "Cython/Utility/Buffer.c": "", "Cython/Includes/libc/math.pxd": ""}
    assert prune(venv, files) == set(files)


def test_bytecode_goes_unless_it_is_all_there_is(venv: Path):
    files = {"pkg/a.py": "", "pkg/__pycache__/a.cpython-313.pyc": "", "pkg/sourceless.pyc": ""}
    assert prune(venv, files) == {"pkg/a.py", "pkg/sourceless.pyc"}


def test_licences_and_records_are_kept(venv: Path):
    files = {"pkg-1.0.dist-info/RECORD": "", "pkg-1.0.dist-info/licenses/tests/a.py": "", "pkg-1.0.dist-info/a.pyi": ""}
    assert prune(venv, files) == set(files)


def test_a_named_package_is_left_as_it_is(venv: Path):
    files = TESTS | {"pkg/__init__.pyi": "", "other/__init__.py": "", "other/__init__.pyi": ""}
    assert prune(venv, files, "--keep", "p*g") == set(files) - {"other/__init__.pyi"}


def test_a_folder_that_is_no_virtual_environment_is_refused(tmp_path: Path):
    result = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == f"venv-prune: error: not a virtual environment: {tmp_path}"
