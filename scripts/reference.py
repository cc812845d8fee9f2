"""Write the generated pages of docs/: the questions, the make targets, and the help of fleet.

    python scripts/reference.py

`make reference` runs this. A condition or a computed default that this script has no words for is
an error, so a new question cannot be left out.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
EXPECTED = ROOT / "tests" / "render" / "expected"

GENERATED = "<!-- Written by scripts/reference.py (`make reference`). Do not edit. -->\n\n"

# The files of questions, in the order of copier.yml, with the headings of the page.
GROUPS = {
    "common": "Which project",
    "base_image": "A base image",
    "service": "A service",
    "existing": "A service that exists",
}

# For which projects a question counts, by Copier's condition.
COUNTS = {
    "": "every project",
    "kind == 'base-image'": "base images",
    "kind == 'base-image' or source == 'starter'": "starters and base images",
    "kind == 'service'": "services",
    "kind == 'service' and source == 'starter'": "starters",
    "kind == 'service' and source == 'existing'": "existing services",
    "kind == 'service' and starter != 'worker'": "services, but not the worker starter",
    "kind == 'service' and port != ''": "services with a port",
    "kind == 'service' and base == 'shared'": "services on a base image from this template",
    "kind == 'service' and source == 'existing' and port == ''": "existing services without a port",
    "kind == 'service' and source == 'existing' and port != ''": "existing services with a port",
    "kind == 'service' and source == 'existing' and not lock": "existing services with requirements files",
    "kind == 'service' and source == 'existing' and lock != ''": "existing services with a lock",
    "kind == 'service' and source == 'existing' and lock == 'uv'": "existing services with `uv.lock`",
    "kind == 'service' and source == 'existing' and '.' in local_package_paths": (
        "existing services whose `local_packages` have `.`"
    ),
    "kind == 'service' and source == 'existing' and assets_lock != ''": "existing services with `assets_lock`",
    "kind == 'service' and source == 'existing' and build_commands != ''": "existing services with `build_commands`",
}

# When Copier asks, by the end of its condition.
ASKED = {
    "": "always",
    "customize": "with `customize`",
    "recorded('kind') == ''": "at the first copy; the answer cannot change",
    "recorded('source') == ''": "at the first copy; the answer cannot change",
    "recorded('framework') == ''": "at the first copy; the answer cannot change",
    "source == 'starter' or customize": "for starters; else with `customize`",
    "source == 'existing' or customize": "for existing services; else with `customize`",
    "source == 'starter' or base == 'shared' or customize": "for starters and on a shared base; else with `customize`",
    "kind == 'base-image' or customize": "for base images; else with `customize`",
    "has_old_layout() == '' and (base == 'upstream' or customize)": (
        "on the official image; on a shared base with `customize`"
    ),
}

# Defaults that Copier computes, in words.
COMPUTED = {
    "service_name": "the folder's name",
    "start_command": "`python -m` and the name of the service",
    "port": "`8000`; none for the worker starter",
    "heartbeat_file": "none; `/tmp/heartbeat` for the worker starter",
    "flavor": "`distroless`; `slim` for existing services",
    "ci": "`github`; `none` for existing services, and for projects of releases that did not ask",
    "local_packages": "none; `.` if `app_dir` is empty",
    "assets_files": "the folder of the lock; `assets` if the lock is at the top",
    "assets_command": "`npm run build`; `bun run build` for a lock of Bun",
}


def main() -> None:
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return the text of each generated page, by its name in docs/."""
    return {
        "questions.md": GENERATED + questions(),
        "make-targets.md": GENERATED + make_targets(),
        "fleet.md": GENERATED + fleet(),
    }


# The questions


def questions() -> str:
    """Return the page of the questions, from questions/*.yml."""
    parts = [
        "# Every question\n",
        "Copier asks at most ten questions unless you choose `customize`. `--data NAME=ANSWER` answers any of them, "
        "asked or not.\nEvery answer is recorded in `.copier-answers.yml` and holds in later updates; "
        "`copier update --data NAME=ANSWER` changes one.\nA wrong answer is refused with one sentence, and nothing "
        "is written.\n",
    ]
    for file, heading in GROUPS.items():
        asked = [
            describe(name, question)
            for name, question in yaml.safe_load((ROOT / "questions" / f"{file}.yml").read_text("utf-8")).items()
            if question.get("when", True) is not False and question.get("ask", True) is not False
        ]
        parts += [f"## {heading}\n", *asked]
    return "\n".join(parts)


