"""The table of mutants fits this repository, and a mutant that no test notices is reported."""

import re

import pytest

from mutate import check_text, run_tests
from table import MUTANTS, Killer, Mutant
from testing import ROOT

HEALTH_CHECK = "tests/scripts/test_healthcheck.py::test_a_refused_connection_is_named"


def test_the_table_is_large_and_its_names_are_unique():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 80


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_of_a_mutant_is_in_its_file_and_its_killer_exists(mutant: Mutant):
    assert check_text(mutant) == ""
    assert mutant.find != mutant.replace
    path, *_, name = re.sub(r"\[.*", "", mutant.killer.test).split("::")
    # Tests that several classes share are in a module of their own.
    sources = "".join(file.read_text() for file in (ROOT / path).parent.glob("*.py"))
    assert (ROOT / path).is_file() and f"def {name}(" in sources, mutant.killer.test
    assert "the_output_is_the_expected_one" not in name, "it notices every change"


def test_a_defect_is_found():
    (mutant,) = [mutant for mutant in MUTANTS if mutant.killer.test == HEALTH_CHECK]
    outcome = run_tests([HEALTH_CHECK], "", mutant)
    assert outcome.status == "failed" and "assert" in outcome.reason, outcome


def test_a_defect_that_the_test_does_not_notice_survives():
    harmless = Mutant("harmless", "includes/healthcheck.py", "import time\n", "import time\n\n", Killer(HEALTH_CHECK))
    assert run_tests([HEALTH_CHECK], "", harmless).status == "passed"


def test_a_killer_that_does_not_exist_is_reported():
    outcome = run_tests([HEALTH_CHECK + "_no_more"], "")
    assert outcome.status == "broken" and outcome.reason.startswith("no such test")


def test_a_defect_that_prevents_the_test_from_running_is_not_killed():
    broken = Mutant("broken", "tests/scripts/test_healthcheck.py", "import os\n", "import oss\n", Killer(HEALTH_CHECK))
    assert run_tests([HEALTH_CHECK], "", broken).status == "broken"
