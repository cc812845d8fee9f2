"""Random updates with `fleet`: nothing is lost, and no conflict is silent."""

import os
from pathlib import Path

from fuzz import fuzz

CASES = 60
# The same cases in each run, so that a change is what makes it fail. `make fuzz` takes a new seed each time.
SEED = "514996732"


def test_random_updates_lose_nothing_and_hide_no_conflict(tmp_path: Path):
    """FUZZ_SEED sets the seed; the message of a failure shows it, and how to repeat one case."""
    seed = os.environ.get("FUZZ_SEED") or SEED
    result = fuzz(seed, list(range(CASES)), tmp_path)
    assert result.counts["cases"] == CASES and result.counts["tokens"] > CASES
    assert not result.failed, f"seed {seed}\n{result.report}"
