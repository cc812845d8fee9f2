"""The proposal: an answer to each question, with its reason, and what is left to the user."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import FleetError
from .app_files import find_app_files
from .assets import find_assets
from .build import find_build
from .celery import HEARTBEAT_FILE, is_worker
from .compiled import find_compiled
from .compose import ComposeService
from .environment import find_environment, keep_variables, old_variables
from .evidence import Evidence, gather
from .findings import find_besides, find_work
from .health import Health, find_health, find_heartbeat, find_host
from .lifecycle import find_lifecycle
from .local import find_local, packaged
from .packages import find_packages
from .processes import find_processes
from .project import Project
from .python_version import CHOICES, find_python
from .release import find_release, needed_paths
from .requirements import Requirements, find_requirements, parse_requirement, split_paths
from .results import Answer, Finding, Result
from .settings import read_settings
from .start import Start, find_start
from .volumes import find_volumes

GIVEN = "given with --data"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# YAML reads these as something else than text.
NOT_NAMES = {"null", "true", "false", "yes", "no", "on", "off"}
DESCRIPTION = re.compile(r"[^\s\"\\$`{}\x00-\x1f\x7f]([^\"\\$`{}\x00-\x1f\x7f]*[^\s\"\\$`{}\x00-\x1f\x7f])?")


@dataclass(frozen=True)
class Proposal:
    """The answers, what could not be told, what to do by hand, and the errors that prevent an adoption."""

    answers: tuple[Answer, ...]
    unknown: tuple[str, ...]
    by_hand: tuple[Finding, ...]
    refusal: FleetError | None

    @property
    def data(self) -> dict[str, str]:
        """The answers as Copier takes them."""
        return {"source": "existing"} | {answer.name: answer.value for answer in self.answers}


def propose(project: Project, given: Mapping[str, str]) -> Proposal:
    """Propose the answers for a project; `given` are the user's own, which count more than what is found.

    Raise FleetError if the project is broken, or if an answer cannot be told.
    """
    _ = project.pyproject  # before anything else: a broken one makes every other error misleading
    evidence = gather(project)
    requirements = find_requirements(project, evidence.installs, given)
    besides = split_paths(given["extra_requirements"]) if "extra_requirements" in given else ()
    besides = besides or find_besides(evidence, requirements)
    brought = {name: value for word in besides for name, value in parse_requirement(word)}
    requirements = replace(requirements, distributions={**requirements.distributions, **brought})
    python, python_reason = _find_python(project, evidence, requirements, given)
    try:
        start = find_start(evidence, requirements, given.get("port"), given.get("start_command"))
    except FleetError as error:
        raise requirements.refusal or error from None  # without its lock, the server may be unknown
    answers = [
        Answer("service_name", *_find_name(project)),
        Answer("description", *_find_description(project)),
        Answer("requirements_file", requirements.file, requirements.reason),
        *_requirement_answers(project, requirements),
        *([Answer("extra_requirements", " ".join(besides), "the old Dockerfile installs them too")] if besides else []),
        Answer("python_version", python, python_reason),
        Answer("start_command", start.command, start.reason),
        Answer("port", start.port, start.port_reason),
    ]
    unknown = [*start.notes, *(f"{text}." for text in requirements.unknown)]
    variables = old_variables(evidence, start)
    assets = find_assets(evidence)
    settings = read_settings(evidence, keep_variables(evidence, variables, assets.moved)[0])
    health = Health("", "")
    if start.port:
        health = find_health(evidence)
        answers.append(Answer("health_path", health.path, health.reason))
        if health.unknown and "health_path" not in given:
            unknown.append(f"health_path: {health.unknown}.")
    elif is_worker(start.command.split()):
        answers.append(Answer("heartbeat_file", HEARTBEAT_FILE, "the worker touches it at each of its heartbeats"))
    else:
        answers.append(Answer("heartbeat_file", *find_heartbeat(evidence)))
    health = replace(health, path=given.get("health_path", health.path))

    local = find_local(evidence, start, requirements)
    release = find_release(evidence, start, requirements)
    release_command = given.get("release_command", release.value("release_command"))
    build = find_build(evidence, start, settings)
    results = [
        local,
        assets,
        build,
        release,
        find_processes(evidence, start, requirements, health, given),
        find_volumes(evidence, settings, start.command),
        find_host(evidence, settings) if start.port else Result(),
        find_lifecycle(evidence, start, _own_service(evidence, start)),
        find_environment(evidence, start, variables, release_command, assets.moved),
    ]
    needed = needed_paths(evidence, release_command) + _named_files(evidence, results)
    files, files_reason, notes = find_app_files(evidence, start, packaged(evidence, local, assets, build), needed)
    answers.append(Answer("app_dir", " ".join(files), files_reason if files else "the wheels have everything"))
    unknown += [f"{note}." for note in notes]
    if not files and "app_dir" not in given and not local.value("local_packages"):
        raise FleetError("no-app", "no folder or module of Python is in the project", "pass --data app_dir=FOLDER")
    packages, open_questions = _find_packages(evidence, requirements, build, find_compiled(requirements, python))
    answers += packages
    unknown += [f"runtime_packages: {question}." for question in open_questions]
    answers += [answer for result in results for answer in result.answers if answer.name != "build_packages"]
    unknown += [f"{text}." for result in results for text in result.unknown]
    if evidence.other_dockerfiles and evidence.image:
        listed = ", ".join(evidence.other_dockerfiles)
        unknown.append(
            f"Whether another Dockerfile is the one of production: {evidence.image.path} was read, not {listed}."
        )
    unknown.append(
        "memory_limit, cpu_limit and pids_limit: the defaults of the template, until you measure the service."
    )
    by_hand = [*(Finding("requirements", note) for note in requirements.notes)]
    by_hand += [finding for result in results for finding in result.by_hand]
    by_hand += find_work(evidence, start, requirements, bool(local.value("local_packages")), besides)
    refusal = requirements.refusal or start.refusal
    return Proposal(tuple(_with_given(answers, given)), tuple(unknown), tuple(by_hand), refusal)


def _with_given(answers: list[Answer], given: Mapping[str, str]) -> list[Answer]:
    """Return the answers with the user's own in their places."""
    proposed = {answer.name for answer in answers}
    answers = [Answer(answer.name, given[answer.name], GIVEN) if answer.name in given else answer for answer in answers]
    return answers + [Answer(name, value, GIVEN) for name, value in given.items() if name not in proposed]


