"""`fleet` reports the state of each service correctly, and updates it on a branch or not at all."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from testing import fleet as testing_fleet
from testing.fleet import BRANCH, CHANGED, DROPPED, NEW, NEW_LINE, OLD, Fleet, Outcome, append
from testing.git import commit, git

pytestmark = pytest.mark.xdist_group("fleet")

STATUS = {  # state, behind, edited, dirty
    "behind": ("behind", 1, [], False),
    "current": ("current", 0, [], False),
    "edited": ("behind", 1, [CHANGED], False),
    "conflicting": ("behind", 1, [CHANGED, DROPPED], False),
    "dirty": ("behind", 1, [CHANGED], True),
    "unreadable": ("broken", None, None, None),
    "unreachable": ("broken", None, None, None),
    "refused": ("behind", 1, [], False),
    "occupied": ("behind", 1, [], False),
    "remote": ("behind", 1, [], False),
    "first": ("behind", 1, [CHANGED], False),
    "second one": ("behind", 1, [], False),
}
UPDATE = {
    "behind": "updated",
    "current": "current",
    "edited": "updated",
    "conflicting": "conflict",
    "dirty": "dirty",
    "unreadable": "broken",
    "unreachable": "broken",
    "refused": "broken",
    "occupied": "broken",
    "remote": "updated",
    "first": "updated",
    "second one": "updated",
}


def show(repository: Path, name: str, branch: str = BRANCH) -> str:
    return git(repository, "show", f"{branch}:{name}")


def branches(repository: Path) -> list[str]:
    return git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads/copier-update").split("\n")


# Status


@pytest.mark.parametrize("name", STATUS)
def test_status_reports_each_service_correctly(status: Outcome, name: str):
    report = status.services[name]
    assert (report["state"], report["behind"], report["edited"], report["dirty"]) == STATUS[name], report


def test_status_finds_every_service_once(status: Outcome):
    reports = json.loads(status.stdout)
    assert len(reports["services"]) == len(STATUS)
    assert sorted(status.services) == sorted(STATUS)
    assert sum(reports["summary"].values()) == len(STATUS)


def test_status_changes_nothing(before, after_status):
    assert after_status == before


def test_status_is_1_if_a_service_needs_attention(status: Outcome):
    assert status.status == 1


def test_status_is_0_if_all_services_are_at_the_newest_release(fleet: Fleet, status: Outcome):
    assert fleet.run("status", folder=fleet.folder / "current").status == 0


def test_an_error_is_one_sentence(status: Outcome):
    assert "is not YAML" in status.services["unreadable"]["message"]
    assert re.search(r"gone cannot be reached: .*does not exist", status.services["unreachable"]["message"])
    assert not any("\n" in report["message"] for report in status.services.values())


@pytest.mark.parametrize(
    ("name", "code", "has_hint"),
    [("unreadable", "answers-unreadable", False), ("unreachable", "template-unreachable", True)],
)
def test_an_error_has_a_code_and_maybe_a_hint(status: Outcome, name: str, code: str, has_hint: bool):
    report = status.services[name]
    assert (report["code"], bool(report["hint"])) == (code, has_hint), report


def test_verbose_prints_the_traceback_of_an_error(fleet: Fleet, status: Outcome):
    unreadable = fleet.folder / "unreadable"
    assert "Traceback" not in fleet.plain("status", unreadable).stderr
    assert "parse_answers" in fleet.plain("status", "--verbose", unreadable).stderr


def test_an_unexpected_error_is_never_hidden(fleet: Fleet, status: Outcome):
    program = (
        "import sys, fleet.cli, fleet.jobs\n"
        "fleet.jobs.open_repository = lambda *_: 1 / 0\n"
        "sys.exit(fleet.cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "status", "--json", fleet.folder / "current"]
    environment = testing_fleet.environment(fleet.temporary)
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert "Traceback" in result.stderr and "ZeroDivisionError" in result.stderr
    (report,) = json.loads(result.stdout)["services"]
    assert (report["state"], report["code"]) == ("broken", "unexpected")


def test_without_a_terminal_there_are_a_plain_table_and_plain_lines(fleet: Fleet, status: Outcome):
    outcome = fleet.plain("status", fleet.folder / "current", fleet.folder / "unreadable")
    assert outcome.stderr.splitlines() == ["[1/2] unreadable: broken", "[2/2] current: current"]
    heading, current, unreadable, summary = outcome.stdout.splitlines()
    assert heading.split() == ["service", "state", "version", "newest", "behind", "edited", "dirty", "note"]
    assert current.split() == ["current", "current", NEW, NEW, "0", "0"]
    assert "is not YAML" in unreadable
    assert re.fullmatch(r"2 services in [\d.]+ s: 1 current, 1 broken", summary)


def test_on_a_terminal_there_is_a_bar(fleet: Fleet, status: Outcome):
    terminal, end = pty.openpty()
    environment = testing_fleet.environment(fleet.temporary) | {"TERM": "xterm"}
    command = testing_fleet.command("status", fleet.folder / "current")
    subprocess.run(command, stderr=end, stdout=subprocess.DEVNULL, env=environment, check=True)
    assert "━" in os.read(terminal, 100_000).decode()
    os.close(end)
    os.close(terminal)


# Update


@pytest.mark.parametrize("name", UPDATE)
def test_update_reports_each_service_correctly(update: Outcome, name: str):
    report = update.services[name]
    assert report["state"] == UPDATE[name], report


def test_update_is_1_if_a_service_needs_attention(update: Outcome):
    assert update.status == 1


def test_update_leaves_checkouts_and_other_branches_alone(fleet: Fleet, before, update: Outcome):
    for folder in sorted(fleet.folder.iterdir()):
        references, *rest = testing_fleet.state(folder)
        old_references, *old_rest = before[folder.name]
        assert rest == old_rest
        new = set(references.splitlines()) ^ set(old_references.splitlines())
        assert all("refs/heads/copier-update/" in line for line in new)


def test_update_puts_one_commit_on_a_branch_of_its_own(fleet: Fleet, update: Outcome):
    repository = fleet.folder / "behind"
    assert branches(repository) == [BRANCH]
    subject = f"Update service from {OLD} to {NEW} of its template"
    assert git(repository, "log", "--format=%s", f"main..{BRANCH}") == subject
    assert git(repository, "diff", "--name-only", "main", BRANCH).split() == [
        ".copier-answers.yml",
        CHANGED,
        DROPPED,
    ]
    assert yaml.safe_load(show(repository, ".copier-answers.yml"))["_commit"] == NEW


def test_edits_survive_beside_what_the_template_changed(fleet: Fleet, update: Outcome):
    changed = show(fleet.folder / "edited", CHANGED).splitlines()
    assert (changed[0], changed[-1]) == (NEW_LINE, "# Mine, at the end")
    assert show(fleet.folder / "edited", "README.md").endswith("no longer the template's.")


def test_a_conflict_is_marked_and_does_not_look_green(fleet: Fleet, update: Outcome):
    repository = fleet.folder / "conflicting"
    assert update.services["conflicting"]["conflicts"] == [CHANGED, DROPPED]
    assert show(repository, CHANGED).splitlines()[:5] == [
        "<<<<<<< before updating",
        "# My first line",
        "=======",
        NEW_LINE,
        ">>>>>>> after updating",
    ]
    assert git(repository, "log", "-1", "--format=%s", BRANCH).startswith("CONFLICT: ")


def test_an_edited_file_that_the_template_drops_is_kept_and_reported(fleet: Fleet, update: Outcome):
    assert f"dropped by the template, kept: {DROPPED}." in update.services["conflicting"]["message"]
    assert show(fleet.folder / "conflicting", DROPPED).endswith("Mine.")


@pytest.mark.parametrize("name", ["dirty", "unreadable", "unreachable", "refused", "current"])
def test_what_is_not_updated_gets_no_branch(fleet: Fleet, update: Outcome, name: str):
    assert branches(fleet.folder / name) == [""]


def test_an_answer_that_the_new_release_refuses_is_not_replaced_in_silence(update: Outcome):
    assert update.services["refused"]["message"] == f"{NEW} does not take the answer size: huge (its own is small)"


def test_services_in_one_repository_have_a_branch_each(fleet: Fleet, update: Outcome):
    repository = fleet.folder / "monorepo"
    for folder, branch in (("first", "first"), ("deep/second one", "deep/second%20one")):
        changed = git(repository, "diff", "--name-only", "main", f"copier-update/{branch}/{NEW}").splitlines()
        assert changed == [f"{folder}/{name}" for name in (".copier-answers.yml", CHANGED, DROPPED)]


def test_a_url_stays_recorded(fleet: Fleet, template: Path, update: Outcome):
    answers = yaml.safe_load(show(fleet.folder / "remote", ".copier-answers.yml"))
    assert answers["_src_path"] == f"git+file://{template}"


def test_nothing_temporary_stays(fleet: Fleet, update: Outcome):
    assert list(fleet.temporary.iterdir()) == []


def test_a_branch_of_that_name_with_something_else_is_left_alone(fleet: Fleet, update: Outcome):
    assert update.services["occupied"]["message"] == f"the branch {BRANCH} is there, but holds version {OLD}"
    assert git(fleet.folder / "occupied", "rev-parse", BRANCH) == git(fleet.folder / "occupied", "rev-parse", "main")


def test_a_lock_that_a_kill_left_on_the_branch_is_removed(fleet: Fleet, update: Outcome):
    assert sorted(path.name for path in (fleet.folder / "edited/.git/refs/heads/copier-update").iterdir()) == [NEW]


# Again


@pytest.fixture(scope="session")
def again(fleet: Fleet, update: Outcome) -> tuple[Outcome, bool]:
    """A second update, and whether it left all as it was."""
    state = {folder: testing_fleet.state(folder) for folder in sorted(fleet.folder.iterdir())}
    outcome = fleet.run("update")
    return outcome, state == {folder: testing_fleet.state(folder) for folder in state}


def test_a_second_update_recognises_the_branches_of_the_first(again):
    outcome, unchanged = again
    expected = {name: "waiting" if state == "updated" else state for name, state in UPDATE.items()}
    assert {name: report["state"] for name, report in outcome.services.items()} == expected
    assert unchanged


def test_a_resolved_conflict_waits_and_a_merged_branch_is_current(fleet: Fleet, again, tmp_path: Path):
    repository = shutil.copytree(fleet.folder / "conflicting", tmp_path / "resolved")
    assert fleet.run("update", folder=repository).services["resolved"]["state"] == "conflict"
    git(repository, "switch", "--quiet", BRANCH)
    changed = repository / CHANGED
    changed.write_text(re.sub(r"<<<<<<< .*?=======\n(.*?)>>>>>>> [^\n]*\n", r"\1", changed.read_text(), flags=re.S))
    commit(repository, "Resolve")
    git(repository, "switch", "--quiet", "main")
    resolved = fleet.run("update", folder=repository)
    assert (resolved.status, resolved.services["resolved"]["state"]) == (0, "waiting")
    git(repository, "merge", "--quiet", BRANCH)
    merged = fleet.run("update", folder=repository)
    assert (merged.status, merged.services["resolved"]["state"]) == (0, "current")


# Where things are


def test_a_folder_that_only_looks_like_a_killed_run_stays(small_fleet):
    fleet = small_fleet(1)
    other = fleet.temporary / "copier-fleet-of-somebody"
    other.mkdir(parents=True)
    fleet.run("status")
    assert list(fleet.temporary.iterdir()) == [other]


# Where things are


def test_no_template_is_trusted_whatever_the_settings_say(small_fleet, tmp_path: Path):
    fleet = small_fleet(0)
    template = tmp_path / "untrusted"
    template.mkdir()
    (template / "copier.yml").write_text("_tasks: [touch ran]\n")
    (template / "{{_copier_conf.answers_file}}.jinja").write_text("{{ _copier_answers|to_yaml }}")
    for version in (OLD, NEW):
        (template / "file").write_text(version)
        git(commit(template), "tag", version)
    commit(testing_fleet.generate_service(template, tmp_path / "services" / "service", skip_tasks=True))
    settings = tmp_path / "settings.yml"
    settings.write_text(f"trust: [{template}]\n")
    outcome = fleet.plain("update", fleet.folder, COPIER_SETTINGS_PATH=str(settings))
    assert (outcome.status, "potentially unsafe feature" in outcome.stdout) == (1, True), outcome
    assert branches(fleet.folder / "service") == [""]


def test_in_a_git_hook_it_uses_the_repositories_of_the_services(small_fleet, tmp_path: Path):
    fleet = small_fleet(1)
    settings = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "CI"}
    outcome = fleet.plain("update", fleet.folder, GIT_DIR=str(tmp_path), GIT_INDEX_FILE="index", **settings)
    assert "1 updated" in outcome.stdout
    assert git(fleet.folder / "service-0", "log", "-1", "--format=%an", BRANCH) == "CI"


def test_all_services_share_one_clone_of_their_template(template: Path, small_fleet, tmp_path: Path):
    fleet = small_fleet(3)
    for repository in fleet.folder.iterdir():
        answers = repository / ".copier-answers.yml"
        answers.write_text(answers.read_text().replace(str(template), f"git+file://{template}"))
        commit(repository)
    trace = tmp_path / "trace"
    outcome = fleet.plain("status", fleet.folder, GIT_TRACE=str(trace))
    assert "3 behind" in outcome.stdout
    asked = [line for line in trace.read_text().splitlines() if f"built-in: git upload-pack {template}" in line]
    assert len(asked) == 1, asked


def test_a_template_that_moved_is_named_and_then_recorded(template: Path, small_fleet, tmp_path: Path):
    fleet = small_fleet(1)
    answers = fleet.folder / "service-0" / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(template), "../template"))
    commit(answers.parent)
    assert "relative path" in fleet.run("update").services["service-0"]["message"]
    assert fleet.run("update", "--template", template).status == 0
    assert yaml.safe_load(show(answers.parent, answers.name))["_src_path"] == str(template)
    assert git(answers.parent, "rev-list", "--count", f"main..{BRANCH}") == "1"


def test_a_shallow_detached_checkout_as_ci_has_it(pristine: Path, small_fleet, tmp_path: Path):
    fleet = small_fleet(0)
    history = shutil.copytree(pristine, tmp_path / "history")
    append(history / CHANGED, "# Mine, at the end")
    commit(history)
    repository = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{history}", repository)
    git(repository, "switch", "--quiet", "--detach", "main")
    assert fleet.run("update", folder=repository).status == 0
    assert git(repository, "rev-parse", f"{BRANCH}^") == git(repository, "rev-parse", "HEAD")
    assert show(repository, CHANGED).endswith("# Mine, at the end")


def test_a_file_names_the_repositories(small_fleet, tmp_path: Path):
    fleet = small_fleet(3)
    names = tmp_path / "fleet.txt"
    names.write_text("# The team's\nservices/service-0\n\nservices/service-2\nservices/service-9\n")
    outcome = fleet.run("status", "--from", names, folder=fleet.folder / "service-0")
    states = {name: report["state"] for name, report in outcome.services.items()}
    assert states == {"service-0": "behind", "service-2": "behind", "service-9": "broken"}
    assert outcome.services["service-9"]["message"] == "there is no such folder"


def test_a_service_that_is_not_committed_is_reported(template: Path, small_fleet, tmp_path: Path):
    fleet = small_fleet(0)
    loose = testing_fleet.generate_service(template, tmp_path / "services" / "loose")
    git(shutil.copytree(loose, tmp_path / "services" / "uncommitted"), "init", "--quiet")
    services = fleet.run("update").services
    assert "not a git repository" in services["loose"]["message"]
    assert services["uncommitted"]["message"] == "no commit holds .copier-answers.yml"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["status"],
        ["upgrade", "."],
        ["status", "--jobs", "0", "."],
        ["status", "missing"],
        ["status", "--from", "x"],
    ],
)
def test_wrong_usage_is_2(fleet: Fleet, arguments: list[str]):
    outcome = fleet.plain(*arguments)
    assert (outcome.status, outcome.stdout) == (2, ""), outcome
    assert "Traceback" not in outcome.stderr
