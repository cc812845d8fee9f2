"""Rules of the container layout that no linter knows, for every generated Dockerfile and compose file.

The tests of containers read the same from the kernel, for a few services. These cover the processes, the
proxy and the base images of all answers as well.
"""

import functools
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from dockerfile_parse import DockerfileParser

from testing import template
from testing.answers import EXISTING, LAYOUTS, SERVICES
from testing.process import run

pytestmark = pytest.mark.xdist_group("render")

HEALTH_CHECK = ["python", "-I", "-S", "/usr/local/bin/healthcheck.py"]
read_answers = functools.cache(template.read_answers)
LABELS = {"title", "description", "version", "revision", "created", "source", "licenses", "base.name"}


class Instruction(NamedTuple):
    """An instruction of a Dockerfile, and the stage that it is in."""

    stage: str
    base: str
    name: str
    value: str


@functools.cache
def instructions(project: Path) -> list[Instruction]:
    parsed, stage, base = [], "", ""
    for entry in DockerfileParser(str(project / "Dockerfile")).structure:
        if entry["instruction"] == "FROM":
            base, _, stage = entry["value"].partition(" AS ")
        if entry["instruction"] != "COMMENT":
            parsed.append(Instruction(stage, base, entry["instruction"], entry["value"]))
    return parsed


def environment(project: Path) -> dict[str, str]:
    """Return the variables that the stages of the runtime image set."""
    values = [entry.value for entry in instructions(project) if entry.name == "ENV" and entry.stage != "builder"]
    return dict(re.findall(r"(\w+)=(\S*)", " ".join(values)))


@functools.cache
def compose(project: Path) -> dict[str, Any]:
    return yaml.safe_load((project / "docker-compose.prod.yml").read_text())


