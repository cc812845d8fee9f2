"""What cookiecutter.json has to say, from Copier's questions.

    .venv/bin/python tests/cookiecutter/expected.py >cookiecutter.json

writes it anew after a change to questions/. cookiecutter can neither skip a question nor take
several choices, so a prompt says for which answers its question counts, and takes a list.
"""

import importlib.util
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
from rich.markup import escape

ROOT = Path(__file__).parent.parent.parent

ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined)

# What cookiecutter renders and does not ask: the folder that relative paths start from, and the
# new folder, whose name is the project's, or, where Copier will refuse that, one that is free.
PROJECT = "{{ cookiecutter.image_name if cookiecutter.kind == 'base-image' else cookiecutter.service_name }}"
FOLDER = (
    "{{ cookiecutter.__project if cookiecutter.__project and cookiecutter.__project | slugify == cookiecutter.__project"
    " else 'refused-' ~ uuid4() }}"
)
START = "{{ lipsum.__globals__.os.getcwd() if lipsum.__globals__.os is defined else '' }}"


def hook():
    """The hook's functions, for it reads the questions too."""
    spec = importlib.util.spec_from_file_location("post_gen_project", ROOT / "hooks" / "post_gen_project.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(questions: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: question for name, question in questions.items() if question.get("when", True) is not False}


def labels(question: dict[str, Any]) -> dict[str, str]:
    """The values that can be chosen, and what each is called."""
    choices = question.get("choices", [])
    assert not isinstance(choices, str), f"cookiecutter cannot choose from what is to be rendered: {choices}"
    pairs = choices.items() if isinstance(choices, dict) else ((value, value) for value in choices)
    return {str(value["value"] if isinstance(value, dict) else value): str(label) for label, value in pairs}


def default(name: str, questions: dict[str, dict[str, Any]]) -> Any:
    question = questions[name]
    value = question.get("default", "")
    if question.get("multiselect"):
        assert isinstance(value, list), f"{name}: cookiecutter cannot render which choices are the default: {value}"
        return ", ".join(map(str, value))
    if question.get("choices"):
        # cookiecutter's default is the first.
        values = list(labels(question))
        assert str(value) in values, f"{name}: cookiecutter cannot render which choice is the default: {value}"
        return sorted(values, key=lambda each: each != str(value))
    if isinstance(value, bool):
        return value
    if question.get("type") == "bool":
        assert value in ("true", "false"), f"{name}: cookiecutter cannot render a yes or no: {value}"
        return value == "true"
    return translated(str(value), questions)


def translated(template: str, questions: dict[str, dict[str, Any]]) -> str:
    """A Jinja default with Copier's names, with cookiecutter's."""
    result, inside, before = "", False, ""
    for _, kind, text in ENVIRONMENT.lex(template):
        if kind in ("variable_begin", "block_begin", "variable_end", "block_end"):
            inside = kind.endswith("begin")
        if inside and kind == "name" and text in questions and before not in (".", "|"):
            computed = questions[text].get("when", True) is False
            result += f"({translated_expression(text, questions)})" if computed else f"cookiecutter.{text}"
        else:
            result += text
        if kind != "whitespace":
            before = text
    return result


def translated_expression(name: str, questions: dict[str, dict[str, Any]]) -> str:
    """The expression that an answer is computed by."""
    template = str(questions[name].get("default", ""))
    if template.startswith("{{") and template.endswith("}}") and template.count("{{") == 1:
        return translated(template, questions)[2:-2].strip()
    assert "{" not in template, f"{name}: cookiecutter cannot take this into another expression: {template}"
    return repr(template)


def domain(question: dict[str, Any]) -> list[Any]:
    """The answers between which a `when` may tell."""
    if question.get("multiselect"):
        return [[], *([value] for value in labels(question))]
    if question.get("choices"):
        return list(labels(question))
    if question.get("type") == "bool":
        return [True, False]
    return [str(question.get("default", "")), "anything"]


def condition(name: str, questions: dict[str, dict[str, Any]]) -> str:
    """For which answers to other questions this one counts, in words; nothing if for all."""
    when = questions[name].get("when", True)
    if isinstance(when, bool):
        return ""
    others = sorted(jinja2.meta.find_undeclared_variables(ENVIRONMENT.parse(when)), key=list(questions).index)
    true = [
        answers
        for answers in itertools.product(*(domain(questions[other]) for other in others))
        if ENVIRONMENT.from_string(when).render(zip(others, answers, strict=True)) == "True"
    ]
    words = []
    for index, other in enumerate(others):
        if questions[other].get("choices"):
            count = [value for value in domain(questions[other]) if any(answers[index] == value for answers in true)]
            if len(count) < len(domain(questions[other])):
                words.append(f"{other} is {' or '.join(v if isinstance(v, str) else ' and '.join(v) for v in count)}")
    return f" [only where {' and '.join(words)}]" if words else ""


def prompt(name: str, questions: dict[str, dict[str, Any]]) -> Any:
    question = questions[name]
    text = question["help"]
    if question.get("multiselect"):
        text += f" ({', '.join(labels(question))}; several with commas between)"
    text = escape(text + condition(name, questions))
    if question.get("choices") and not question.get("multiselect"):
        named = {value: escape(label) for value, label in labels(question).items() if value != label}
        return {"__prompt__": text} | named
    return text


def expected() -> str:
    questions = hook().questions(ROOT)
    names = asked(questions)
    content: dict[str, Any] = {name: default(name, questions) for name in names}
    content |= {"__project": PROJECT, "__folder": FOLDER, "__start": START}
    content["__prompts__"] = {name: prompt(name, questions) for name in names}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(expected())
