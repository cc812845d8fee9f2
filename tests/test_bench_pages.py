"""The figures in the documents are those that `make bench` measured."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testing import ROOT
from testing.process import run

FILES = ("README.md", "docs/measured-layouts.md", "docs/img/bench-light.svg", "docs/img/bench-dark.svg")
RESULTS = ROOT / "bench/results"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with copies of the documents and the results."""
    for file in FILES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    shutil.copytree(RESULTS, tmp_path / "bench/results")
    return tmp_path


def pages(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "bench.pages", "--root", root, *options, cwd=ROOT, check=False)


def test_tables_chart_and_readme_are_what_the_results_say():
    result = pages(ROOT, "--check")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", FILES)
def test_a_figure_that_nobody_measured_is_found(name: str, copied: Path):
    file = copied / name
    text = file.read_text()
    start = max(map(text.find, ("<!-- chart -->", "<!-- figures -->", "To pull, MB")))
    file.write_text(text[:start] + re.sub(r"\b(\d+\.\d+)\b", r"1\1", text[start:], count=1))
    result = pages(copied, "--check")
    assert result.returncode == 1 and result.stderr.endswith(f"make bench-pages: {name}\n"), result.stderr


def test_layers_that_two_services_share_count_once_in_the_fleet(copied: Path):
    for file in (copied / "bench/results").glob("*.json"):
        found = json.loads(file.read_text())
        for layout in found["layouts"].values():
            shared, own = ["a", 3_000_000, 1_000_000], (["b", 400_000, 20_000], ["c", 400_000, 20_000])
            layout["services"] = [[shared, layer] for layer in own]
        file.write_text(json.dumps(found))
    assert pages(copied).returncode == 0
    rows = re.findall(r"^\| before \| (.*) \|$", (copied / "docs/measured-layouts.md").read_text(), re.MULTILINE)
    # 20 services: 3 MB + 20 * 0.4 MB on disk, and 1 MB + 20 * 0.02 MB pulled.
    assert "**11** | **1.40**" in rows


def test_each_figure_in_which_another_layout_is_first_has_a_reason():
    assert "not explained yet" not in (ROOT / "docs/measured-layouts.md").read_text()


def test_the_results_name_no_machine():
    for file in RESULTS.glob("*.json"):
        assert not re.search(r"/(tmp|home|root|work)/|\b\d+\.\d+\.\d+\.\d+\b", file.read_text())
