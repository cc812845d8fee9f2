from pathlib import Path

import pytest
from matrix import MATRIX
from support import generate


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one generated project for each entry of the matrix."""
    folder = tmp_path_factory.mktemp("outputs")
    for name, answers in MATRIX.items():
        generate(folder / name, **answers)
    return folder
