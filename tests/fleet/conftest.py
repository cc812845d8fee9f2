"""The template, and one fleet with a service in each state: first its status, then its update."""

import shutil
from pathlib import Path

import pytest

from testing import fleet as testing_fleet
from testing.fleet import BRANCH, CHANGED, DROPPED, NEW, Fleet, Outcome, append, generate_service, replace_first_line
from testing.git import commit, git


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return testing_fleet.make_template(tmp_path_factory.mktemp("source") / "template")


@pytest.fixture(scope="session")
def pristine(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service of the old release, committed, to be copied."""
    return commit(generate_service(template, tmp_path_factory.mktemp("pristine") / "service"))


@pytest.fixture
def small_fleet(pristine: Path, tmp_path: Path):
    """Makes a fleet of as many services of the old release as are asked for."""

    def make(count: int) -> Fleet:
        for number in range(count):
            shutil.copytree(pristine, tmp_path / "services" / f"service-{number}")
        return Fleet(tmp_path / "services", tmp_path / "temporary")

    return make


@pytest.fixture(scope="session")
def fleet(template: Path, pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A service of each kind, in a folder named after the kind."""
    base = tmp_path_factory.mktemp("fleet")
    services = base / "services"

    def service(name: str) -> Path:
        return shutil.copytree(pristine, services / name)

    service("behind")
    commit(generate_service(template, services / "current", NEW))

    edited = service("edited")
    append(edited / CHANGED, "# Mine, at the end")
    append(edited / "README.md", "Mine, no longer the template's.")
    commit(edited)
    lock = edited / ".git" / "refs" / "heads" / f"{BRANCH}.lock"  # a killed run may leave such a lock
    lock.parent.mkdir()
    lock.touch()

    conflicting = service("conflicting")
    replace_first_line(conflicting / CHANGED, "# My first line")
    append(conflicting / DROPPED, "Mine.")
    commit(conflicting)

    append(service("dirty") / CHANGED, "# Not committed")
    (service("unreadable") / ".copier-answers.yml").write_text("answers: [\n")
    commit(services / "unreadable")
    answers = service("unreachable") / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(template), str(base / "gone")))
    commit(services / "unreachable")

    git(service("occupied"), "branch", BRANCH)
    commit(generate_service(template, services / "refused", size="huge"))
    commit(generate_service(f"git+file://{template}", services / "remote"))

    generate_service(template, services / "monorepo" / "first", service_name="first-service")
    generate_service(template, services / "monorepo" / "deep" / "second one", service_name="second-service")
    append(services / "monorepo" / "first" / CHANGED, "# Mine, at the end")
    (services / "monorepo" / "README.md").write_text("Two services, and this file.\n")
    commit(services / "monorepo")
    return Fleet(services, base / "temporary")


@pytest.fixture(scope="session")
def before(fleet: Fleet) -> dict[str, tuple[str, ...]]:
    """The state of each repository before anything was done to it."""
    return {folder.name: testing_fleet.state(folder) for folder in sorted(fleet.folder.iterdir())}


@pytest.fixture(scope="session")
def status(fleet: Fleet, before) -> Outcome:
    return fleet.run("status")


@pytest.fixture(scope="session")
def after_status(fleet: Fleet, status: Outcome) -> dict[str, tuple[str, ...]]:
    return {folder.name: testing_fleet.state(folder) for folder in sorted(fleet.folder.iterdir())}


@pytest.fixture(scope="session")
def update(fleet: Fleet, after_status) -> Outcome:
    return fleet.run("update")
