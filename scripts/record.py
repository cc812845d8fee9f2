"""Run the two commands of the README in a terminal, and write pictures of the terminal to docs/img/.

    python scripts/record.py

`make record` runs this. It needs a Docker Engine. The pictures show what the commands printed, except that the
middle of each output is left out, and that the README's placeholder stands for the path of the template.
"""

import io
import itertools
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pyte
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI, TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from testing.docker import docker  # noqa: E402
from testing.engine import ensure_engine  # noqa: E402
from testing.git import isolate_git  # noqa: E402
from testing.process import TOOLS  # noqa: E402
from testing.template import isolate_copier, working_clone  # noqa: E402

IMAGES = ROOT / "docs" / "img"
TEMPLATE = "git+URL-OF-THIS-REPOSITORY"
SERVICE = "hello-service"
# How many lines of each command's output are shown, at the beginning and at the end.
COMMANDS = {f"copier copy --defaults {TEMPLATE} {SERVICE}": (5, 8), f"make -C {SERVICE} up": (15, 9)}
COLUMNS = 108
# High enough that nothing scrolls away.
LINES = 300
LIGHT = TerminalTheme(
    (255, 255, 255),
    (36, 41, 47),
    [
        (36, 41, 47),
        (160, 17, 31),
        (17, 99, 41),
        (125, 78, 0),
        (5, 80, 174),
        (130, 80, 223),
        (27, 124, 131),
        (87, 96, 106),
    ],
)
THEMES = {"light": LIGHT, "dark": DIMMED_MONOKAI}
# Without the fonts that the browser would load from another site.
SVG = re.sub(r"@font-face \{\{.*?\n    \}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> None:
    ensure_engine()
    if docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={SERVICE}"):
        raise SystemExit(f"make record: the compose project {SERVICE} exists; remove it first")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        isolate_git(folder)
        isolate_copier(folder)
        # Copier takes the newest release, so make a release of this checkout.
        template = working_clone(folder / "template", [], version)
        try:
            outputs = [run(command.replace(TEMPLATE, str(template)), folder) for command in COMMANDS]
        finally:
            pexpect.run(f"make -C {SERVICE} down", cwd=str(folder), timeout=120)
    text = Text()
    for (command, shown), output in zip(COMMANDS.items(), outputs, strict=True):
        text.append("$ ", Style(dim=True)).append(f"{command}\n", Style(bold=True))
        for line in shorten(output, *shown):
            line.rstrip()
            text.append_text(line).append("\n")
        text.append("\n")
    text.rstrip()
    for word, replacement in ((str(template), TEMPLATE), (str(folder), "~")):
        text = replace(text, word, replacement)
    IMAGES.mkdir(exist_ok=True)
    for name, theme in THEMES.items():
        console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
        console.print(text, soft_wrap=True)
        svg = console.export_svg(title="", theme=theme, code_format=SVG, unique_id=f"terminal-{name}")
        (IMAGES / f"terminal-{name}.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


def run(command: str, folder: Path) -> list[Text]:
    """Run a command in a terminal; return the lines that the user sees when it has ended."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    environment = {"PATH": f"{TOOLS}:{os.environ['PATH']}", "TERM": "xterm-256color"}
    child = pexpect.spawn(
        command, cwd=str(folder), env=os.environ | environment, dimensions=(LINES, COLUMNS), timeout=1200
    )
    while True:
        try:
            stream.feed(child.read_nonblocking(65536, timeout=1200))
        except pexpect.EOF:
            break
    child.close()
    lines = list(seen(screen))
    if child.exitstatus != 0:
        raise SystemExit("\n".join([f"`{command}` failed with exit status {child.exitstatus}:", *map(str, lines)]))
    return lines


def seen(screen: pyte.Screen) -> Iterator[Text]:
    """Yield each line of a screen with its colours, up to the last one that is not empty."""
    last = max((number for number, line in enumerate(screen.display) if line.strip()), default=-1)
    for number in range(last + 1):
        cells = [screen.buffer[number][column] for column in range(COLUMNS)]
        runs = itertools.groupby(cells, key=lambda cell: (cell.fg, cell.bold, cell.italics))
        line = Text()
        for (foreground, bold, italic), run_of_cells in runs:
            text = "".join(cell.data for cell in run_of_cells)
            line.append(text, Style(color=colour(foreground), bold=bold, italic=italic))
        yield line


def colour(name: str) -> str | None:
    """Return rich's name of a colour of pyte."""
    if name == "default":
        return None
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    return name.replace("brown", "yellow").replace("bright", "bright_")


def shorten(lines: list[Text], beginning: int, end: int) -> list[Text]:
    """Leave out the middle of a long output, and say so."""
    left_out = len(lines) - beginning - end
    if left_out < 2:
        return lines
    return [*lines[:beginning], Text(f"… {left_out} more lines …", Style(dim=True)), *lines[-end:]]


def replace(text: Text, word: str, replacement: str) -> Text:
    """Replace each occurrence of a word in a text, and keep the styles of the rest."""
    parts = text.split(word) if word in text.plain else [text]
    return Text(replacement).join(parts)


if __name__ == "__main__":
    main()
