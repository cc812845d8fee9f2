"""`copier update`, from every release to what lies here: no edit is lost, and no conflict is silent."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_update

from edits import EDITS, Edit, replace
from releases import CURRENT, knows, released
from testing.answers import UPDATED
from testing.docker import docker, get
from testing.git import commit, git
from testing.process import TOOLS, run
from testing.service import Service
from testing.template import copier, files, generate_from


def generate_release(template: Path, project: Path, version: str, answers: dict[str, Any]) -> Path:
    """Generate a project of that release and commit it; return it."""
    return commit(generate_from(template, project, version, **answers), "Generated")


def update(project: Path, **answers: Any) -> None:
    run_update(project, data=answers, defaults=True, overwrite=True, quiet=True, vcs_ref=CURRENT)


def conflicts(project: Path) -> list[str]:
    """The files that git holds unmerged, or that show a conflict's marks, or a rejected change."""
    unmerged = git(project, "diff", "--name-only", "--diff-filter=U").splitlines()
    marked = [
        path for path, content in files(project).items() if b"<<<<<<<" in content and not path.startswith(".git/")
    ]
    return sorted({*unmerged, *marked, *(str(path) for path in project.rglob("*.rej"))})


def cases() -> list:
    """Every release with every set of answers and all edits; for the newest, with each edit alone too."""
    one_by_one = [(released()[-1], "defaults", title) for title, edit in EDITS.items() if edit.kind == "service"]
    # Of the answers that a release knew: others nobody has projects of.
    known = [(version, name) for version in released() for name in UPDATED if knows(version, UPDATED[name])]
    together = [(version, name, "every edit") for version, name in known]
    return [pytest.param(*case, id="-".join(case)) for case in one_by_one + together]


def edits_of(title: str, answers: dict[str, Any]) -> list[Edit]:
    if title != "every edit":
        return [EDITS[title]]
    kind = answers.get("kind", "service")
    # Of two edits that exclude each other, the first.
    left_out = {"changed source"} | ({"a changed port"} if answers.get("framework") == "worker" else set())
    return [edit for name, edit in EDITS.items() if edit.kind == kind and name not in left_out]


@pytest.mark.parametrize(("version", "name", "title"), cases())
def test_an_edit_survives_the_update_and_nothing_conflicts(
    template: Path, tmp_path: Path, record_property: Callable[[str, object], None], version: str, name: str, title: str
):
    project = generate_release(template, tmp_path / "project", version, UPDATED[name])
    edits = edits_of(title, UPDATED[name])
    record_property("updated with edits", len(edits))
    for edit in edits:
        edit.make(project)
    commit(project, "Edited")

    changed = {key: value for edit in edits for key, value in edit.answers.items()}
    update(project, **changed)
    assert conflicts(project) == []
    assert [number for number, edit in enumerate(edits) if not edit.survives(project)] == []
    assert yaml.safe_load((project / ".copier-answers.yml").read_text())["_commit"] == CURRENT

    if title == "every edit":
        commit(project, "Updated")
        update(project)
        assert git(project, "status", "--porcelain") == "", "a second update changed something"


def template_files(project: Path, kind: str) -> dict[str, bytes]:
    """Return the files that the template owns, by path."""
    users = ["README.md"]
    if kind == "service":
        users += ["pyproject.toml", "requirements", "src/", "tests/"]
    return {path: content for path, content in files(project).items() if not path.startswith((".git/", *users))}


LATEST = [name for name, answers in UPDATED.items() if knows(released()[-1], answers)]


@pytest.mark.parametrize("name", LATEST)
def test_an_update_gives_what_a_fresh_copy_gives(template: Path, tmp_path: Path, name: str):
    """The user's files apart. A service of releases 0.1 to 0.3 keeps layout 1."""
    kind = UPDATED[name].get("kind", "service")
    project = generate_release(template, tmp_path / "project", released()[-1], UPDATED[name])
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text())
    answers = UPDATED[name] | {"ci": recorded.get("ci", "none")}
    if kind == "service":
        answers = answers | {
            "service_name": recorded["service_name"],
            "layout": recorded.get("layout", 1),
            "flavor": recorded.get("flavor", "slim"),
        }
    update(project)
    fresh = generate_from(template, tmp_path / "fresh", CURRENT, **answers)
    assert template_files(project, kind) == template_files(fresh, kind)


