"""The pipelines: who may do what, what the steps call, and which image they sign and deploy.

The steps run here as they stand in the YAML file, with programs that only write down how they were called.
"""

import re
from pathlib import Path

import pytest

from testing.answers import BASE_IMAGES, EXISTING, MATRIX, PIPELINES, SERVICES
from testing.git import commit, git
from testing.pipeline import GITLAB, WORKFLOWS, GitHub, GitLab, github_jobs, gitlab_jobs, scripts
from testing.process import run
from testing.template import generate

pytestmark = pytest.mark.xdist_group("render")

GITHUB_ENTRIES = [name for name in PIPELINES if MATRIX[name].get("ci", "github") == "github"]
GITLAB_ENTRIES = [name for name in PIPELINES if name not in GITHUB_ENTRIES]
SERVICE_ENTRIES = [name for name in PIPELINES if name in SERVICES]
IMAGE = "registry.example.com/team/a-service@sha256:" + "a" * 64

# Programs of the steps. Each call is a line of the file CALLS, with the digest that the environment names.
RECORD = """#!/bin/sh
seen=$(env | sed -n 's/^[A-Z_]*_IMAGE=\\(.*@sha256:.*\\)/ with \\1/p')
[ "$NO_CACHE" != true ] || [ "$1" != release ] || seen=" from scratch"
echo "${0##*/} $*$seen" >>"$CALLS"
case "${0##*/} $1" in
    "make release") cat "$RELEASED" ;;
    "ssh-add -" | "docker login") cat >/dev/null ;;
esac
"""
# As ssh, in a folder that stands for the home of the user on the host.
SSH = """#!/bin/sh
if [ "$1" = -i ]; then shift 2; fi
echo "ssh $*" >>"$CALLS"
shift
cd "$HOST_HOME" && if [ "$1" = sh ]; then exec sh; else exec "$@"; fi
"""


def pipeline_files(project: Path) -> set[str]:
    found = [*project.glob(".github/**/*"), *project.glob(".gitlab*")]
    return {path.relative_to(project).as_posix() for path in found if path.is_file()}


def test_each_output_has_the_files_of_its_own_pipeline_alone(outputs: Path):
    files = {
        "github": {f"{WORKFLOWS}/ci.yml", f"{WORKFLOWS}/release.yml"},
        "gitlab": {GITLAB},
        "none": set(),
    }
    for name, answers in MATRIX.items():
        default = "none" if name in EXISTING else "github"
        ci = answers.get("ci", default)
        assert pipeline_files(outputs / name) == files[ci], name
        if name in SERVICES | BASE_IMAGES:
            assert ("## Pipeline\n" in (outputs / name / "README.md").read_text()) == (ci != "none"), name


def test_a_service_without_the_new_layout_and_an_existing_one_get_no_pipeline(tmp_path: Path):
    assert not pipeline_files(generate(tmp_path / "layout-1", layout=1))
    with pytest.raises(ValueError, match="Only a starter has a pipeline"):
        generate(tmp_path / "existing", source="existing", ci="github")
    with pytest.raises(ValueError, match="Set layout to 2 as well"):
        generate(tmp_path / "both", layout=1, ci="github")


def test_only_the_release_may_write_and_no_token_stays_in_a_checkout(outputs: Path):
    for name in GITHUB_ENTRIES:
        for job, content in github_jobs(outputs / name).items():
            written = {scope for scope, access in content["permissions"].items() if access == "write"}
            own_registry = f"registry: {MATRIX[name].get('registry', 'ghcr.io').split('/')[0]}"
            pushes = {"packages"} if own_registry == "registry: ghcr.io" else set()
            assert written == ({"id-token"} | pushes if job == "release" else set()), (name, job)
            assert content["permissions"]["contents"] == "read" and content["timeout-minutes"]
            for step in content["steps"]:
                if step.get("uses", "").startswith("actions/checkout@"):
                    assert step["with"]["persist-credentials"] is False


