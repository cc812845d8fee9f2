"""`make update`: what makes plain `copier update` lose edits is set right, or stops the update."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edits import replace
from releases import CURRENT
from testing import ROOT
from testing.git import commit, git
from testing.process import TOOLS, run
from testing.template import ANSWERS_FILE, TEMPLATE, copier, copy_from_checkout, files, generate, generate_from

NEXT = "99.1.0"
COMPOSE, BAKE = "docker-compose.prod.yml", "docker-bake.hcl"
# The trailing space is one of the errors that apply.whitespace=error stops at.
EDIT = "# An edit of the user \n"
FRAMEWORKS = ("fastapi", "flask", "django", "worker")


@pytest.fixture(scope="module")
def next_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return this template with one more release, which changes three files, adds one and deletes one."""
    folder = copy_from_checkout(tmp_path_factory.mktemp("next") / "template", TEMPLATE)
    release(folder, CURRENT)
    replace(f"template/{COMPOSE}.jinja", r"stop_grace_period: .*", "stop_grace_period: 99s")(folder)
    for kind in ("template", "base-image"):
        replace(f"{kind}/{BAKE}.jinja", r"\A", "# A first line of the new release\n")(folder)
    (folder / "template" / "added.txt").write_text("Of the new release\n")
    return release(folder, NEXT)


def release(template: Path, version: str) -> Path:
    git(commit(template, f"Release {version}"), "tag", version)
    return template


@pytest.fixture(scope="module")
def generated(next_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate_from(next_template, tmp_path_factory.mktemp("generated") / "service", CURRENT)


@pytest.fixture
def service(generated: Path, tmp_path: Path) -> Path:
    """Return a committed service with an edit at the end of one file that the next release changes."""
    folder = shutil.copytree(generated, tmp_path / "service")
    append(folder / COMPOSE, EDIT)
    return commit(folder)


def append(file: Path, text: str) -> None:
    file.write_bytes(file.read_bytes() + text.encode())


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the commands that `make update` runs, for PATH; fleet is not among them."""
    folder = tmp_path_factory.mktemp("commands")
    for name in ("awk", "find", "git", "grep", "make", "sed", "sh"):
        (folder / name).symlink_to(str(shutil.which(name)))
    (folder / "copier").symlink_to(TOOLS / "copier")
    return folder


def make_update(folder: Path, commands: Path) -> subprocess.CompletedProcess[str]:
    return run("make", "update", cwd=folder, env={"PATH": str(commands)}, check=False)


def state(folder: Path) -> tuple[object, ...]:
    """Return the files of the repository, and what git knows of them."""
    top = Path(git(folder, "rev-parse", "--show-toplevel"))
    kept = {path: content for path, content in files(top).items() if not path.startswith(".git/")}
    return kept, git(top, "for-each-ref"), git(top, "ls-files", "-v", "--stage")


def unmerged(folder: Path) -> list[str]:
    return git(folder, "diff", "--name-only", "--diff-filter=U", "--relative").splitlines()


@pytest.fixture
def conflicting(service: Path) -> Path:
    """Return the service with an edit that conflicts with the next release, and a file with a name beyond ASCII."""
    replace(BAKE, r"\A", "# A first line of the user\n")(service)
    (service / "höhe.txt").write_text("A file of the user\n")
    return commit(service)


def is_merged(project: Path) -> bool:
    """Tell whether the file that the user edited has the edit, and the change of the release."""
    text = (project / COMPOSE).read_text()
    return EDIT in text and "stop_grace_period: 99s" in text


def is_marked(project: Path) -> bool:
    """Tell whether git shows the conflict, with both texts."""
    text = (project / BAKE).read_text()
    both = "# A first line of the user\n" in text and "# A first line of the new release\n" in text
    return both and unmerged(project) == [BAKE] and not list(project.rglob("*.rej"))


def attributes(folder: Path) -> str:
    file = folder / "attributes"
    file.write_text("*.yml -diff\n")
    return str(file)


def failing_hook(folder: Path) -> str:
    hook = folder / "hooks" / "prepare-commit-msg"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    return str(hook.parent)


def configure(monkeypatch: pytest.MonkeyPatch, folder: Path, settings: dict[str, str]) -> None:
    """Add settings to the user's configuration of git."""
    configuration = folder / "configuration"
    shutil.copy(os.environ["GIT_CONFIG_GLOBAL"], configuration)
    for key, value in settings.items():
        run("git", "config", "--file", configuration, key, value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))


