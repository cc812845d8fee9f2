"""Check that packages do the same after venv-prune and venv-compile as before. `make prune-check` runs this.

Install the packages of each requirements/prune-check*.txt, and call the function of each package
before and after pruning. The functions are in the other files of this folder: use_NAME for NAME.
A package passes if its exit status is 0, and if its output stays the same.

PYTHON=/path/to/python make prune-check takes another Python than python3.
"""

import argparse
import ast
import concurrent.futures
import dataclasses
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPTS = ROOT / "includes" / "docker" / "build"
TOOLS = ("cc", "c++", "readelf", "strip")
GIGABYTES = 8
SECONDS = 300  # for one package


@dataclasses.dataclass
class Result:
    """What a package printed, and its exit status."""

    status: int | str
    output: str
    seconds: float


def modules() -> dict[str, str]:
    """Return the modules in this folder by the names of their functions."""
    files = {file: ast.parse(file.read_text(encoding="utf-8")) for file in HERE.glob("*.py")}
    return {
        node.name: file.stem
        for file, tree in files.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("use_")
    }


def packages(requirements: Path) -> Iterator[str]:
    """Yield the names in a file of requirements, without their extras."""
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield re.split(r"[^\w.-]", line)[0]


def function(package: str) -> str:
    return f"use_{re.sub('[-.]', '_', package)}"


def normalized(output: str) -> str:
    """Return an output without what differs between two runs: addresses, durations, times, ports, tokens."""
    output = re.sub(r"0x[0-9a-f]{6,}\b", "ADDRESS", output)
    output = re.sub(r"\b\d+\.\d+ ?(s|ms|sec|seconds)\b", "DURATION", output)
    output = re.sub(r"\b(127\.0\.0\.1|localhost):\d+", "HOST:PORT", output)
    output = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d([.,]\d+)?", "TIME", output)
    output = re.sub(r"\b(?=\w*[a-z])(?=\w*[A-Z])[A-Za-z0-9]{64}\b", "TOKEN", output)
    return re.sub(r"\b\d\d:\d\d:\d\d([.,]\d+)?\b", "TIME", output)


def call(venv: Path, module: str, package: str, variables: dict[str, str]) -> Result:
    """Call the function of a package in a new folder, which has the same name each time."""
    folder = venv.parent / "work" / package
    folder.mkdir(parents=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = inherited | {
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "100",
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "1577836800",
        "MPLBACKEND": "Agg",
        "NO_PROXY": "127.0.0.1",
        **variables,
    }
    command = [str(venv / "bin" / "python"), "-P", str(HERE / "run.py"), module, package]
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=-3, stdout=out, stderr=errors, start_new_session=True
        )
        try:
            status: int | str = process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = "timeout"
        seconds = time.monotonic() - began
        texts = []
        for file in (out, errors):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    shutil.rmtree(folder, ignore_errors=True)
    return Result(status, normalized("\n".join(texts)), seconds)


def megabytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / 1e6


def call_all(venv: Path, names: dict[str, str], **variables: str) -> dict[str, Result]:
    """Call the functions of all packages, as many at a time as there are CPUs."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {name: pool.submit(call, venv, module, name, variables) for name, module in names.items()}
        return {name: job.result() for name, job in jobs.items()}


def verdict(before: Result, after: Result) -> str:
    """Return what is wrong with a package, or nothing."""
    if before.status:
        return f"fails before pruning (exit status {before.status})"
    if after.status:
        return f"fails after pruning (exit status {after.status})"
    return "" if before.output == after.output else "other output"


def difference(before: Result, after: Result, lines: int) -> list[str]:
    """Return the first lines that differ, or the last lines of a function that fails before pruning."""
    old, new = before.output.splitlines(), after.output.splitlines()
    if before.status:
        return old[-lines:]
    found = [line[:300] for line in difflib.unified_diff(old, new, lineterm="", n=0)][2:]
    return found[:lines] if not after.status else found[-lines:]


def check(lock: Path, names: dict[str, str], folder: Path, lines: int) -> tuple[int, int]:
    """Install a lock file, call the functions before and after pruning, and return how many packages pass and fail."""
    venv = folder / "venv"
    subprocess.run([ROOT / "scripts" / "venv", venv, lock], check=True)
    python = venv / "bin" / "python"
    installed = megabytes(venv)
    # Bytecode elsewhere: it must not change the sizes, nor stay for the second run.
    before = call_all(venv, names, PYTHONPYCACHEPREFIX=str(folder / "bytecode"))
    subprocess.run([python, SCRIPTS / "venv-prune", venv], check=True)
    pruned = megabytes(venv)
    quiet = os.environ | {"PYTHONWARNINGS": "ignore"}
    subprocess.run([python, SCRIPTS / "venv-compile", venv], check=True, stdout=subprocess.DEVNULL, env=quiet)
    compiled = megabytes(venv)
    after = call_all(venv, names)

    failed = {name: text for name in names if (text := verdict(before[name], after[name]))}
    for name, text in failed.items():
        print(f"\n{name}: {text}")
        print("\n".join(f"    {line}" for line in difference(before[name], after[name], lines)))
    print(f"\n{lock.relative_to(ROOT)}: {len(names) - len(failed)} packages do the same after pruning")
    for name, text in failed.items():
        print(f"  {name:30} {text}")
    print(f"  MB installed {installed:.0f}, pruned {pruned:.0f}, compiled {compiled:.0f}")
    slowest = sorted(names, key=lambda name: before[name].seconds, reverse=True)[:5]
    print("  slowest:", ", ".join(f"{name} {before[name].seconds:.0f} s" for name in slowest), flush=True)
    return len(names) - len(failed), len(failed)


def main() -> int:
    """Check the packages that the command line names, or all of them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", nargs="*", help="check only these packages")
    parser.add_argument("--lines", type=int, default=20, help="show so many lines of each difference (default: 20)")
    options = parser.parse_args()

    functions = modules()
    locks = {}
    for requirements in sorted((ROOT / "requirements").glob("prune-check*.in")):
        names = list(packages(requirements))
        if missing := [name for name in names if function(name) not in functions]:
            parser.error(f"{requirements.name}: write a function {function(missing[0])} in tests/packages")
        chosen = {name: functions[function(name)] for name in names if not options.package or name in options.package}
        if chosen:
            locks[requirements.with_suffix(".txt")] = chosen
    if unknown := set(options.package) - {name for names in locks.values() for name in names}:
        parser.error(f"not in requirements/prune-check*.in: {', '.join(sorted(unknown))}")
    if absent := [name for name in TOOLS if not shutil.which(name)]:
        parser.error(f"not installed: {', '.join(absent)} (Debian: apt-get install gcc g++ binutils)")
    if shutil.disk_usage(tempfile.gettempdir()).free < GIGABYTES * 1e9:
        parser.error(f"{tempfile.gettempdir()} has less than {GIGABYTES} GB left; set TMPDIR to another folder")

    began = time.monotonic()
    passed = failed = 0
    for lock, names in locks.items():
        with tempfile.TemporaryDirectory(prefix="prune-check-") as folder:
            same, different = check(lock, names, Path(folder), options.lines)
        passed, failed = passed + same, failed + different
    print(f"\n{passed} packages pass, {failed} fail; {(time.monotonic() - began) / 60:.1f} minutes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
