"""What every output has in common, whatever was answered."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from testing import ROOT
from testing.answers import LAYOUTS, MATRIX, SERVICES
from testing.git import commit, git
from testing.process import run
from testing.template import copier, files, generate, read_answers

pytestmark = pytest.mark.xdist_group("render")

LOCKED = ("requirements.txt", "requirements-dev.txt")


def each_text(outputs: Path):
    for name in MATRIX:
        for path, content in files(outputs / name).items():
            yield f"{name}/{path}", content.decode()


def test_no_output_shows_that_it_came_from_a_template(outputs: Path):
    for path, text in each_text(outputs):
        if path.endswith(".html"):
            continue  # Django's own templates
        assert "{%" not in text and "{#" not in text, path
        # Docker's own format, and the expressions of a workflow.
        assert not re.search(r"(?<!\$)\{\{(?!\.|index |range |println |with |end\}\})", text), path
        assert "jinja" not in Path(path).name, path


def test_no_output_has_a_scar_of_blank_lines(outputs: Path):
    for path, text in each_text(outputs):
        python = Path(path).suffix == ".py" or text.startswith("#!/usr/local/bin/python")
        most = 2 if python or Path(path).name == "Dockerfile" else 1
        assert not re.search(rf"\n{{{most + 2},}}", text), f"{path}: too many blank lines"
        assert not text.startswith("\n"), f"{path} starts with a blank line"
        assert text == "" or (text.endswith("\n") and not text.endswith("\n\n")), f"{path}: its end"
        assert not re.search(r"[ \t]+$", text, re.MULTILINE), f"{path}: blanks at the end of a line"


def test_rendering_twice_gives_the_same_bytes(tmp_path: Path):
    for name in ("defaults", "long-name", "base"):
        once, again = (generate(tmp_path / n / name, **MATRIX[name]) for n in "ab")
        assert files(once) == files(again)


def test_no_name_is_illegal_on_windows(outputs: Path):
    reserved = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10)}
    template = [p.relative_to(ROOT) for d in ("template", "base-image") for p in (ROOT / d).rglob("*")]
    for path in [*template, *(p.relative_to(outputs) for p in outputs.rglob("*"))]:
        for part in path.parts:
            assert not re.search(r'[<>:"\\|?*\x00-\x1f]', part), path
            assert part == part.rstrip(". "), path
            assert part.split(".")[0].lower() not in reserved, path


def test_copying_needs_no_trust(tmp_path: Path):
    settings = next(yaml.load_all(re.sub("!include", "", (ROOT / "copier.yml").read_text()), yaml.BaseLoader))
    assert not {"_tasks", "_migrations", "_jinja_extensions"} & settings.keys()
    result = copier("copy", "--defaults", "--quiet", "--vcs-ref=HEAD", ROOT, tmp_path / "project")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "project" / "Dockerfile").exists()


def test_every_requirement_is_locked_with_hashes(outputs: Path):
    for name in SERVICES:
        for file in LOCKED:
            requirements = (outputs / name / file).read_text().replace("\\\n", "").splitlines()
            pins = [line for line in requirements if line and not line.lstrip().startswith("#")]
            assert pins and all("==" in pin and "--hash=sha256:" in pin for pin in pins), f"{name}/{file}"


def test_the_runtime_and_the_development_lock_agree(outputs: Path):
    def pins(file: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9._-]+==\S+", (outputs / "defaults" / file).read_text(), re.MULTILINE))

    assert pins("requirements.txt") < pins("requirements-dev.txt")


EXPECTED = Path(__file__).parent / "expected"


@pytest.mark.parametrize("name", sorted(path.name for path in EXPECTED.iterdir()))
def test_the_output_is_the_expected_one(outputs: Path, name: str):
    """The files under review in expected/. `make expected` writes them; read the difference."""
    for path in sorted((EXPECTED / name).rglob("*")):
        if path.is_file():
            relative = path.relative_to(EXPECTED / name)
            assert (outputs / name / relative).read_text() == path.read_text(), relative


@pytest.mark.parametrize(
    ("name", "most"),
    [(name, 85) for name in ("defaults", "flask", "django", "worker")]
    + [("packages", 93), ("upstream-slim", 75), ("slim", 75)],
)
def test_a_dockerfile_is_short(outputs: Path, name: str, most: int):
    lines = (outputs / name / "Dockerfile").read_text().splitlines()
    assert len(lines) <= most
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("name", SERVICES)
def test_a_dockerfile_keeps_the_rules_that_no_linter_checks(outputs: Path, name: str):
    dockerfile = (outputs / name / "Dockerfile").read_text()
    stages = re.findall(r"^FROM \S+ AS (\S+)", dockerfile, re.MULTILINE)
    assert stages[-1] == "runtime"
    assert "# syntax=" not in dockerfile
    runtime = re.split("^FROM (?:base|scratch) AS service$", dockerfile, maxsplit=1, flags=re.MULTILINE)[1]
    assert re.search(r"^USER 10001:10001$", runtime, re.MULTILINE)
    assert re.search(r"^STOPSIGNAL SIGTERM$", runtime, re.MULTILINE)
    assert all(re.search(r"--link", line) for line in re.findall(r"^COPY .*", runtime, re.MULTILINE))
    assert set(re.findall(r"--chown=(\S+)", dockerfile)) == {"10001:10001"}
    assert dockerfile.count("--require-hashes") == dockerfile.count(" --requirement ")
    assert dockerfile.index("requirements.txt") < dockerfile.index("COPY src/")
    for mount in ("ca-certificates,target=/etc/ssl/certs/ca-certificates.crt", "netrc,target=/root/.netrc"):
        assert f"--mount=type=secret,id={mount}" in dockerfile


@pytest.mark.parametrize("name", LAYOUTS)
def test_only_what_takes_requests_is_on_the_frontend(outputs: Path, name: str):
    answers = read_answers(outputs / name)
    own = answers["service_name"]
    compose = yaml.safe_load((outputs / name / "docker-compose.prod.yml").read_text())
    used = set()
    for service, settings in compose["services"].items():
        used |= set(settings["networks"])
        if service == f"{own}-proxy":
            assert settings["networks"] == ["frontend"]
            continue
        process = next((one for one in answers.get("processes", ()) if service == f"{own}-{one['name']}"), {})
        takes_requests = bool(answers.get("port") if service == own else process.get("port"))
        assert settings["networks"] == (["frontend", "backend"] if takes_requests else ["backend"]), service
    assert used == compose["networks"].keys()
    assert compose["networks"]["backend"] == {"internal": True}


@pytest.mark.parametrize("name", ["defaults", "base"])
@pytest.mark.parametrize(
    "remote", ["https://user:a-token@example.com/team/service.git", "git@example.com:team/service.git"]
)
def test_the_label_of_the_source_has_no_credentials(outputs: Path, tmp_path: Path, name: str, remote: str):
    project = shutil.copytree(outputs / name, tmp_path / "project")
    git(commit(project), "remote", "add", "origin", remote)
    shown = run("make", "--eval=show: ; @echo $(SOURCE)", "show", cwd=project).stdout.strip()
    assert shown == "https://example.com/team/service.git"
