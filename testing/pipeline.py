"""Run the steps of a generated pipeline as GitHub or GitLab would: the commands are those of the YAML file."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from testing.process import run

WORKFLOWS = ".github/workflows"
GITLAB = ".gitlab-ci.yml"


class Script(NamedTuple):
    """The commands of a step, or those of a job of GitLab."""

    job: str
    name: str
    commands: str


def load(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text())


def gitlab_jobs(project: Path) -> dict[str, dict[str, Any]]:
    """Return the jobs of GitLab's pipeline, each with what it extends."""
    document = load(project / GITLAB)

    def extended(job: dict[str, Any]) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        names = job.get("extends", [])
        for part in (*(extended(document[name]) for name in ([names] if isinstance(names, str) else names)), job):
            merged |= part | {"variables": merged.get("variables", {}) | part.get("variables", {})}
        return merged

    return {name: extended(job) for name, job in document.items() if "script" in job and not name.startswith(".")}


def github_jobs(project: Path) -> dict[str, dict[str, Any]]:
    """Return the jobs of both workflows."""
    return {name: job for file in sorted((project / WORKFLOWS).iterdir()) for name, job in load(file)["jobs"].items()}


def scripts(project: Path) -> Iterator[Script]:
    """Yield every `run` and `script` of the project's pipeline."""
    if (project / GITLAB).exists():
        for name, job in gitlab_jobs(project).items():
            yield Script(name, name, "\n".join([*job.get("before_script", []), *job["script"]]))
        return
    for name, job in github_jobs(project).items():
        for step in job["steps"]:
            if "run" in step:
                yield Script(name, step["name"], step["run"])


class GitHub:
    """A runner of GitHub's that runs the jobs of one event; of the actions it knows only checkout's `ref`."""

    def __init__(self, project: Path, folder: Path, env: Mapping[str, str], context: Mapping[str, str]) -> None:
        self.project = project
        self.folder = folder
        self.env = dict(os.environ) | dict(env) | {"RUNNER_TEMP": str(folder)}
        self.context = dict(context)
        self.jobs = github_jobs(project)

    def value(self, expression: str) -> str:
        """Return the value of an expression: a name, or its comparison with a text."""
        name, operator, text = (*expression.split(maxsplit=2), "", "")[:3]
        # Variables of the repository, and outputs of jobs that did not run, are empty.
        unknown = name.startswith(("github.", "secrets.")) and name not in self.context
        assert not unknown, f"the runner knows no {name}"
        value = self.context.get(name, "")
        if not operator:
            return value
        assert operator in ("==", "!="), expression
        return str((value == text.strip("'")) == (operator == "==")).lower()

    def rendered(self, text: Any) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: self.value(found[1]), str(text))

    def run(self, name: str, steps: Mapping[str, Mapping[str, str]] | None = None) -> bool:
        """Run a job, and its `steps` with more variables; return whether the condition let the job run."""
        job = self.jobs[name]
        if "if" in job and self.value(job["if"]) != "true":
            return False
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@") and "ref" in step["with"]:
                run("git", "checkout", "--quiet", self.rendered(step["with"]["ref"]), cwd=self.project)
            if "run" in step:
                self._step(step, (steps or {}).get(step["name"], {}))
        for output, text in job.get("outputs", {}).items():
            self.context[f"needs.{name}.outputs.{output}"] = self.rendered(text)
        return True

    def _step(self, step: dict[str, Any], variables: Mapping[str, str]) -> None:
        output = self.folder / "output"
        output.write_text("")
        env = self.env | {name: self.rendered(text) for name, text in step.get("env", {}).items()} | dict(variables)
        execute(["bash", "-e", "-o", "pipefail"], self.rendered(step["run"]), self.project, env, output)
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            self.context[f"steps.{step['id']}.outputs.{name}"] = value


class GitLab:
    """A runner of GitLab's that runs the jobs of one pipeline."""

    def __init__(self, project: Path, folder: Path, env: Mapping[str, str]) -> None:
        self.project = project
        self.folder = folder
        self.env = dict(os.environ) | dict(env)
        self.jobs = gitlab_jobs(project)
        self.skipped: list[str] = []

    def run(self, name: str, skip: Sequence[str] = (), **variables: str) -> bool:
        """Run a job with variables that its rule sets; what it reports are variables of the jobs after it.

        `skipped` gets the commands that begin with a text of `skip`, which are not run.
        """
        job = self.jobs[name]
        env = dict(self.env)
        for variable, text in (job["variables"] | variables).items():
            env[variable] = re.sub(r"\$(\w+)", lambda found: self.env[found[1]], str(text))
        commands = [*job.get("before_script", []), *job["script"]]
        self.skipped += [command for command in commands if command.startswith(tuple(skip))]
        chosen = "\n".join(command for command in commands if command not in self.skipped)
        execute(["sh", "-e"], chosen, self.project, env, self.folder / "output")
        report = job.get("artifacts", {}).get("reports", {}).get("dotenv")
        if report:
            for line in (self.project / report).read_text().splitlines():
                variable, _, value = line.partition("=")
                self.env[variable] = value
        return True


def execute(shell: list[str], commands: str, project: Path, env: Mapping[str, str], output: Path) -> None:
    result = subprocess.run(
        [*shell, "-c", commands],
        cwd=project,
        env=dict(env) | {"GITHUB_OUTPUT": str(output)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, f"{commands}\n{result.stdout}\n{result.stderr}"