def describe(name: str, question: dict[str, Any]) -> str:
    """Return the section of one question."""
    first, *details = question["help"].splitlines()
    lines = [f"### `{name}`\n", first, *([" ".join(line.strip() for line in details)] if details else [])]
    choices = question.get("choices")
    facts = []
    if isinstance(choices, dict):
        facts.append("Answers: " + "; ".join(f"`{value}` ({label})" for label, value in choices.items()))
    elif choices:
        facts.append("Answers: " + ", ".join(f"`{choice}`" for choice in choices))
    facts.append(f"Default: {default(name, question)}")
    facts.append(f"Counts for: {words(COUNTS, question.get('when', ''), name)}")
    facts.append(f"Asked: {words(ASKED, question.get('ask', ''), name)}")
    if question.get("placeholder"):
        facts.append(f"Example: `{question['placeholder']}`")
    return "\n".join([*lines, "", *(f"- {fact}" for fact in facts), ""])


def default(name: str, question: dict[str, Any]) -> str:
    value = question.get("default")
    if name in COMPUTED:
        return COMPUTED[name]
    if "{" in str(value):
        raise SystemExit(f"scripts/reference.py: say in COMPUTED what the default of {name} is")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value) or "none"
    return f"`{value}`" if value not in (None, "") else "none"


def words(table: dict[str, str], condition: str, name: str) -> str:
    """Return the words for a condition of Copier's."""
    expression = re.sub(r".*\{\{ (.*) \}\}", r"\1", condition, flags=re.DOTALL)
    if expression not in table:
        raise SystemExit(f"scripts/reference.py: no words for the condition of {name}: {expression}")
    return table[expression]


# The make targets


def make_targets() -> str:
    """Return the page of the make targets, from the generated Makefiles."""
    services = sorted(EXPECTED.glob("*/Makefile"))
    targets: dict[str, dict[str, list[str]]] = {}
    for file in services:
        if not file.parent.name.startswith("base"):
            for target, text in listed(file).items():
                targets.setdefault(target, {}).setdefault(text, []).append(file.parent.name)
    count = len([file for file in services if not file.parent.name.startswith("base")])
    rows = []
    for target, texts in targets.items():
        text = max(texts, key=lambda text: len(texts[text]))
        everywhere = sum(len(names) for names in texts.values()) == count
        rows.append((f"`make {target}`", text + ("" if everywhere else f" {ONLY[target]}")))
    return "\n".join(
        [
            "# Every make target\n",
            "`make` without a target prints the list that counts for the project.\n",
            "## A starter\n",
            "An existing service gets no Makefile: its commands are in `docker/container-layout.md`.\n",
            *table(rows),
            "## A base image\n",
            *table([(f"`make {target}`", text) for target, text in listed(EXPECTED / "base" / "Makefile").items()]),
            "## This repository\n",
            *table([(f"`make {target}`", text) for target, text in listed(ROOT / "Makefile").items()]),
        ]
    )


# Of targets that some services lack: which ones have them.
ONLY = {"manage": "(Django)", "roll": "(`targets: proxy`)"}


def listed(makefile: Path) -> dict[str, str]:
    """Return the targets of a Makefile that `make help` lists, with their descriptions."""
    return dict(re.findall(r"^([a-z-]+):.*?## (.*)$", makefile.read_text("utf-8"), flags=re.MULTILINE))


def table(rows: list[tuple[str, str]]) -> list[str]:
    cells = [f"| {target} | {text.strip().replace('|', chr(92) + '|')} |" for target, text in rows]
    return ["| command | what it does |", "|---|---|", *cells, ""]


# The help of fleet


def fleet() -> str:
    """Return the page of fleet's help, by running it."""
    return (
        "# `fleet`\n\n"
        "`fleet` adopts a service, compares many with their template, and updates them. It needs no installation:\n\n"
        "    uvx --from git+URL-OF-THIS-REPOSITORY fleet --help\n\n"
        "[Updates](updates.md) and [adoption](adoption.md) explain what it does.\n\n"
        f"## fleet status, fleet update\n\n```text\n{help_of('--help')}```\n\n"
        f"## fleet adopt\n\n```text\n{help_of('adopt', '--help')}```\n"
    )


def help_of(*arguments: str) -> str:
    environment = os.environ | {"COLUMNS": "90", "NO_COLOR": "1"}
    # The default of --jobs is the number of cores.
    run = "import os; os.cpu_count = lambda: 2; from fleet.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", run, *arguments]
    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    return printed.replace("(default: 2)", "(default: the number of cores)").replace("usage: -c", "usage: fleet")


if __name__ == "__main__":
    main()
