"""The proposal: an answer to each question, with its reason, and what is left to the user."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import FleetError
from .app_files import find_app_files
from .evidence import Evidence, gather
from .findings import Finding, find_work
from .health import Health, find_health, find_heartbeat
from .packages import find_packages
from .project import Project
from .python_version import CHOICES, find_python
from .requirements import find_requirements
from .start import find_start

GIVEN = "given with --data"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# YAML reads these as something else than text.
NOT_NAMES = {"null", "true", "false", "yes", "no", "on", "off"}
DESCRIPTION = re.compile(r"[^\s\"\\$`{}\x00-\x1f\x7f]([^\"\\$`{}\x00-\x1f\x7f]*[^\s\"\\$`{}\x00-\x1f\x7f])?")


@dataclass(frozen=True)
class Answer:
    """The proposed answer to a question, and the reason."""

    name: str
    value: str
    reason: str


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
    requirements = find_requirements(project, _installed_files(evidence), given.get("requirements_file"))
    python, python_reason = _find_python(project, evidence, given)
    start = find_start(evidence, requirements, given.get("port"), given.get("start_command"))
    answers = [
        Answer("service_name", *_find_name(project)),
        Answer("description", *_find_description(project)),
        Answer("requirements_file", requirements.file, requirements.reason),
        Answer("python_version", python, python_reason),
        Answer("start_command", start.command, start.reason),
        Answer("port", start.port, start.port_reason),
    ]
    unknown = [*start.notes]
    health = Health("", "")
    if start.port:
        health = find_health(evidence)
        answers.append(Answer("health_path", health.path, health.reason))
        if health.unknown and "health_path" not in given:
            unknown.append(f"health_path: {health.unknown}.")
    else:
        answers.append(Answer("heartbeat_file", *find_heartbeat(evidence)))
    files, files_reason, notes = find_app_files(evidence, start, requirements)
    answers.append(Answer("app_dir", " ".join(files), files_reason))
    unknown += [f"{note}." for note in notes]
    if not files and "app_dir" not in given:
        raise FleetError("no-app", "no folder or module of Python is in the project", "pass --data app_dir=FOLDER")
    build, runtime, open_questions = find_packages(evidence, requirements)
    unknown += [f"runtime_packages: {question}." for question in open_questions]
    for name, packages in (("build_packages", build), ("runtime_packages", runtime)):
        reasons = ", ".join(dict.fromkeys(packages.values()))
        answers.append(Answer(name, " ".join(packages), f"for {reasons}" if packages else "nothing asks for one"))
    if evidence.other_dockerfiles and evidence.image:
        listed = ", ".join(evidence.other_dockerfiles)
        unknown.append(
            f"Whether another Dockerfile is the one of production: {evidence.image.path} was read, not {listed}."
        )
    unknown.append(
        "memory_limit, cpu_limit and pids_limit: the defaults of the template, until you measure the service."
    )
    proposed = {answer.name for answer in answers}
    answers = [Answer(answer.name, given[answer.name], GIVEN) if answer.name in given else answer for answer in answers]
    answers += [Answer(name, value, GIVEN) for name, value in given.items() if name not in proposed]
    by_hand = [*(Finding("requirements", note) for note in requirements.notes)]
    by_hand += find_work(evidence, start, requirements, given.get("health_path", health.path))
    return Proposal(tuple(answers), tuple(unknown), tuple(by_hand), requirements.refusal or start.refusal)


def _installed_files(evidence: Evidence) -> tuple[str, ...]:
    """Return the requirements files that the old Dockerfile installs, by their paths in the project."""
    found = []
    for command in evidence.image.commands if evidence.image else ():
        for match in re.finditer(r"(?:-r|--requirement)[\s=]+[\"']?([\w./-]+\.txt)", command):
            name = match[1].removeprefix("./").lstrip("/")
            parts = name.split("/")
            inside = next(
                (
                    "/".join(parts[start:])
                    for start in range(len(parts))
                    if evidence.project.has("/".join(parts[start:]))
                ),
                "",
            )
            if inside and not re.search(r"(^|[^a-z])(dev|test|tests|local)([^a-z]|$)", inside):
                found.append(inside)
    return tuple(found[-1:])


def _find_python(project: Project, evidence: Evidence, given: Mapping[str, str]) -> tuple[str, str]:
    if given.get("python_version") in CHOICES:
        return given["python_version"], GIVEN
    return find_python(project, evidence.image)


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
