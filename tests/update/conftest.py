from pathlib import Path

import pytest

from releases import CURRENT, released
from testing.template import working_clone


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of the template in which every release, and the working tree, has its tag."""
    return working_clone(tmp_path_factory.mktemp("template") / "clone", released(), CURRENT)