def _requirement_answers(project: Project, requirements: Requirements) -> Iterator[Answer]:
    """Yield the answers that belong to the requirements, if they differ from the template's defaults."""
    if project.member_name and requirements.lock == "uv.lock":
        place = project.member or "its folder"
        yield Answer("workspace_member", project.member_name, f"the member of the uv workspace in {place}")
    for name, values, reason in (
        ("requirements_includes", requirements.includes, "requirements files include them"),
        ("extras", requirements.extras, "the old Dockerfile installs them, or they name the server"),
        ("groups", requirements.groups, "the old Dockerfile installs them, or they name the server"),
    ):
        if values:
            yield Answer(name, " ".join(values), reason)


def _find_packages(
    evidence: Evidence, requirements: Requirements, build_result: Result, compiled: Sequence[str]
) -> tuple[list[Answer], list[str]]:
    """Return the answers on Debian packages, and what could not be told."""
    build, runtime, open_questions = find_packages(evidence, requirements, compiled)
    for answer in build_result.answers:
        if answer.name == "build_packages":
            build |= {package: answer.reason for package in answer.value.split() if package not in build}
    answers = []
    for name, packages in (("build_packages", build), ("runtime_packages", runtime)):
        reasons = ", ".join(dict.fromkeys(packages.values()))
        answers.append(Answer(name, " ".join(packages), f"for {reasons}" if packages else "nothing asks for one"))
    return answers, open_questions


def _own_service(evidence: Evidence, start: Start) -> ComposeService | None:
    """Return the service of the compose files that is the one of the start command: the first that publishes a port."""
    built = evidence.built
    return next((service for service in built if service.ports), built[0] if len(built) == 1 else None)


def _named_files(evidence: Evidence, results: list[Result]) -> list[str]:
    """Return the files of the project that other commands than the start command name."""
    found = []
    for result in results:
        for name in ("build_commands", "processes"):
            for word in re.split(r"[\s\"']+", result.value(name)):
                found += [word] if evidence.project.has(word) else []
    return list(dict.fromkeys(found))


def _find_python(
    project: Project, evidence: Evidence, requirements: Requirements, given: Mapping[str, str]
) -> tuple[str, str]:
    if given.get("python_version") in CHOICES:
        return given["python_version"], GIVEN
    return find_python(project, evidence.image, lambda version: find_compiled(requirements, version))


def _find_name(project: Project) -> tuple[str, str]:
    """Return the name of the service: of the project's metadata, or else of its folder."""
    poetry = project.table("tool", "poetry").get("name")
    for name, reason in (
        (project.table("project").get("name", poetry), "the name in pyproject.toml"),
        (project.folder.name, "the folder's name"),
    ):
        text = re.sub("[^a-z0-9]+", "-", str(name or "").lower())
        text = re.sub("^[-0-9]+|-+$", "", text)[:40].rstrip("-")
        if NAME.fullmatch(text) and text not in NOT_NAMES:
            return text, reason
    return "hello-service", "the template's default: the folder's name is not valid"


def _find_description(project: Project) -> tuple[str, str]:
    for table in (project.table("project"), project.table("tool", "poetry")):
        text = str(table.get("description") or "").strip()
        if 0 < len(text) <= 120 and DESCRIPTION.fullmatch(text):
            return text, "the description in pyproject.toml"
    return "A Python service", "the template's default"
