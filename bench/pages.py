"""Write the tables and the chart of bench/results into the documents.

    python -m bench.pages [--check] [--root FOLDER]

The documents have marks between which this script writes: `<!-- chart -->` in README.md and
`<!-- figures -->` in docs/measured-layouts.md. With --check, write nothing: name the files that are
not what it would write, and exit with status 1 if there are any.
"""

import argparse
import json
import re
import statistics
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.layouts import APPS, DEFAULT, LAYOUTS
from fleet.image import chart
from fleet.image.tables import count
from testing import ROOT

FLEET = 20
FLEET_COLUMNS = {"fleet disk": 1, "fleet pull": 2}
BEFORE = "before"


class Figure(NamedTuple):
    """A column: its name in the results, its heading, and whether less, more or neither is better."""

    name: str
    heading: str
    better: str = "less"


TABLES = {
    "Size": (
        Figure("image, MB", "image, MB"),
        Figure("floor", "times the floor"),
        Figure("pull, MB", "pull, MB"),
        Figure("pushed, MB", "pushed after a change of the code, MB"),
        Figure("files", "files"),
        Figure("layers", "layers", "neither"),
    ),
    "Build, in seconds": (
        Figure("cold build, s", "cold"),
        Figure("code-only build, s", "code changed"),
        Figure("one package more, s", "one package more"),
        Figure("no change, s", "nothing changed", "neither"),
        Figure("code ratio", "code / nothing changed"),
        Figure("package ratio", "package / nothing changed"),
    ),
    "Start, in seconds": (
        Figure("start, 2 CPU, s", "2 CPU"),
        Figure("start, 0.5 CPU, s", "0.5 CPU"),
        Figure("start, 0.2 CPU, s", "0.2 CPU"),
        Figure("start, 2 CPU, CPU s", "CPU s at 2 CPU"),
        Figure("start, 0.5 CPU, CPU s", "CPU s at 0.5 CPU"),
        Figure("start, 0.2 CPU, CPU s", "CPU s at 0.2 CPU"),
    ),
    "Run": (
        Figure("memory, MB", "memory at rest, MB"),
        Figure("requests per CPU s", "requests per CPU second", "more"),
    ),
    "What an attacker finds": (
        Figure("shells", "shells"),
        Figure("setuid files", "setuid or setgid files"),
        Figure("world-writable paths", "world-writable paths"),
        Figure("tools", "tools, such as pip, curl, gcc, su"),
        Figure("Debian packages", "Debian packages"),
        Figure("Python packages", "Python packages"),
    ),
    f"{FLEET} such services on one host": (
        Figure("fleet disk", "on disk, MB"),
        Figure("fleet pull", "pulled, MB"),
    ),
}
# Layouts whose ranges overlap, or differ by less than 1 %, are equally good.
TOLERANCE = 1.01
# Why another layout is first, by figure. A test demands a reason for each one.
COMPILED = (
    "The build compiles the app to bytecode in a step of its own, so that containers do not compile it at each start."
)
REASONS = {
    "pushed, MB": "The layer contains the bytecode of the app, too.",
    "code-only build, s": COMPILED,
    "code ratio": COMPILED,
    "package ratio": "The build with nothing changed, which is the divisor, took longer in the other layout.",
    "requests per CPU s": "gunicorn logs no requests by default. The default layout writes a line for each one.",
}
UNEXPLAINED = "not explained yet: add the reason to bench/pages.py"