@pytest.mark.parametrize("name", [name for name in LATEST if UPDATED[name].get("kind") != "base-image"])
def test_a_service_moves_to_the_new_layout_by_one_answer(template: Path, tmp_path: Path, name: str):
    project = generate_release(template, tmp_path / "project", released()[-1], UPDATED[name])
    before = files(project / "src")
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text())
    kept = {"service_name": recorded["service_name"], "flavor": recorded.get("flavor", "slim")}
    kept["ci"] = recorded.get("ci", "none")
    update(project, layout=2)
    fresh = generate_from(template, tmp_path / "fresh", CURRENT, **UPDATED[name] | kept)
    assert template_files(project, "service") == template_files(fresh, "service")
    assert files(project / "src") == before


@pytest.mark.parametrize("framework", ["fastapi", "flask", "django", "worker"])
def test_a_change_to_the_servers_configuration_reaches_a_service(template: Path, tmp_path: Path, framework: str):
    """The server's code stands in docker/, which an update improves; src/ is the user's."""
    own_template = tmp_path / "template"
    git(tmp_path, "clone", "--quiet", str(template), str(own_template))
    project = generate_release(own_template, tmp_path / "project", CURRENT, {"framework": framework})
    source = next((project / "src" / "project").glob("[a-z]*.py"))
    source.write_text(source.read_text() + "# edited\n")
    commit(project, "Edited")
    before = files(project / "src")

    server = next((own_template / "template" / f"{{{{ for_{framework} }}}}" / "docker").glob("start.py*"))
    server.write_text(server.read_text() + "# a change of the server\n")
    git(own_template, "commit", "--quiet", "--all", "--message=Release 99.1.0")
    git(own_template, "tag", "99.1.0")
    run_update(project, defaults=True, overwrite=True, quiet=True, vcs_ref="99.1.0")
    assert (project / "docker" / "start.py").read_text().endswith("# a change of the server\n")
    assert files(project / "src") == before


def test_an_edit_on_a_line_that_a_release_changes_is_a_conflict_that_shows(template: Path, tmp_path: Path):
    """A release of the test's own changes the line that the user changed too."""
    own_template = tmp_path / "template"
    git(tmp_path, "clone", "--quiet", str(template), str(own_template))
    project = generate_release(own_template, tmp_path / "project", CURRENT, {})
    replace("docker-compose.prod.yml", r"stop_grace_period: \S+", "stop_grace_period: 45s")(project)
    commit(project, "Edited")

    replace("template/docker-compose.prod.yml.jinja", r"stop_grace_period: \S+", "stop_grace_period: 60s")(own_template)
    git(own_template, "commit", "--quiet", "--all", "--message=Release 99.1.0")
    git(own_template, "tag", "99.1.0")

    result = run("make", "update", cwd=project, env={"PATH": f"{TOOLS}:{os.environ['PATH']}"}, check=False)
    assert result.returncode, "a conflict passed in silence"
    assert "conflict: docker-compose.prod.yml" in result.stderr
    text = (project / "docker-compose.prod.yml").read_text()
    assert "<<<<<<< before updating" in text and "45s" in text and "60s" in text
    assert "UU docker-compose.prod.yml" in git(project, "status", "--porcelain"), result.stderr


# A slow request, by the framework whose router serves it.
SLOW = {
    "fastapi": """
@router.get("/slow")
async def slow() -> str:
    import asyncio

    await asyncio.sleep(2)
    return "done"
""",
    "flask": """
@api.get("/slow")
def slow() -> str:
    import time

    time.sleep(2)
    return "done"
""",
}
OLD_SERVICES = [
    (version, framework)
    for version in released()
    if version < "0.4"
    for framework in ("fastapi", "flask", "django", "worker")
    if knows(version, {"framework": framework})
]


@pytest.mark.parametrize(("version", "framework"), OLD_SERVICES)
@pytest.mark.xdist_group("updated")
def test_an_updated_service_is_built_healthy_and_drained(
    engine: None, template: Path, tmp_path: Path, version: str, framework: str
):
    """A service of an old release keeps its own server; edits survive; a slow request is answered."""
    answers = {"service_name": "hello-service", "framework": framework}
    project = generate_release(template, tmp_path / "project", version, answers)
    for title, edit in EDITS.items():
        # The dependency is in no index; the package keeps its name for the slow request.
        if edit.kind == "service" and title not in ("a new dependency", "a renamed package", "a changed port"):
            edit.make(project)
    if framework in SLOW:
        source = project / "src" / "hello_service" / "api.py"
        source.write_text(source.read_text() + SLOW[framework])
    commit(project, "Edited")
    update(project)
    assert conflicts(project) == []
    with Service(project) as service:
        assert "RUN echo added" in service.build().stderr
        with service.production():
            answer: list[tuple[int, str]] = []
            if framework in SLOW:
                request = threading.Thread(target=lambda: answer.append(get(service.url("/slow"))))
                request.start()
                time.sleep(0.7)
            docker("stop", service.container)
            assert service.state["ExitCode"] == 0
            if framework in SLOW:
                request.join()
                assert answer[0][0] == 200 and "done" in answer[0][1]


