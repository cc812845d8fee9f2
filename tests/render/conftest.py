from pathlib import Path

import pytest

from testing.answers import MATRIX
from testing.template import generate


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one generated project for each entry of the table of answers."""
    folder = tmp_path_factory.mktemp("outputs")
    for name, answers in MATRIX.items():
        generate(folder / name, **answers)
    return folder
