"""Hand the answers to Copier, which fills the folder that cookiecutter has made.

So the project is what `copier copy` makes of the same template and the same answers, and
`copier update` works on it. cookiecutter renders this file (the line at its end holds the
answers) and runs it in the new folder. It needs what cookiecutter itself needs, no more:
Copier may be in the same environment, or be a command of its own.
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

SHELL = ".filled-by-copier"
ANSWERS_FILE = ".copier-answers.yml"


class Refusal(Exception):
    """Why there will be no project, in a sentence."""


def questions(template: Path) -> dict[str, dict[str, Any]]:
    """The template's questions, asked or computed, in Copier's order."""

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
    """The answers to the questions that Copier would have asked.

    cookiecutter asks them all, and Copier would believe, and check, what it is given.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    relevant: dict[str, Any] = {}
    known: dict[str, Any] = {}

    def render(value: Any) -> Any:
        return environment.from_string(value).render(known) if isinstance(value, str) else value

    for name, question in questions.items():
        asked = name in answers and str(render(question.get("when", True))).lower() not in ("", "false", "no", "0")
        if asked:
            value = answers[name]
            if question.get("multiselect"):
                value = [item.strip(" '\"") for item in value.strip(" []").split(",") if item.strip()]
            relevant[name] = value
        else:
            # Copier takes the default. Where that needs one of Copier's own filters, no `when` may need it.
            value = None
            with suppress(jinja2.TemplateError):
                value = render(question.get("default"))
        if isinstance(value, str) and question.get("type", "str") != "str":
            with suppress(yaml.YAMLError):
                value = yaml.safe_load(value)
        known[name] = value
    return relevant


def source(cookiecutter: dict[str, Any]) -> str:
    """The template, as Copier names it: what cookiecutter was given, wherever it may have been cloned to."""
    template = cookiecutter["_template"]
    if template.endswith(".zip"):
        raise Refusal(
            "Copier cannot update from a zip file: give the path or the URL of the template's Git repository."
        )
    if template.startswith(("gh:", "gl:")):
        return template
    if re.match(r"(git\+)?\w+://|git\+|[\w.-]+@[\w.-]+:", template):
        return repository(template)
    # A relative path would hold for Copier in this very folder alone, and not for `copier update` in the project.
    path = Path(cookiecutter["__start"], template)
    if (path / "copier.yml").is_file():
        return template if Path(template).is_absolute() else str(path.resolve())
    # An abbreviation of the user's own, or the name of a template that cookiecutter cloned before.
    command = ["git", "-C", cookiecutter["_repo_dir"], "remote", "get-url", "origin"]
    origin = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    if not origin:
        raise Refusal(f"Where {template} comes from cannot be told: give the template's absolute path or its URL.")
    return origin if Path(origin).is_absolute() else repository(origin)


def repository(url: str) -> str:
    """A URL that Copier, too, takes for that of a Git repository."""
    url = url.rstrip("/")
    known = url.startswith(("git@", "git+", "git://", "https://github.com/", "https://gitlab.com/"))
    return url if known or url.endswith(".git") else f"git+{url}"


def fill(folder: Path, cookiecutter: dict[str, Any]) -> None:
    """Have Copier fill `folder`."""
    (folder / SHELL).unlink(missing_ok=True)
    if (folder / ANSWERS_FILE).exists():
        raise Refusal(f"{folder} is a generated project already: run `copier update` in it.")
    answers = relevant(questions(Path(cookiecutter["_repo_dir"])), cookiecutter)
    copier = [sys.executable, "-m", "copier"] if find_spec("copier") else [shutil.which("copier") or "copier"]
    options = ["--defaults"]
    if cookiecutter["_checkout"]:
        options.append(f"--vcs-ref={cookiecutter['_checkout']}")
    if any(folder.iterdir()):
        options.append("--skip=*")  # cookiecutter --overwrite-if-exists: what was there stays as it was
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
        raise Refusal(reason(result.stderr))
    sys.stderr.write(result.stderr)


def reason(stderr: str) -> str:
    """What Copier says in the end, without the traceback that may lead there."""
    stderr = re.sub(r"\x1b\[[\d;]*m", "", stderr)
    *_, last = re.split(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n)+", stderr, flags=re.MULTILINE)
    if last != stderr:
        last = re.sub(r"^[\w.]+: (Validation error for question '\w+': )?", "", last)
    return last.strip()


def forget(template: Path) -> None:
    """Remove the copy of the template that cookiecutter made for its hooks, and forgets where one fails."""
    copy = template.resolve().parent
    if copy.name.startswith("cookiecutter") and copy.parent == Path(tempfile.gettempdir()).resolve():
        shutil.rmtree(copy, ignore_errors=True)


def main(cookiecutter: dict[str, Any]) -> None:
    Path(__file__).unlink()  # the rendered copy of this file, which cookiecutter forgets too
    try:
        fill(Path.cwd(), cookiecutter)
    except Refusal as refusal:
        forget(Path(cookiecutter["_repo_dir"]))
        sys.exit(str(refusal))


if __name__ == "__main__":
    main(json.loads(unquote("{{ cookiecutter | jsonify | urlencode }}")))
