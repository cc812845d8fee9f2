"""The site of docs/, and the pages as files."""

import ast
import importlib.util
import re
import shutil
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pages import DOCS, PAGES, read
from testing import ROOT
from testing.process import run

ZENSICAL = ROOT / ".venv-site" / "bin" / "zensical"
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
# An entry of troubleshooting.md: its heading and the test beside it.
SYMPTOM = re.compile(r"^### (.+)\n(?:<!-- test: (\S+)::(\w+) -->)?", re.MULTILINE)


class Loads(HTMLParser):
    """Collects what a page makes a browser load, and the ids of its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "link" and values.get("rel") not in ("canonical", "prev", "next"):
            self.urls.append(values["href"])
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.urls += [values[name] for name in ("src", "srcset", "data", "poster") if name in values]


def build(folder: Path) -> Path:
    """Build the site from a copy of docs/ in `folder`; return the built site."""
    assert ZENSICAL.exists(), "zensical is not installed: run `make tools`"
    for name in ("docs", "site"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    shutil.copy(ROOT / "zensical.toml", folder)
    built = run(ZENSICAL, "build", "--strict", cwd=folder)
    assert "No issues found" in built.stdout + built.stderr, built
    return folder / "build" / "site"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("site"))


def parse(page: Path) -> Loads:
    parser = Loads()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def navigation(entries: object) -> Iterator[str]:
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, list):
        for entry in entries:
            yield from navigation(entry)
    elif isinstance(entries, dict):
        yield from navigation(list(entries.values()))


def test_a_page_or_an_anchor_that_is_missing_fails_the_build(site: Path, tmp_path: Path):
    for target in ("gone.md", "updates.md#gone"):
        (tmp_path / "docs").mkdir(exist_ok=True)
        (tmp_path / "docs" / "new.md").write_text(f"# New\n\n[a link]({target})\n")
        with pytest.raises(AssertionError, match="does not exist"):
            build(tmp_path)


def test_every_page_is_in_the_navigation_once():
    listed = list(navigation(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]))
    assert sorted(listed) == PAGES


def test_every_link_of_the_built_site_leads_to_a_page_and_an_element(site: Path):
    pages = {path: parse(path) for path in site.rglob("*.html")}
    assert len(pages) == len(PAGES) + 1
    for path, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or path.name == "404.html":
                continue
            target = (path.parent / url.path).resolve() if url.path else path
            assert target in pages, f"{path.name}: {link}"
            assert not url.fragment or url.fragment in pages[target].ids, f"{path.name}: {link}"


def test_every_link_works_in_the_files_themselves():
    for page in [*PAGES, "../README.md"]:
        for link in LINK.findall(read(page)):
            if not urlsplit(link).scheme and not link.startswith("#"):
                assert (DOCS / page).parent.joinpath(link.partition("#")[0]).exists(), f"{page}: {link}"


def test_the_pages_that_the_readme_and_the_changelog_name_exist():
    for name in ("README.md", "CHANGELOG.md"):
        named = re.findall(r"[`(]docs/([\w/-]+\.md)[`)]", (ROOT / name).read_text())
        assert named and [page for page in named if page not in PAGES] == [], name


def test_nothing_is_loaded_from_another_server(site: Path):
    for path in site.rglob("*.html"):
        elsewhere = [url for url in parse(path).urls if urlsplit(url).netloc]
        assert elsewhere == [], path.name
    for path in site.rglob("*.css"):
        assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\"']+", path.read_text()) == [], path.name


def test_the_search_knows_every_page_without_a_server(site: Path):
    words = (site / "search.js").read_text()
    assert [
        page
        for page in PAGES
        if f'"{page.removesuffix(".md")}.html' not in words.replace("README", "index")
        and "decisions/README" not in page
    ] == []


def test_a_missing_page_is_named(site: Path):
    text = (site / "404.html").read_text()
    assert "location.pathname" in text and parse(site / "404.html").urls == []


def test_the_generated_pages_are_up_to_date():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec and spec.loader
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    for name, text in reference.pages().items():
        assert read(name) == text, f"docs/{name} is out of date: run make reference"


def test_each_symptom_is_caused_by_a_test():
    symptoms = SYMPTOM.findall(read("troubleshooting.md"))
    assert len(symptoms) >= 20
    for symptom, file, name in symptoms:
        assert file, f"{symptom}: no test beside it"
        tree = ast.parse((ROOT / file).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{symptom}: {name}"