def fleet(apps: list[list[list[tuple[str, int, int]]]], column: int) -> float:
    """Return the MB of FLEET services, equally many of each app, whose layers count once if they are shared.

    For each app there are the layers of two services.
    """
    shared: dict[str, int] = {}
    own = 0
    for first, second in apps:
        in_both = {digest for digest, *_ in first} & {digest for digest, *_ in second}
        for layer in first:
            if layer[0] in in_both:
                shared[layer[0]] = int(layer[column])
            else:
                own += int(layer[column])
    return (sum(shared.values()) + FLEET // len(apps) * own) / 1e6


class Results:
    """What was measured of one app."""

    def __init__(self, file: Path) -> None:
        self.found: dict[str, Any] = json.loads(file.read_text())
        self.app: str = self.found["app"]
        self.values: dict[str, dict[str, list[float]]] = {}
        for layout, measured in self.found["layouts"].items():
            values: dict[str, list[float]] = measured["figures"]
            self.values[layout] = values | dict(self._computed(values, measured["services"]))

    def _computed(
        self, values: dict[str, list[float]], services: list[list[tuple[str, int, int]]]
    ) -> Iterator[tuple[str, list[float]]]:
        unchanged = statistics.median(values["no change, s"])
        yield "floor", [values["image, MB"][0] / self.found["floor, MB"]]
        yield "code ratio", [statistics.median(values["code-only build, s"]) / unchanged]
        yield "package ratio", [statistics.median(values["one package more, s"]) / unchanged]
        if len(services) > 1:
            for name, column in FLEET_COLUMNS.items():
                yield name, [fleet([services], column)]

    @property
    def caution(self) -> str:
        """Return a sentence if other programs used the machine."""
        if max(self.found["load average before each round"][1:]) <= self.found["machine"]["cores"]:
            return ""
        return " Other programs were running on the machine, so the seconds are upper bounds."

    def median(self, layout: str, figure: str) -> float:
        return statistics.median(self.values[layout][figure])

    def has(self, figure: Figure) -> bool:
        return all(figure.name in values for values in self.values.values())

    def first(self, figure: Figure) -> list[str]:
        """Return the layouts that are first: the best median, and those that cannot be told from it."""
        if figure.better == "neither":
            return []
        pick = min if figure.better == "less" else max
        best = self.values[pick(self.values, key=lambda layout: self.median(layout, figure.name))][figure.name]
        lowest, highest = min(best) / TOLERANCE, max(best) * TOLERANCE
        return [
            layout
            for layout, values in self.values.items()
            if min(values[figure.name]) <= highest and lowest <= max(values[figure.name])
        ]


def shown(value: float) -> str:
    """Return a number with three significant digits, or a whole number as it is."""
    if value == int(value) or value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def cell(values: list[float], is_first: bool) -> str:
    median = shown(statistics.median(values))
    text = f"**{median}**" if is_first else median
    return text if len(values) == 1 else f"{text} ({shown(min(values))}-{shown(max(values))})"


def table(results: Results, figures: tuple[Figure, ...]) -> Iterator[str]:
    figures = tuple(figure for figure in figures if results.has(figure))
    first = {figure: results.first(figure) for figure in figures}
    yield f"| layout | {' | '.join(figure.heading for figure in figures)} |"
    yield "|---|" + "---|" * len(figures)
    for layout, values in results.values.items():
        cells = (cell(values[figure.name], layout in first[figure]) for figure in figures)
        yield f"| {layout} | {' | '.join(cells)} |"


def not_first(results: Results) -> Iterator[str]:
    """Yield a row for each figure in which a layout that is not ours is before the default."""
    for heading, figures in TABLES.items():
        for figure in filter(results.has, figures):
            first = results.first(figure)
            others = [layout for layout in first if not LAYOUTS[layout].is_ours]
            if not others or DEFAULT in first:
                continue
            values = (shown(results.median(layout, figure.name)) for layout in (others[0], DEFAULT))
            why = REASONS.get(figure.name, UNEXPLAINED)
            yield f"| {heading}: {figure.heading} | {others[0]} | {' | '.join(values)} | {why} |"


def describe(results: Results) -> Iterator[str]:
    """Yield the lines of the page on one app."""
    found = results.found
    machine = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    load = ", ".join(map(str, found["load average before each round"]))
    yield f"## The {results.app} app\n"
    introduction = (
        f"{found['description']}. Measured on {found['date']} in {found['minutes']:.0f} minutes"
        f" ({count(found['rounds'], 'round')}): {machine}. The load"
        f" average was {load} before the run and before each round. The floor is {shown(found['floor, MB'])} MB."
        f"{results.caution}"
    )
    missing = [
        f"{heading}: {figure.heading}" for heading, t in TABLES.items() for figure in t if not results.has(figure)
    ]
    if missing:
        introduction += f" Not measured in this run: {'; '.join(missing)}."
    yield wrap(introduction)
    for heading, figures in TABLES.items():
        if any(results.has(figure) for figure in figures):
            yield f"\n### {results.app}: {heading}\n"
            yield from table(results, figures)
    yield f"\n### {results.app}: where the default is not first\n"
    rows = list(not_first(results))
    if rows:
        yield "| figure | first | its value | the default | why |"
        yield "|---|---|---|---|---|"
        yield from rows
    else:
        yield "In no column is a layout of others before the default."
    yield ""


def describe_fleet(all_results: list[Results]) -> Iterator[str]:
    """Yield the table of services with different packages."""
    found = {results.app: results.found["layouts"] for results in all_results}
    apps = [app for app, layouts in found.items() if all(len(layout["services"]) > 1 for layout in layouts.values())]
    if len(apps) < 2:
        return
    yield f"## {FLEET} services of {len(apps)} kinds on one host\n"
    yield f"{FLEET // len(apps)} services of each app: {', '.join(apps)}.\n"
    yield "| layout | on disk, MB | pulled, MB |"
    yield "|---|---|---|"
    for layout in LAYOUTS:
        sizes = (fleet([found[app][layout]["services"] for app in apps], n) for n in FLEET_COLUMNS.values())
        yield f"| {layout} | {' | '.join(map(shown, sizes))} |"
    yield ""


def page(all_results: list[Results]) -> str:
    layouts = "\n".join(f"| {name} | {layout.description} |" for name, layout in LAYOUTS.items())
    apps = [line for results in all_results for line in describe(results)]
    missing = [app for app in APPS if app not in {results.app for results in all_results}]
    note = f"\nNot measured yet: {', '.join(missing)}.\n" if missing else ""
    return (
        "\n".join(["| layout | what it is |", "|---|---|", layouts, note, *apps, *describe_fleet(all_results)]).rstrip()
        + "\n"
    )


CHART = (
    Figure("pull, MB", "To pull, MB"),
    Figure("code-only build, s", "Rebuild after a change of the code, seconds"),
    Figure("start, 0.5 CPU, s", "Start with half a CPU, seconds"),
)


def draw(results: Results, palette: str) -> str:
    """Return the chart: bars of all layouts, for the figures that a user meets first."""
    drawing = chart.Drawing()
    drawing.y += 12
    drawing.text(f"The same app in {len(results.values)} layouts: less is better", css="head")
    for figure in CHART:
        drawing.heading(figure.heading)
        largest = max(results.median(layout, figure.name) for layout in results.values)
        for layout in results.values:
            value = results.median(layout, figure.name)
            drawing.y += 18
            drawing.text(layout, css="" if LAYOUTS[layout].is_ours else "dim")
            drawing.text(shown(value), x=chart.WIDTH - chart.MARGIN, css="end")
            drawing.y -= 10
            drawing.bar(172, max(1, 155 * value / largest), 11, "c0" if LAYOUTS[layout].is_ours else "c4")
            drawing.y += 10
    drawing.y += 8
    return drawing.finish("The same app in each layout", f"svg {{ {palette} }}\n{chart.RULES}")


def readme(results: Results) -> str:
    """Return what README.md says of the figures."""

    others = [layout for layout in results.values if not LAYOUTS[layout].is_ours]

    def compare(figure: str, unit: str) -> str:
        before, best = results.median(BEFORE, figure), min(results.median(layout, figure) for layout in others)
        ours = results.median(DEFAULT, figure)
        return f"{shown(ours)} {unit} ({shown(before)} in `{BEFORE}`, {shown(best)} in the best of the others)"

    alt = f"Bars: size, rebuild and start of one app in {len(results.values)} layouts"
    text = (
        f"`make bench` builds and runs one app ({results.found['description']}) in {len(results.values)} layouts."
        f" In the default one, {compare('pull, MB', 'MB')} are to pull; after a change of the code, a build takes"
        f" {compare('code-only build, s', 's')}; with half a CPU, a start takes {compare('start, 0.5 CPU, s', 's')}."
        " [Layouts, measured](docs/measured-layouts.md) has all figures and says where the default is not first."
        f"{results.caution}"
    )
    return f"""\
<picture>
  <source media="(prefers-color-scheme: dark)" srcset="docs/img/bench-dark.svg">
  <img width="480" alt="{alt}" src="docs/img/bench-light.svg">
</picture>

{wrap(text)}
"""


def wrap(text: str) -> str:
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def between(text: str, mark: str, new: str) -> str:
    """Return a document with `new` between its marks."""
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(?=<!-- end of {mark} -->\n)", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"a document lacks the marks of {mark}")
    return pattern.sub(lambda match: f"{match[1]}{new}", text)


def files(root: Path) -> dict[str, str]:
    """Return what each file must contain."""
    folder = root / "bench" / "results"
    all_results = [Results(folder / f"{app}.json") for app in APPS if (folder / f"{app}.json").exists()]
    if not all_results:
        sys.exit("bench/results is empty: run make bench")
    pictured = next((results for results in all_results if results.app == "typical"), all_results[0])
    return {
        "docs/img/bench-light.svg": draw(pictured, chart.LIGHT),
        "docs/img/bench-dark.svg": draw(pictured, chart.DARK),
        "docs/measured-layouts.md": between(
            (root / "docs/measured-layouts.md").read_text(), "figures", f"\n{page(all_results)}\n"
        ),
        "README.md": between((root / "README.md").read_text(), "chart", f"\n{readme(pictured)}\n"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file would change")
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder of README.md, docs and bench/results")
    options = parser.parse_args()

    changed = []
    for name, text in files(options.root).items():
        file = options.root / name
        if not file.exists() or file.read_text() != text:
            changed.append(name)
            if not options.check:
                file.write_text(text)
    if changed and options.check:
        sys.exit(f"not what bench/results says, run make bench-pages: {', '.join(changed)}")


if __name__ == "__main__":
    main()
