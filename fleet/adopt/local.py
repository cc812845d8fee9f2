"""The folders of the project that are installed as wheels."""

import re

from .evidence import Evidence
from .requirements import Requirements
from .results import Result
from .start import Start
from .wheels import find_package, find_package_files, has_all_data, leaves_package

PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


def asks_for_metadata(evidence: Evidence) -> str:
    """Return the first file that asks for the metadata of the project, "" if none does."""
    name = str(evidence.project.table("project").get("name", ""))
    name = name or str(evidence.project.table("tool", "poetry").get("name", ""))
    if not name or not {"importlib", "importlib_metadata", "pkg_resources"} & evidence.source.imports:
        return ""
    asked = re.compile(
        rf"\b(\w*version|metadata|distribution|get_distribution|require)\(\s*"
        rf"(__name__|__package__|['\"]{re.escape(name)}['\"])",
        re.IGNORECASE,
    )
    return next((path for path in evidence.project.sources if asked.search(evidence.project.read(path))), "")


def find_local(evidence: Evidence, start: Start, requirements: Requirements) -> Result:
    """Find local_packages and package_files."""
    result = Result()
    project = evidence.project
    if project.member:
        result.answer("local_packages", " ".join(project.packages), "the member of the workspace, and what it needs")
        return result
    folders, reasons = [], []
    own = _reason_to_install(evidence, start, requirements)
    if own and evidence.can_install:
        folders.append(".")
        reasons.append(own)
    others = [folder for folder in (*requirements.folders, *evidence.installs.folders) if folder != "."]
    for folder in dict.fromkeys(others):
        if not PATH.fullmatch(folder):
            result.do_by_hand("requirements", f"Move {folder}, which the project installs, into the project.")
        elif find_package(project, folder):
            folders.append(folder)
            reasons.append(f"{requirements.file} needs {folder}")
    result.answer("local_packages", " ".join(folders), "; ".join(dict.fromkeys(reasons)))
    if "." in folders:
        result.answer("package_files", " ".join(find_package_files(project)), "what its wheel is built from")
    return result


def _reason_to_install(evidence: Evidence, start: Start, requirements: Requirements) -> str:
    """Return why the project itself is installed, "" if it is not."""
    if start.script:
        return f"{start.script} is a script of the project"
    if evidence.image and evidence.installs.with_project:
        return f"{evidence.image.path} installs the project"
    if "." in requirements.folders:
        return f"{requirements.file} installs the project"
    path = asks_for_metadata(evidence)
    return f"{path} asks for the metadata of the project" if path else ""


def is_complete(evidence: Evidence) -> bool:
    """Return whether the wheel of the project does without the source below /app."""
    return has_all_data(evidence.project) and not leaves_package(evidence.project)


def packaged(evidence: Evidence, local: Result, assets: Result, build: Result) -> list[str]:
    """Return the folders and modules that app_dir does without, because wheels have them.

    What the image builds is not in the wheels: the project's source is in /app then.
    """
    project = evidence.project
    folders = local.value("local_packages").split()
    found = [folder for folder in folders if folder != "."]
    is_built_in_place = bool(build.answers) or any(
        path == package or path.startswith(f"{package}/")
        for path in assets.value("assets_output").split()
        for package in find_package(project)
    )
    if "." in folders and is_complete(evidence) and not is_built_in_place:
        found += find_package(project)
    return found
