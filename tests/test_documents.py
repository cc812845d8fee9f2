"""The documents at the top of this repository name only what exists."""

import re
from xml.etree import ElementTree

import pytest

from testing import ROOT

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", ".github/pull_request_template.md")


@pytest.fixture(params=DOCUMENTS)
def document(request: pytest.FixtureRequest) -> str:
    return (ROOT / request.param).read_text()


def test_make_has_every_command_that_a_document_names(document: str):
    # The commands of this repository, and those of a service.
    makefiles = (ROOT / "Makefile", ROOT / "examples/default/hello-service/Makefile")
    targets = {name for file in makefiles for name in re.findall(r"^([a-z-]+):.*## ", file.read_text(), re.MULTILINE)}
    assert set(re.findall(r"(?:`|^    )make ([a-z][a-z-]*)", document, re.MULTILINE)) <= targets


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


def test_the_pictures_of_the_terminal_show_the_commands_of_the_readme_and_load_nothing():
    readme = (ROOT / "README.md").read_text()
    shown = re.findall(r"^    (?:uvx )?(.+ hello-service.*)$", readme, re.MULTILINE)
    assert len(shown) == 2
    for name in ("light", "dark"):
        file = ROOT / "docs" / "img" / f"terminal-{name}.svg"
        assert f"docs/img/{file.name}" in readme
        picture = ElementTree.fromstring(file.read_text())
        text = "".join(picture.itertext()).replace("\xa0", " ")
        assert [command for command in (*shown, "Healthy") if command not in text] == []
        # A namespace, and a comment.
        addresses = {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
        assert set(re.findall(r"https?://[^\s\"<>]+", file.read_text())) <= addresses
        assert not re.search(r"/tmp/|/home/|/root/|url\((?!#)", file.read_text())
