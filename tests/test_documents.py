"""The documents at the top of this repository name only what exists."""

import re

import pytest

from testing import ROOT

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", ".github/pull_request_template.md")


@pytest.fixture(params=DOCUMENTS)
def document(request: pytest.FixtureRequest) -> str:
    return (ROOT / request.param).read_text()


def test_make_has_every_command_that_a_document_names(document: str):
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^    )make ([a-z-]+)", document, re.MULTILINE)) <= targets


def test_every_file_that_a_document_names_exists(document: str):
    links = re.findall(r"\]\((?!https:|#)([^)#]+)", document)
    sources = re.findall(r"(?:src|srcset)=\"([^\"]+)", document)
    folders = "docs|tests|testing|template|includes|questions|fleet|engine|bench|examples|scripts|locks|base-image"
    paths = re.findall(rf"(?:`|\s)((?:{folders})/[^\s`,;:]*[^\s`,;:.])", document)
    assert [path for path in (*links, *sources, *paths) if not (ROOT / path).exists()] == []


def test_the_readme_is_short_and_has_the_command_of_the_tests():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) < 100
    assert "`make test`" in readme and "`make lint`" in readme