def test_no_setting_of_git_costs_an_edit(
    conflicting: Path, commands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = {
        "apply.whitespace": "error",
        "core.attributesFile": attributes(tmp_path),
        "core.hooksPath": failing_hook(tmp_path),
        "core.quotePath": "false",
        "status.showUntrackedFiles": "no",
    }
    for key, value in settings.items():
        plain = shutil.copytree(conflicting, tmp_path / key)
        with monkeypatch.context() as patch:
            configure(patch, tmp_path, {key: value})
            copier("update", "--defaults", "--quiet", cwd=plain)
        assert not (is_merged(plain) and is_marked(plain)), (
            f"plain Copier copes with {key}={value}: drop it from copier-update.sh"
        )

    # Settings in the environment have precedence over files. Those that cost no edit stay in effect.
    settings["merge.conflictStyle"] = "diff3"
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (key, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    updated = make_update(conflicting, commands)
    assert is_merged(conflicting) and is_marked(conflicting)
    assert "||||||| last update" in (conflicting / BAKE).read_text()
    assert updated.returncode, "a conflict must make the command fail"
    assert f"conflict: {BAKE}" in updated.stderr.splitlines()


# Refusals

HIDDEN = "# A hidden edit\n"


@dataclass(frozen=True)
class Refusal:
    """A state of one file in which plain Copier loses what `make` adds to it."""

    file: str
    make: Callable[[Path], None]
    message: str


def edit_under(flag: str) -> Callable[[Path], None]:
    def make(file: Path) -> None:
        git(file.parent, "update-index", f"--{flag}", file.name)
        append(file, HIDDEN)

    return make


def ignore(file: Path) -> None:
    git(file.parent, "rm", "--quiet", "--cached", file.name)
    append(file.parent / ".gitignore", f"{file.name}\n")
    commit(file.parent)
    append(file, HIDDEN)


def commit_edit(file: Path) -> None:
    append(file, HIDDEN)
    commit(file.parent)


def commit_utf_16(file: Path) -> None:
    file.write_bytes(file.read_bytes() + HIDDEN.encode("utf-16-le"))
    commit(file.parent)


def commit_symlink(folder: Path) -> None:
    """Replace the folder by a symlink to a folder with an edited file."""
    append(folder / "logs.py", HIDDEN)
    folder.rename(folder.with_name("containers"))
    folder.symlink_to("containers")
    commit(folder.parent)


REFUSALS = (
    Refusal("Dockerfile", edit_under("skip-worktree"), "marked skip-worktree; run git update-index --no-skip-worktree"),
    Refusal(".hadolint.yaml", edit_under("assume-unchanged"), "marked assume-unchanged; run git update-index --no-ass"),
    Refusal(".compose-lint.yml", ignore, "ignored by git; run git check-ignore -v --no-index .compose-lint.yml"),
    Refusal(".dockerignore", commit_edit, "ignored by git; run git check-ignore -v --no-index .dockerignore"),
    Refusal(COMPOSE, commit_utf_16, "not a text file; save it as UTF-8"),
    Refusal("docker", commit_symlink, "not a folder; replace it by one"),
    Refusal(ANSWERS_FILE, commit_edit, "Copier drops this comment; remove it: # A hidden edit"),
)


def refused(project: Path, commands: Path) -> list[str]:
    """Run `make update`, which must refuse and change nothing; return the lines that it prints."""
    before = state(project)
    result = make_update(project, commands)
    assert result.returncode and state(project) == before, result.stderr
    return [line for line in result.stderr.splitlines() if not line.startswith("make: ")]


def test_an_edit_that_copier_would_lose_stops_the_update(
    service: Path, commands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for refusal in REFUSALS:
        refusal.make(service / refusal.file)
    # For all repositories of the user: git tracks the file here.
    (tmp_path / "ignored").write_text(".dockerignore\n")
    configure(monkeypatch, tmp_path, {"core.excludesFile": str(tmp_path / "ignored")})

    lines = refused(service, commands)
    for refusal in REFUSALS:
        (line,) = (line for line in lines if line.startswith(f"{refusal.file}: "))
        assert refusal.message in line
        lines.remove(line)
    # The files behind the symlink look ignored or deleted to git: no other file may be listed.
    assert [line for line in lines if not line.startswith("docker/")] == []

    copier("update", "--defaults", "--quiet", cwd=service)
    kept = [path for path in files(service) if HIDDEN.encode() in (service / path).read_bytes().replace(b"\0", b"")]
    assert kept == [], "plain Copier copes with this state: drop it from copier-update.sh"


def replace_by_symlink(project: Path) -> None:
    (project / COMPOSE).rename(project / "production.yml")
    (project / COMPOSE).symlink_to("production.yml")


def replace_by_folder(project: Path) -> None:
    (project / COMPOSE).unlink()
    (project / COMPOSE).mkdir()
    (project / COMPOSE / "service.yml").write_text("---\n")


def replace_folder_by_file(project: Path) -> None:
    shutil.rmtree(project / ".devcontainer")
    (project / ".devcontainer").write_text("A file of the user\n")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (replace_by_symlink, f"{COMPOSE}: not a regular file; replace it by one"),
        (replace_by_folder, f"{COMPOSE}: not a regular file; replace it by one"),
        (replace_folder_by_file, ".devcontainer: not a folder; replace it by one"),
    ],
)
def test_a_file_of_another_kind_stops_the_update(
    service: Path, commands: Path, make: Callable[[Path], None], message: str
):
    make(service)
    commit(service)
    assert refused(service, commands) == [message]

    # Plain Copier fails half-way, or leaves the symlink's file without the change of the release.
    plain = copier("update", "--defaults", "--quiet", cwd=service)
    changed = "stop_grace_period: 99s"
    assert plain.returncode or changed not in (service / COMPOSE).read_text()


def test_a_service_without_a_conflict_is_updated(service: Path, commands: Path):
    updated = make_update(service, commands)
    assert updated.returncode == 0, updated.stderr
    assert is_merged(service)


# Other projects


def test_a_file_that_a_release_deletes_is_named(service: Path, commands: Path, next_template: Path, tmp_path: Path):
    """Copier deletes the file with the edits in it."""
    template = tmp_path / "template"
    git(tmp_path, "clone", "--quiet", next_template, template)
    (template / "template" / "{{ for_development }}" / "docker" / "debug.yml.jinja").unlink()
    release(template, "99.2.0")
    replace(ANSWERS_FILE, r"_src_path: .*", f"_src_path: {template}")(service)
    append(service / "docker" / "debug.yml", EDIT)
    commit(service)

    updated = make_update(service, commands)
    assert updated.returncode
    assert "deleted by the template, with any edits of yours: docker/debug.yml" in updated.stderr.splitlines()
    assert EDIT.strip() in git(service, "show", "HEAD:docker/debug.yml")


def test_a_service_in_a_folder_of_a_monorepo(generated: Path, commands: Path, tmp_path: Path):
    repository = tmp_path / "repository"
    services = {name: shutil.copytree(generated, repository / "services" / name) for name in ("a service", "höhe")}
    for folder in services.values():
        append(folder / COMPOSE, EDIT)
        (folder / "added.txt").write_text("A file of the user\n")
    replace(BAKE, r"\A", "# A first line of the user\n")(services["a service"])
    commit(repository)

    updated = make_update(services["a service"], commands)
    assert f"conflict: {BAKE}" in updated.stderr.splitlines()
    assert "conflict: added.txt" in updated.stderr.splitlines()
    assert EDIT in (services["a service"] / COMPOSE).read_text()
    assert "A file of the user" in (services["a service"] / "added.txt").read_text()

    git(repository, "reset", "--quiet", "--hard")
    (line,) = refused(services["höhe"], commands)
    assert line.startswith("services/höhe/: Copier can fail half-way in a folder of this name")

    # In such a folder, Copier stops after it has overwritten the edit, and before it brings the edit back.
    plain = copier("update", "--defaults", "--quiet", cwd=services["höhe"])
    assert plain.returncode and EDIT not in (services["höhe"] / COMPOSE).read_text()


def test_a_base_image(next_template: Path, commands: Path, tmp_path: Path):
    project = commit(generate_from(next_template, tmp_path / "base", CURRENT, kind="base-image"))
    append(project / "structure" / "common.yaml", EDIT)
    append(project / BAKE, EDIT)
    commit(project)
    git(project, "update-index", "--skip-worktree", "scripts/ldconfig")
    (line,) = refused(project, commands)
    assert line.startswith("scripts/ldconfig: marked skip-worktree")

    git(project, "update-index", "--no-skip-worktree", "scripts/ldconfig")
    git(project, "config", "apply.whitespace", "error")
    updated = make_update(project, commands)
    assert updated.returncode == 0, updated.stderr
    text = (project / BAKE).read_text()
    assert text.startswith("# A first line of the new release\n") and text.endswith(EDIT)
    assert (project / "structure" / "common.yaml").read_text().endswith(EDIT)


def test_the_script_names_every_file_that_the_template_owns(tmp_path: Path):
    for kind, users, script, variants in (
        (
            "service",
            ("README.md", "pyproject.toml", "requirements", "src/", "tests/"),
            "docker",
            [
                {"framework": name, "targets": targets}
                for name in FRAMEWORKS
                for targets in ([], ["swarm", "kubernetes"])
            ]
            + [{"targets": ["proxy"], "ci": ci} for ci in ("gitlab", "none")],
        ),
        ("base-image", ("README.md",), "scripts", [{"ci": ci} for ci in ("github", "gitlab", "none")]),
    ):
        for number, answers in enumerate(variants):
            project = generate(tmp_path / kind / str(number), kind=kind, **answers)
            owned = {path for path in files(project) if not path.startswith(users)}
            text = (project / script / "copier-update.sh").read_text()
            (named,) = re.findall(r"set -- ((?:.*\\\n)*.*)", text)
            assert set(named.replace("\\\n", " ").split()) == owned, answers


# fleet


def test_fleet_is_used_if_it_is_installed(service: Path, commands: Path, tmp_path: Path):
    with_fleet = shutil.copytree(commands, tmp_path / "commands", symlinks=True)
    fleet = with_fleet / "fleet"
    fleet.write_text(
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m fleet "$@"\n'
    )
    fleet.chmod(0o755)
    before = files(service)[COMPOSE]

    updated = make_update(service, with_fleet)
    assert updated.returncode == 0, updated.stderr
    branch = f"copier-update/{NEXT}"
    assert git(service, "branch", "--show-current") == "main"
    assert git(service, "status", "--porcelain") == "" and files(service)[COMPOSE] == before
    git(service, "merge", "--quiet", branch)
    assert is_merged(service)

    git(service, "reset", "--quiet", "--hard", "HEAD^")
    git(service, "branch", "--quiet", "-D", branch)
    append(service / COMPOSE, EDIT)
    assert make_update(service, with_fleet).returncode == 2
    assert not git(service, "branch", "--list", branch)
