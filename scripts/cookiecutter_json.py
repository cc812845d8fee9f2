"""Write cookiecutter.json from Copier's questions.

    python scripts/cookiecutter_json.py

`make cookiecutter` runs this. cookiecutter can neither skip a question nor take several choices:
each prompt says for which projects its answer counts, and several choices are a list with commas.
It does not ask the questions of questions/existing.yml, most of which few services need: Copier
takes their defaults.
"""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from rich.markup import escape

ROOT = Path(__file__).parent.parent
OUTPUT = ROOT / "cookiecutter.json"

# Questions that cookiecutter does not ask. `customize` decides which of the others Copier asks.
COPIER_ONLY = {"customize", *yaml.safe_load((ROOT / "questions" / "existing.yml").read_text(encoding="utf-8"))}

# For which projects an answer counts, in words, by Copier's condition.
CONDITIONS = {
    "{{ kind == 'base-image' }}": "base images",
    "{{ kind == 'base-image' or source == 'starter' }}": "starters and base images",
    "{{ kind == 'service' }}": "services",
    "{{ kind == 'service' and source == 'starter' }}": "starters",
    "{{ kind == 'service' and source == 'existing' }}": "existing services",
    "{{ kind == 'service' and starter != 'worker' }}": "services, but not for the worker starter",
    "{{ kind == 'service' and port != '' }}": "services with a port",
    "{{ kind == 'service' and source == 'existing' and port == '' }}": "existing services without a port",
    "{{ kind == 'service' and base == 'shared' }}": "services on a base image from this template",
}

# Defaults that Copier computes. Where one depends on other answers, this is the one of the projects
# for which the answer counts.
DEFAULTS = {
    "service_name": "hello-service",
    "start_command": "python -m {{ cookiecutter.service_name | replace('-', '_') }}",
    "port": "8000",
    # cookiecutter cannot compute which of several choices is the default: that of starters.
    "flavor": "distroless",
    "ci": "github",
    "heartbeat_file": "",
}

# cookiecutter renders these and does not ask. If Copier will refuse the name of the project, the
# folder gets another name: cookiecutter makes the folder before Copier sees the name.
PRIVATE = {
    "__project": "{{ cookiecutter.image_name if cookiecutter.kind == 'base-image' else cookiecutter.service_name }}",
    "__folder": (
        "{{ cookiecutter.__project"
        " if cookiecutter.__project and cookiecutter.__project | slugify == cookiecutter.__project"
        " else 'refused-' ~ uuid4() }}"
    ),
    "__working_directory": "{{ working_directory }}",
}


def hook() -> ModuleType:
    """Return hooks/post_gen_project.py as a module: it reads the questions too."""
    spec = importlib.util.spec_from_file_location("post_gen_project", ROOT / "hooks" / "post_gen_project.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked() -> dict[str, dict[str, Any]]:
    """Return the questions that cookiecutter asks, by name."""
    return {
        name: question
        for name, question in hook().questions(ROOT).items()
        if question.get("when", True) is not False and question.get("ask", True) is not False
        if name not in COPIER_ONLY
    }


def labels(question: dict[str, Any]) -> dict[str, str]:
    """Return the choices of a question: each value, and its label."""
    choices = question.get("choices", [])
    if isinstance(choices, dict):
        return {value: label for label, value in choices.items()}
    return {value: value for value in choices}


def default(name: str, question: dict[str, Any]) -> Any:
    """Return the default of a question; of choices, the list that starts with the default."""
    value = question["default"]
    if "{" in str(value):
        value = DEFAULTS[name]
    if question.get("multiselect"):
        return ", ".join(value)
    if "choices" in question:
        return sorted(labels(question), key=lambda choice: choice != value)
    return value


def prompt(question: dict[str, Any]) -> Any:
    """Return what cookiecutter shows: the help text, an example, and for which projects the answer counts."""
    first, *rest = question["help"].splitlines()
    if question.get("multiselect"):
        rest.append(f"One or more of {', '.join(labels(question))}, separated by commas.")
    if "placeholder" in question:
        rest.append(f"Example: {question['placeholder']}")
    if "when" in question:
        rest.append(f"Only for {CONDITIONS[question['when']]}.")
    text = escape("\n    ".join([first, *(line.strip() for line in rest)]))
    if "choices" in question and not question.get("multiselect"):
        named = {value: escape(label) for value, label in labels(question).items() if value != label}
        return {"__prompt__": text} | named
    return text


def content() -> str:
    """Return the content of cookiecutter.json."""
    questions = asked()
    document: dict[str, Any] = {name: default(name, question) for name, question in questions.items()}
    document |= PRIVATE
    document["_extensions"] = ["hooks.require_copier.RequireCopier"]
    document["__prompts__"] = {name: prompt(question) for name, question in questions.items()}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(content(), encoding="utf-8")