def test_every_action_is_pinned_by_its_commit_with_its_version(outputs: Path):
    for name in GITHUB_ENTRIES:
        for file in (outputs / name / WORKFLOWS).iterdir():
            lines = [line for line in file.read_text().splitlines() if "uses:" in line]
            assert lines
            for line in lines:
                assert re.fullmatch(r" +uses: [\w.-]+/[\w.-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line), line


@pytest.mark.parametrize("name", PIPELINES)
def test_the_steps_build_by_make_alone(outputs: Path, name: str):
    makefile = (outputs / name / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    called: set[str] = set()
    for script in scripts(outputs / name):
        called |= set(re.findall(r'(?:^ *|; do |echo ")make (?:-C \S+ )?([a-z-]+)', script.commands, re.M))
        own = r"docker (build|push|compose|stack)\b|buildx (build|bake)|trivy (image|fs)|cosign (sign|verify)"
        assert not re.search(own, script.commands)
    assert called <= targets
    expected = {"test", "scan", "release", "sign", "verify"}
    if name in SERVICE_ENTRIES:
        expected |= {"check", "lock-check", "build"} | {target for target in targets if target.startswith("deploy")}
    assert called == expected


# The steps, with programs that only record


@pytest.fixture
def recorded(tmp_path: Path) -> dict[str, str]:
    """Return the environment in which make and all other programs write down their calls."""
    programs, home = tmp_path / "programs", tmp_path / "host"
    for folder in (programs, home, tmp_path / "home", tmp_path / "runner"):
        folder.mkdir()
    for program in ("make", "docker", "kubectl", "kustomize", "apk", "apt-get", "ssh-agent", "ssh-add"):
        (programs / program).write_text(RECORD)
    (programs / "ssh").write_text(SSH)
    for program in programs.iterdir():
        program.chmod(0o755)
    for name in ("keys", "key"):
        (tmp_path / name).touch()
    return {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(tmp_path / "home"),
        "HOST_HOME": str(home),
        "CALLS": str(tmp_path / "calls"),
        "RELEASED": str(tmp_path / "released"),
    }


def calls(env: dict[str, str]) -> list[str]:
    return Path(env["CALLS"]).read_text().splitlines()


def tagged(outputs: Path, name: str, folder: Path) -> Path:
    """Return a copy of the output with three releases, the newest of which is not the last commit."""
    project = folder / "project"
    run("cp", "-r", outputs / name, project)
    commit(project)
    for tag in ("v1.9.0", "v1.10.0-rc1", "v1.10.0"):
        (project / "released").write_text(tag)
        git(commit(project, tag), "tag", tag)
    (project / "released").write_text("not yet")
    return commit(project, "After the release")


def released(env: dict[str, str], name: str) -> list[str]:
    """Make `make release` print images as it does, after the commands; return them."""
    images = [IMAGE] if name in SERVICES else [IMAGE.replace("@", f":3.13-{f}@") for f in ("slim", "distroless")]
    Path(env["RELEASED"]).write_text("\n".join(["docker buildx bake --file docker-bake.hcl release", *images, ""]))
    return images


def run_release(project: Path, name: str, env: dict[str, str], tag: str) -> None:
    """Run the release and the deployment of a pushed tag, or of the schedule if there is none."""
    folder = Path(env["HOME"]).parent
    places = [job for job in (github_jobs if name in GITHUB_ENTRIES else gitlab_jobs)(project) if "deploy" in job]
    if name in GITHUB_ENTRIES:
        ref = {"GITHUB_REF_NAME": tag or "main", "GITHUB_REF_TYPE": "tag" if tag else "branch"}
        context = {
            "github.ref_type": ref["GITHUB_REF_TYPE"],
            "github.server_url": "https://github.com",
            "github.workflow_ref": "Owner/service/.github/workflows/release.yml@refs/heads/main",
            "vars.DEPLOY_HOST": "deployer@host",
            "vars.DEPLOY_CLUSTER": "production",
            "secrets.DEPLOY_SSH_KEY": "a key",
            "secrets.DEPLOY_KUBECONFIG": "a kubeconfig",
        }
        runner = GitHub(project, folder / "runner", env | ref | {"GITHUB_REPOSITORY_OWNER": "Owner"}, context)
        assert runner.run("version")
        assert all(runner.run(job) for job in ("release", *places))
        return
    variables = {
        "CI_COMMIT_TAG": tag,
        "CI_CONFIG_PATH": GITLAB,
        "CI_PROJECT_URL": "https://gitlab.com/group/service",
        "CI_REGISTRY": "registry.gitlab.com",
        "CI_REGISTRY_IMAGE": "registry.gitlab.com/group/service",
        "CI_SERVER_URL": "https://gitlab.com",
        "DEPLOY_HOST": "deployer@host",
        "DEPLOY_HOST_KEYS": str(folder / "keys"),
        "DEPLOY_SSH_KEY": str(folder / "key"),
    }
    gitlab = GitLab(project, folder / "runner", env | variables)
    rebuild = next(rule["variables"] for rule in gitlab.jobs["release"]["rules"] if "variables" in rule)
    gitlab.run("release", **({} if tag else rebuild))
    for job in places:
        gitlab.run(job)


@pytest.mark.parametrize("name", PIPELINES)
def test_the_digest_that_was_released_is_the_one_that_is_signed_and_deployed(
    outputs: Path, tmp_path: Path, recorded: dict[str, str], name: str
):
    project = tagged(outputs, name, tmp_path)
    images = released(recorded, name)
    run_release(project, name, recorded, "v1.9.0")
    made = [line for line in calls(recorded) if line.startswith("make ") and "make test" not in line]
    assert made[0] == "make release VERSION=1.9.0"
    number = len(images)
    assert made[1 : 1 + 2 * number] == [f"make {do} IMAGE={image}" for do in ("sign", "verify") for image in images]
    deployed = made[1 + 2 * number :]
    assert [line.endswith(f" IMAGE={IMAGE}") for line in deployed] == [True] * (name in SERVICE_ENTRIES)


@pytest.mark.parametrize("name", ["defaults", "gitlab", "base", "base-every-python"])
def test_the_schedule_releases_the_newest_tag_again(outputs: Path, tmp_path: Path, recorded: dict[str, str], name: str):
    project = tagged(outputs, name, tmp_path)
    released(recorded, name)
    run_release(project, name, recorded, "")
    assert "make release VERSION=1.10.0 from scratch" in calls(recorded)
    assert (project / "released").read_text() == "v1.10.0"
    if name in SERVICE_ENTRIES:
        assert (Path(recorded["HOST_HOME"]) / name / "released").read_text() == "v1.10.0"


def test_before_the_first_tag_the_schedule_releases_nothing(outputs: Path, tmp_path: Path, recorded: dict[str, str]):
    project = tmp_path / "project"
    run("cp", "-r", outputs / "defaults", project)
    ref = {"GITHUB_REF_NAME": "main", "GITHUB_REF_TYPE": "branch"}
    runner = GitHub(commit(project), tmp_path / "runner", recorded | ref, {"github.ref_type": "branch"})
    assert runner.run("version")
    assert not runner.run("release")


# make deploy

DEPLOYMENTS = {
    "defaults": ("deploy", "docker compose --file docker-compose.prod.yml up --detach --wait"),
    "proxy": ("deploy", "docker compose up --detach --wait"),
    "swarm-fastapi": (
        "deploy",
        "docker stack deploy --with-registry-auth --detach=false --compose-file deploy/docker-stack.yml app",
    ),
    "kubernetes-fastapi": ("deploy", "kubectl apply --kustomize deploy/kubernetes/overlays/production"),
}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_make_deploy_takes_an_image_by_its_digest_alone(
    outputs: Path, tmp_path: Path, recorded: dict[str, str], name: str
):
    (tmp_path / "programs" / "make").unlink()
    target, command = DEPLOYMENTS[name]
    for image in ("", "registry.example.com/a-service:1.2.3"):
        refused = run("make", target, f"IMAGE={image}", cwd=outputs / name, env=recorded, check=False)
        assert refused.returncode and "IMAGE must be NAME@sha256:..." in refused.stderr
        assert not Path(recorded["CALLS"]).exists()
    run("make", target, f"IMAGE={IMAGE}", cwd=outputs / name, env=recorded)
    seen = "kustomize edit set image" if name.startswith("kubernetes") else command
    assert any(line.startswith(command) for line in calls(recorded))
    assert any(line.startswith(seen) and IMAGE in line for line in calls(recorded)), calls(recorded)
