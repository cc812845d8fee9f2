"""What fleet generates with names that Copier does not document is what Copier generates."""

from pathlib import Path

import pytest
from copier import run_copy, run_update

from fleet.answers import parse_answers
from fleet.rendering import EXECUTABLE, Release
from testing.answers import MATRIX
from testing.fleet import NEW, OLD, Fleet, generate_service
from testing.git import commit, git
from testing.template import ANSWERS_FILE, files

pytestmark = pytest.mark.xdist_group("fleet")

# Generated in an update only where the user has them, so they are not in the rendering of an update.
USER_OWNED = ("README.md", "pyproject.toml", "requirements", "src/", "tests/")
SAMPLES = ("defaults", "long-name", "django-least-usual", "existing-heartbeat", "base-every-python")


@pytest.fixture(scope="module")
def release(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """One release for all samples: what the first rendering compiled must not show in the next."""
    checkout = tmp_path_factory.mktemp("release") / "checkout"
    git(template, "clone", "--quiet", "--branch", NEW, template, checkout)
    return Release(str(template), NEW, checkout)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_rendering_has_the_files_of_a_copy(template: Path, release: Release, tmp_path: Path, name: str):
    copy = tmp_path / "copy"
    run_copy(str(template), copy, data=MATRIX[name], vcs_ref=NEW, defaults=True, quiet=True)
    rendering = release.render(parse_answers((copy / ANSWERS_FILE).read_bytes()))
    expected = {path: content for path, content in files(copy).items() if not path.startswith(USER_OWNED)}
    if MATRIX[name].get("kind") == "base-image":  # its tests belong to the template
        expected |= {path: content for path, content in files(copy).items() if path.startswith("tests/")}
    assert {path: file.content for path, file in rendering.files.items()} == expected
    for path, file in rendering.files.items():
        assert (file.mode == EXECUTABLE) == bool((copy / path).stat().st_mode & 0o100), path


def test_an_update_gives_what_copier_update_gives(template: Path, tmp_path: Path):
    project = commit(generate_service(template, tmp_path / "services" / "one", OLD))
    by_copier = tmp_path / "by-copier"
    git(tmp_path, "clone", "--quiet", project, by_copier)
    run_update(by_copier, defaults=True, overwrite=True, quiet=True, vcs_ref=NEW)
    outcome = Fleet(tmp_path / "services", tmp_path / "temporary").run("update")
    assert outcome.status == 0, outcome
    git(project, "merge", "--quiet", "--ff-only", f"copier-update/{NEW}")
    git(by_copier, "add", "--all")
    assert git(by_copier, "write-tree") == git(project, "rev-parse", "HEAD^{tree}")
