"""Let Copier generate the project in the folder that cookiecutter made.

The project is the same as from `copier copy` with these answers, and `copier update` works in it.
cookiecutter renders this file (its last line then holds the answers) and runs it in the new
folder. The file imports only what cookiecutter itself depends on: Copier may be installed in the
same environment, or as a separate command.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jinja2
import yaml

PLACEHOLDER = ".filled-by-copier"
ANSWERS_FILE = ".copier-answers.yml"


class RefusalError(Exception):
    """No project can be generated; the message says why."""


def questions(template: Path) -> dict[str, dict[str, Any]]:
    """Return the questions of the template, asked or computed, in Copier's order."""

    class Loader(yaml.SafeLoader):
        pass

    def load(path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader):
            found |= document or {}
        return found

    Loader.add_constructor("!include", lambda _, node: load(template / node.value))
    return {name: question for name, question in load(template / "copier.yml").items() if not name.startswith("_")}


def relevant(questions: dict[str, dict[str, Any]], answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers that count for this project: those whose question has a true `when`.

    cookiecutter asks every question, and Copier validates every answer that it is given. The
    question key `ask` is not considered: it decides what Copier asks, not what counts.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    relevant: dict[str, Any] = {}
    known: dict[str, Any] = {}

    def render(value: Any) -> Any:
        return environment.from_string(value).render(known) if isinstance(value, str) else value

    for name, question in questions.items():
        counts = name in answers and str(render(question.get("when", True))).lower() not in ("", "false", "no", "0")
        if counts:
            value = answers[name]
            if question.get("multiselect"):
                value = [item.strip(" '\"") for item in value.strip(" []").split(",") if item.strip()]
            relevant[name] = value
        else:
            # Copier computes this default. Some defaults need its filters or files of the template: no
            # `when` may use those, or rendering it fails.
            try:
                value = render(question.get("default"))
            except (jinja2.TemplateError, TypeError):
                continue
        if isinstance(value, str) and question.get("type", "str") != "str":
            with suppress(yaml.YAMLError):
                value = yaml.safe_load(value)
        known[name] = value
    return relevant


def checkout(cookiecutter: dict[str, Any]) -> Path:
    """Return the folder in which cookiecutter found the template: a clone, or the path that the user gave."""
    return Path(cookiecutter["__working_directory"], cookiecutter["_repo_dir"])


def source(cookiecutter: dict[str, Any]) -> str:
    """Return the template as Copier names it: what the user gave to cookiecutter, not the clone."""
    template = cookiecutter["_template"]
    if template.endswith(".zip"):
        raise RefusalError(
            "Copier cannot update from a zip file: give the path or the URL of the template's Git repository."
        )
    if template.startswith(("gh:", "gl:")):
        return template
    if re.match(r"(git\+)?\w+://|git\+|[\w.-]+@[\w.-]+:", template):
        return repository(template)
    # `copier update` runs in the project, where a relative path would name another folder.
    path = Path(cookiecutter["__working_directory"], template)
    if (path / "copier.yml").is_file():
        return template if Path(template).is_absolute() else str(path.resolve())
    # An abbreviation from the user's configuration, or the name of a template that cookiecutter cloned before.
    command = ["git", "-C", str(checkout(cookiecutter)), "remote", "get-url", "origin"]
    origin = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    if not origin:
        raise RefusalError(
            f"{template} has no Git remote that Copier could update from: give the path or the URL of the repository."
        )
    return origin if Path(origin).is_absolute() else repository(origin)


def repository(url: str) -> str:
    """Return the URL in a form that Copier recognises as the URL of a Git repository."""
    url = url.rstrip("/")
    known = url.startswith(("git@", "git+", "git://", "https://github.com/", "https://gitlab.com/"))
    return url if known or url.endswith(".git") else f"git+{url}"


def fill(folder: Path, cookiecutter: dict[str, Any]) -> None:
    """Let Copier generate the project in `folder`."""
    (folder / PLACEHOLDER).unlink(missing_ok=True)
    if (folder / ANSWERS_FILE).exists():
        raise RefusalError(f"{folder} is a generated project already: run `copier update` in it.")
    answers = relevant(questions(checkout(cookiecutter)), cookiecutter)
    copier = [sys.executable, "-m", "copier"] if find_spec("copier") else [shutil.which("copier") or "copier"]
    options = ["--defaults"]
    if cookiecutter["_checkout"]:
        options.append(f"--vcs-ref={cookiecutter['_checkout']}")
    if any(folder.iterdir()):
        options.append("--skip=*")  # cookiecutter --overwrite-if-exists: keep the files that are there
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "answers.yml")
        data.write_text(yaml.safe_dump(answers), encoding="utf-8")
        result = subprocess.run(
            [*copier, "copy", *options, f"--data-file={data}", source(cookiecutter), str(folder)],
            env=os.environ | {"PYTHONSAFEPATH": "1"},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    if result.returncode:
        raise RefusalError(reason(result.stderr))
    sys.stderr.write(result.stderr)


def reason(stderr: str) -> str:
    """Return the last message of Copier, without the traceback before it."""
    stderr = re.sub(r"\x1b\[[\d;]*m", "", stderr)
    *_, last = re.split(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n)+", stderr, flags=re.MULTILINE)
    if last != stderr:
        last = re.sub(r"^[\w.]+: (Validation error for question '\w+': )?", "", last)
    return last.strip()


def main(cookiecutter: dict[str, Any]) -> None:
    Path(__file__).unlink()  # cookiecutter does not remove its rendered copy of this file
    try:
        fill(Path.cwd(), cookiecutter)
    except RefusalError as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main(json.loads(unquote("{{ cookiecutter | jsonify | urlencode }}")))
