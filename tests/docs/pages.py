"""Read the pages of docs/, and run the commands of a page.

A page that begins with `<!-- run: light -->` or `<!-- run: engine -->` has its `sh` blocks run, in
order, by one shell that starts in an empty folder; with `<!-- run: light in NAME -->` it starts in a
service, one of SERVICES, that is generated and committed. A `text` block that follows a `sh` block directly is
the standard output of that block; `...` stands for anything. Indented blocks are not run.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from testing import ROOT
from testing.docker import free_port
from testing.git import commit
from testing.process import TOOLS
from testing.service import find_certificates
from testing.template import generate_from
from testing.uv import uv_environment

DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KIND = re.compile(r"<!-- run: (light|engine)(?: in ([\w-]+))? -->\n")
SERVICES = {
    "a-starter": {"service_name": "orders"},
    "an-existing-service": {
        "source": "existing",
        "service_name": "shop",
        "app_dir": "shop",
        "start_command": "gunicorn shop:app --bind 0.0.0.0:8000",
    },
}
URL = "URL-OF-THIS-REPOSITORY"
PORT = "8000"


class Block(NamedTuple):
    """Commands, and the output that the page shows for them, if it does."""

    commands: str
    output: str | None


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def kind(page: str) -> str:
    """Return how a page is run: `light`, `engine` or nothing."""
    found = KIND.match(read(page))
    return found.group(1) if found else ""


def blocks(page: str) -> list[Block]:
    found: list[Block] = []
    end = 0
    text = read(page)
    for fence in FENCE.finditer(text):
        if fence.group(1) == "sh":
            found.append(Block(fence.group(2), None))
        elif fence.group(1) == "text" and found and not text[end : fence.start()].strip():
            found[-1] = found[-1]._replace(output=fence.group(2))
        end = fence.end()
    return found


def count(commands: str) -> int:
    """Return the number of lines that begin a command: neither continued lines nor here-documents."""
    commands = re.sub(r"<<'END'\n.*?^END$", "", commands, flags=re.MULTILINE | re.DOTALL)
    return len([line for line in commands.replace("\\\n", "").splitlines() if line.strip() not in ("", "done")])


def pattern(output: str) -> str:
    """Return a regular expression for an output in which `...` stands for anything."""
    # A line of dots stands for any number of lines; white space in front of dots may be missing.
    escaped = re.escape(output.strip())
    return escaped.replace(r"\.\.\.\n", r"\.\.\.").replace(r"\ \.\.\.", r"\.\.\.").replace(r"\.\.\.", ".*")


def execute(page: str, folder: Path, template: Path, project: str) -> list[tuple[Block, str]]:
    """Run the commands of a page in `folder`; return each block with what it printed.

    Raise AssertionError if a command fails. The template is the repository `template`. `project`
    becomes the name of the compose project and a part of the tag of images.
    """
    (folder / "work").mkdir()
    marker = KIND.match(read(page))
    if marker and marker.group(2):
        address = f"git+file://{template}"
        commit(generate_from(address, folder / "work", **SERVICES[marker.group(2)]), "Generate the service")
    port = str(free_port())
    script = ["set -euo pipefail"]
    found = blocks(page)
    for number, block in enumerate(found):
        commands = block.commands.replace(URL, f"file://{template}").replace(f"127.0.0.1:{PORT}", f"127.0.0.1:{port}")
        script += [f"exec >{folder}/{number}.out 2>{folder}/{number}.err", commands]
    certificates = find_certificates()
    environment = os.environ | uv_environment()
    environment |= {
        "PATH": f"{TOOLS}:{os.environ['PATH']}",
        # Instead of 8000, which may be in use.
        "HELLO_SERVICE_PORT": port,
        "SHOP_PORT": port,
        # Instead of VERSION 0.0.0-dev, which another test may build.
        "SHOP_IMAGE": f"shop:0.0.0-{project}",
        "COMPOSE_PROJECT_NAME": project,
        "VERSION": f"0.0.0-{project}",
        "SSL_CERT_FILE": certificates,
        # bake reads the certificates without asking.
        "BUILDX_BAKE_ENTITLEMENTS_FS": "0",
    }
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder / "work",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    printed = [(folder / f"{number}.out") for number in range(len(found))]
    if done.returncode:
        number = max(number for number, path in enumerate(printed) if path.exists())
        output, errors = printed[number].read_text(), (folder / f"{number}.err").read_text()
        raise AssertionError(f"docs/{page}: a command fails:\n{found[number].commands}\n{output}\n{errors[-4000:]}")
    return [(block, path.read_text()) for block, path in zip(found, printed, strict=True)]
