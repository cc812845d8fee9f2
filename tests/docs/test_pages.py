"""The commands of the pages, run as they are written, print what the pages show."""

import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from pages import PAGES, blocks, count, execute, kind, pattern
from testing.docker import docker
from testing.template import working_clone

RELEASES = ["0.3.0", "0.8.0"]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clone this repository, uncommitted changes included, as a release."""
    return working_clone(tmp_path_factory.mktemp("docs") / "template", RELEASES, "99.0.0")


def check(page: str, folder: Path, template: Path, project: str, record: Callable[[str, object], None]) -> None:
    for block, printed in execute(page, folder, template, project):
        if block.output is not None:
            shown = re.compile(pattern(block.output), re.DOTALL)
            assert shown.fullmatch(re.sub(" +$", "", printed, flags=re.MULTILINE).strip()), (
                f"docs/{page}:\n{block.commands}\n{printed}"
            )
    record("commands", (page, sum(count(block.commands) for block in blocks(page))))


@pytest.mark.parametrize("page", [page for page in PAGES if kind(page) == "light"])
def test_a_page_that_needs_no_engine(
    page: str, tmp_path: Path, template: Path, record_property: Callable[[str, object], None]
):
    check(page, tmp_path, template, "unused", record_property)


@pytest.mark.xdist_group("production")
@pytest.mark.parametrize("page", [page for page in PAGES if kind(page) == "engine"])
def test_a_page_that_needs_an_engine(
    page: str, engine: None, tmp_path: Path, template: Path, record_property: Callable[[str, object], None]
):
    project = f"docs-{uuid.uuid4().hex[:8]}"
    try:
        check(page, tmp_path, template, project, record_property)
        left = docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={project}")
        assert left == "", "the page does not stop what it starts"
    finally:
        docker("compose", "--project-name", project, "down", "--timeout", "1", check=False)
        images = docker("image", "ls", "--quiet", "--filter", f"reference=*:0.0.0-{project}").split()
        docker("image", "rm", "--force", *images, check=False)


def test_every_page_with_commands_is_run():
    assert [page for page in PAGES if blocks(page) and not kind(page)] == []
    assert [page for page in PAGES if kind(page) and not blocks(page)] == []