@pytest.mark.parametrize("version", [version for version in released() if version < "0.6"])
def test_an_upstream_service_of_a_release_that_did_not_ask_stays_slim(template: Path, tmp_path: Path, version: str):
    project = generate_release(template, tmp_path / "project", version, {})
    update(project)
    assert yaml.safe_load((project / ".copier-answers.yml").read_text())["flavor"] == "slim"
    assert "slim-trixie AS base\n" in (project / "Dockerfile").read_text()
    assert "FROM scratch" not in (project / "Dockerfile").read_text().replace("FROM scratch AS tests", "")


@pytest.mark.parametrize("version", ["0.1.0", "0.4.0"])
@pytest.mark.xdist_group("updated")
def test_a_service_that_moves_to_distroless_is_built_and_keeps_its_edits(
    engine: None, template: Path, tmp_path: Path, version: str
):
    """By one answer, in layout 1 and 2."""
    project = generate_release(template, tmp_path / "project", version, {"service_name": "hello-service"})
    # The Dockerfile is another one, and there must be an index that has each dependency.
    others = ("an extra RUN", "a new dependency", "a renamed package", "a changed port", "a deleted test")
    edits = [edit for name, edit in EDITS.items() if edit.kind == "service" and name not in others]
    for edit in edits:
        edit.make(project)
    commit(project, "Edited")
    update(project, flavor="distroless")
    assert conflicts(project) == []
    assert all(edit.survives(project) for edit in edits)
    with Service(project) as service:
        service.build()
        assert service.sandbox("sh", check=False).returncode == 127
        service.make("test")
        with service.production():
            assert get(service.url("/healthz"))[0] == 200


def test_an_update_needs_no_trust(template: Path, tmp_path: Path):
    project = generate_release(template, tmp_path / "project", released()[0], {})
    result = copier("update", "--defaults", f"--vcs-ref={CURRENT}", project)
    assert result.returncode == 0, result.stderr


def test_the_guide_of_an_existing_service_is_updated_and_its_own_readme_is_not(template: Path, tmp_path: Path):
    """Releases up to 0.3.0 named the guide docker/README.md, which a pattern for README.md left out of updates."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "README.md").write_text("Mine.\n")
    answers = {"source": "existing", "app_dir": "app", "start_command": "python -m app"}
    generate_release(template, project, "0.3.0", answers)
    before = (project / "docker" / "README.md").read_text()
    update(project)
    assert (project / "docker" / "README.md").read_text() != before
    assert "## Updates of this layout" in (project / "docker" / "README.md").read_text()
    assert (project / "README.md").read_text() == "Mine.\n"


def test_in_a_monorepo_each_service_is_updated_alone(template: Path, tmp_path: Path):
    own_template = tmp_path / "template"
    git(tmp_path, "clone", "--quiet", str(template), str(own_template))
    repository = tmp_path / "repository"
    for name, framework in (("api", "fastapi"), ("worker", "worker")):
        answers = {"service_name": f"our-{name}", "framework": framework}
        generate_from(own_template, repository / "services" / name, CURRENT, **answers)
    commit(repository, "Generated")

    replace("template/docker-compose.prod.yml.jinja", r"stop_grace_period: \S+", "stop_grace_period: 60s")(own_template)
    git(own_template, "commit", "--quiet", "--all", "--message=Release 99.1.0")
    git(own_template, "tag", "99.1.0")
    for name in ("api", "worker"):
        run_update(repository / "services" / name, defaults=True, overwrite=True, quiet=True, vcs_ref="99.1.0")
        changed = git(repository, "status", "--porcelain").splitlines()
        assert [line.split()[-1] for line in changed] == [
            f"services/{name}/.copier-answers.yml",
            f"services/{name}/docker-compose.prod.yml",
        ]
        commit(repository, f"Updated {name}")
