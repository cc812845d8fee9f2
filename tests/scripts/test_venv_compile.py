"""venv-compile, on modules of all kinds."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "includes" / "docker" / "build" / "venv-compile"
# PEP 552: the flags are the bytes 4 to 7, and 1 means a hash that is never compared with the source.
UNCHECKED = (1).to_bytes(4, "little")


def compile_folder(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, folder, *options], capture_output=True, text=True)


@pytest.mark.parametrize("modules", [2, 60], ids=["few", "many"])
def test_every_module_gets_bytecode_that_stays_valid_when_times_change(tmp_path: Path, modules: int):
    for number in range(modules):
        (tmp_path / f"module_{number}.py").write_text("VALUE = 1\n")
    result = compile_folder(tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"venv-compile: {modules} of {modules} modules compiled\n"
    compiled = list((tmp_path / "__pycache__").iterdir())
    assert len(compiled) == modules and {file.read_bytes()[4:8] for file in compiled} == {UNCHECKED}


def test_a_module_that_does_not_compile_is_named_and_the_rest_is_compiled(tmp_path: Path):
    (tmp_path / "good.py").write_text("VALUE = 1\n")
    (tmp_path / "template.py").write_text("{{ name }} = 1 1\n")
    result = compile_folder(tmp_path)
    assert result.returncode == 0
    assert f"left as source: {tmp_path}/template.py: " in result.stdout
    assert "1 of 2 modules compiled" in result.stdout
    assert compile_folder(tmp_path, "--strict").returncode == 1