def each_service(outputs: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each service of each production file, with a name for messages."""
    for name in LAYOUTS:
        for service, content in compose(outputs / name)["services"].items():
            yield f"{name}: {service}", content


def is_proxy(service: dict[str, Any]) -> bool:
    return service["image"].startswith("haproxy:")


def seconds(duration: str) -> int:
    assert re.fullmatch(r"\d+s", duration)
    return int(duration[:-1])


# The Dockerfile


def test_a_step_that_downloads_packages_has_the_cache_and_the_secrets_and_any_other_has_no_network(outputs: Path):
    for name in LAYOUTS:
        for entry in instructions(outputs / name):
            if entry.name != "RUN" or "apt-get" in entry.value or entry.stage == "assets":
                continue
            if re.search("(pip|uv) (install|pip|sync|export|build)|uvx", entry.value):
                for mount in ("type=cache", "type=secret,id=netrc", "type=secret,id=ca-certificates"):
                    assert f"--mount={mount}," in entry.value, (name, entry)
            elif not read_answers(outputs / name).get("build_network"):
                assert "--network=none" in entry.value, (name, entry)


def test_debian_packages_come_from_a_mirror_with_a_password(outputs: Path):
    steps = [
        (name, entry)
        for name in LAYOUTS
        for entry in instructions(outputs / name)
        if entry.name == "RUN" and "apt-get" in entry.value
    ]
    assert steps
    for name, entry in steps:
        for part in ("type=secret,id=netrc,", "type=secret,id=ca-certificates,", "${APT_MIRROR:-&}"):
            assert part in entry.value, (name, entry)
        declared = [other for other in instructions(outputs / name) if other.name == "ARG"]
        assert any(other.stage == entry.stage and "APT_MIRROR" in other.value for other in declared), (name, entry)


def test_lists_of_packages_stay_out_of_the_image(outputs: Path):
    for name in LAYOUTS:
        for entry in instructions(outputs / name):
            if "apt-get" in entry.value:
                for folder in ("/var/cache/apt", "/var/lib/apt/lists", "/var/log"):
                    assert f"--mount=type=tmpfs,target={folder} " in entry.value, (name, entry)


def test_a_copy_names_what_it_takes(outputs: Path):
    for name in LAYOUTS:
        for entry in instructions(outputs / name):
            if entry.name == "COPY" and "--from=" not in entry.value:
                *sources, _ = [word for word in entry.value.split() if not word.startswith("--")]
                assert not {".", "./", "*"} & set(sources), (name, entry)


def test_the_builder_does_not_depend_on_the_source(outputs: Path):
    """So that a change of the source does not install the requirements again."""
    for name in LAYOUTS:
        answers = read_answers(outputs / name)
        apps = ("src",) if name in SERVICES else re.findall("[^ ,]+", answers["app_dir"])
        for entry in instructions(outputs / name):
            if entry.stage == "builder" and entry.name in ("COPY", "RUN"):
                assert "type=bind,target" not in entry.value, (name, entry)
                for app in apps:
                    assert not re.search(rf"(COPY |source=|^){re.escape(app.strip('/'))}/? ", entry.value), (
                        name,
                        entry,
                    )


def test_the_runtime_starts_from_the_base_and_gets_what_was_built_from_named_folders(outputs: Path):
    for name in LAYOUTS:
        service = [entry for entry in instructions(outputs / name) if entry.stage == "service"]
        assert {entry.base for entry in service} <= {"base", "scratch"}, name
        for entry in service:
            if entry.name != "COPY":
                continue
            *options, source, target = entry.value.split()
            assert source not in ("/", "/usr", "/usr/local"), (name, entry)
            # The app's user owns the source and what the build wrote, but not what runs.
            outputs_of_build = read_answers(outputs / name).get("build_outputs", "").replace(",", " ").split()
            owned = target in ("/app", *outputs_of_build)
            assert [word for word in options if "chown" in word] == ["--chown=10001:10001"] * owned, (name, entry)


def test_only_root_writes_in_the_virtual_environment(outputs: Path):
    for name in LAYOUTS:
        text = (outputs / name / "Dockerfile").read_text()
        assert "-m venv" not in text or "-m venv --without-pip /opt/venv" in text, name
        for entry in instructions(outputs / name):
            # uv leaves a lock file that every user may write.
            if entry.stage == "builder" and re.search("(^|[ ;])uv (pip install --req|sync)", entry.value):
                assert "rm -f /opt/venv/.lock" in entry.value, (name, entry)


def test_bytecode_is_valid_whatever_the_times_of_the_files(outputs: Path):
    for name in LAYOUTS:
        text = (outputs / name / "Dockerfile").read_text()
        assert text.count("-m compileall") == text.count("--invalidation-mode unchecked-hash"), name


def test_the_service_is_the_first_process_and_its_health_is_checked_by_the_script(outputs: Path):
    for name in LAYOUTS:
        runtime = {entry.name: entry.value for entry in instructions(outputs / name) if entry.stage == "service"}
        assert isinstance(json.loads(runtime["CMD"]), list) and "ENTRYPOINT" not in runtime
        options, _, command = runtime["HEALTHCHECK"].partition("CMD ")
        assert json.loads(command) == HEALTH_CHECK
        assert options.split()[1:2] == ["--timeout=3s"] and "--start-interval=2s" in options
        assert runtime["STOPSIGNAL"] == read_answers(outputs / name).get("stop_signal", "SIGTERM")
        assert runtime["USER"] == "10001:10001"


def test_the_health_check_asks_for_liveness(outputs: Path):
    """A service whose database is down must not be restarted: readiness shows that."""
    for name in LAYOUTS:
        answers, variables = read_answers(outputs / name), environment(outputs / name)
        assert variables.get("HEALTH_PATH", "") == (answers["health_path"] if answers.get("port") else ""), name
        if "HEARTBEAT_FILE" in variables:
            assert 3 * 3 < int(variables["HEARTBEAT_MAX_AGE"]) <= 60, name


def test_variables_of_the_image_are_those_of_the_process_and_no_secrets(outputs: Path):
    for name in SERVICES:
        variables = environment(outputs / name)
        if read_answers(outputs / name)["base"] == "upstream":
            assert variables["PYTHONDONTWRITEBYTECODE"] == variables["PYTHONUNBUFFERED"] == "1", name
            assert variables["PATH"].startswith("/opt/venv/bin:"), name
        assert not [key for key in variables if "FORWARDED" in key], name
    for name in LAYOUTS:
        for entry in instructions(outputs / name):
            if entry.name in ("ARG", "ENV"):
                assert not re.search(r"\w*(TOKEN|PASSWORD|CREDENTIAL|NETRC)\w*", entry.value), (name, entry)


def test_the_labels_are_complete(outputs: Path):
    for name in LAYOUTS:
        labels = [entry.value for entry in instructions(outputs / name) if entry.name == "LABEL"]
        assert set(re.findall(r"org\.opencontainers\.image\.([a-z.]+)=", " ".join(labels))) == LABELS, name


# Production


def test_every_service_of_production_is_confined_and_limited(outputs: Path):
    for name, service in each_service(outputs):
        assert service.get("user") in ("10001:10001", "99:99"), name
        assert service.get("read_only") is True and service.get("cap_drop") == ["ALL"], name
        assert service.get("security_opt") == ["no-new-privileges:true"], name
        assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"} & service.keys()
        for mount in service.get("tmpfs", []):
            assert {"noexec", "nosuid", "nodev"} <= set(mount.split(",")) and ":size=" in mount, name
        assert float(service.get("cpus", 0)) > 0 and service.get("pids_limit", 0) >= 32, name
        # Without this, as much swap is allowed again.
        assert service.get("memswap_limit") == service["mem_limit"], name
        assert service["ulimits"].get("core") == 0 and service["ulimits"].get("nofile") == 16384, name
        assert service["ulimits"].get("nproc", 0) > service["pids_limit"], name


def test_every_service_of_production_is_started_again_and_its_logs_are_bounded(outputs: Path):
    for name, service in each_service(outputs):
        once = name.endswith(("-migrate", "-release"))
        assert service.get("restart") == ("no" if once else "unless-stopped"), name
        assert service["logging"]["driver"] == "json-file", name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, name


def test_an_orphan_is_reaped(outputs: Path):
    for name, service in each_service(outputs):
        assert service.get("init") is True or is_proxy(service), name


def test_only_one_service_publishes_the_port_and_on_the_loopback_interface(outputs: Path):
    for name in LAYOUTS:
        services = compose(outputs / name)["services"]
        publish = {key: service["ports"] for key, service in services.items() if service.get("ports")}
        assert len(publish) <= 1, name
        for port in itertools.chain(*publish.values()):
            assert port["host_ip"].endswith("_ADDRESS:-127.0.0.1}"), (name, port)
        answers = read_answers(outputs / name)
        for process in answers.get("processes", []):
            variables = services[f"{answers['service_name']}-{process['name']}"].get("environment", {})
            # Else the health check would ask the port of the service, on which the process does not listen.
            assert variables.get("PORT", "") == str(process.get("port", "")), (name, process)
            assert "PORT" in variables or not answers["port"], (name, process)


def test_the_backend_has_no_way_to_the_outside(outputs: Path):
    for name in LAYOUTS:
        networks = compose(outputs / name)["networks"]
        assert networks["backend"] == {"internal": True}, name
        for service in compose(outputs / name)["services"].values():
            assert set(service["networks"]) <= {"frontend", "backend"}, name


def test_secrets_come_as_files_and_no_proxy_is_trusted_by_default(outputs: Path):
    for name in SERVICES:
        behind_proxy = "proxy" in read_answers(outputs / name).get("targets", [])
        for service in compose(outputs / name)["services"].values():
            variables = service.get("environment") or {}
            assert not [key for key in variables if re.search("TOKEN|PASSWORD|KEY", key)], name
            if "FORWARDED_ALLOW_IPS" in variables:
                # None takes over the variable of the environment, if there is one.
                assert variables["FORWARDED_ALLOW_IPS"] == ("*" if behind_proxy else None), name


def test_a_stop_leaves_time_to_drain(outputs: Path):
    for name in SERVICES:
        project = outputs / name
        services, variables = compose(project)["services"], environment(project)
        service = services[read_answers(project)["service_name"]]
        grace = seconds(service["stop_grace_period"])
        match read_answers(project)["framework"]:
            case "fastapi":
                drain = int(variables["UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN"])
            case "worker":
                drain = int(variables["HEARTBEAT_MAX_AGE"])  # no job takes longer
            case _:
                text = (project / "docker" / "gunicorn.conf.py").read_text()
                (drain,) = map(int, re.findall(r"^graceful_timeout = (\d+)$", text, re.MULTILINE))
        assert 15 <= drain < grace, (name, drain, grace)


def test_a_release_has_succeeded_before_the_others_start(outputs: Path):
    for name in EXISTING:
        services = compose(outputs / name)["services"]
        for release in [key for key in services if key.endswith("-release")]:
            for key, service in services.items():
                waits = key != release and not is_proxy(service)
                expected = {release: {"condition": "service_completed_successfully"}} if waits else {}
                assert service.get("depends_on", {}) == expected, (name, key)


def test_health_is_asked_often_enough_and_not_too_early(outputs: Path):
    for name, service in each_service(outputs):
        check = service["healthcheck"]
        assert seconds(check["timeout"]) < seconds(check["interval"]) <= 30 and check["retries"] == 3, name
        assert seconds(check["start_period"]) >= 30 and seconds(check["start_interval"]) == 1, name


def test_behind_the_proxy_there_are_two_replicas_and_the_proxy_outlives_a_drain(outputs: Path):
    for name in LAYOUTS:
        services = compose(outputs / name)["services"]
        for proxy in [key for key, service in services.items() if is_proxy(service)]:
            assert services[proxy.removesuffix("-proxy")].get("scale") == 2, name
            stop = re.findall(r"hard-stop-after (\d+)s", (outputs / name / "docker" / "haproxy.cfg").read_text())
            assert seconds(services[proxy]["stop_grace_period"]) > int(*stop) >= 30, name


# make


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("up", "docker compose --file docker-compose.prod.yml up --detach --wait"),
        ("lock", "--generate-hashes --python-version=3.13 requirements.in --output-file=requirements.txt"),
        ("test", "docker buildx bake --file docker-bake.hcl .*--progress plain test"),
        ("release", "docker buildx bake --file docker-bake.hcl .*release"),
    ],
)
def test_make_runs_the_command_that_its_help_promises(outputs: Path, target: str, expected: str):
    said = run("make", "--dry-run", "--always-make", target, cwd=outputs / "defaults").stdout
    assert re.search(f"{expected}$", said, re.MULTILINE), said


def test_a_failing_command_fails_make(outputs: Path):
    for name in SERVICES:
        text = (outputs / name / "Makefile").read_text()
        assert not re.findall(r"^\t@?-", text, re.MULTILINE), name
