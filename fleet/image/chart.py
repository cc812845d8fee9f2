"""The report as a picture, which can be read on a phone and follows the reader's light or dark theme."""

from xml.sax.saxutils import escape

from .contents import Image
from .packages import KINDS
from .tables import HEADINGS, by_kind, count, megabytes

# The drawing is as wide as a phone; on a larger screen it grows to WIDEST pixels.
WIDTH, WIDEST, MARGIN = 390, 640, 16
BAR = WIDTH - 2 * MARGIN
LETTERS = 38
LARGEST = 12
LIGHT = """--back: #fff; --text: #1f2328; --dim: #59636e; --rest: #d1d9e0;
  --c0: #0969da; --c1: #bc4c00; --c2: #8250df; --c3: #1a7f37; --c4: #6e7781; --c5: #cf222e;"""
DARK = """--back: #0d1117; --text: #f0f6fc; --dim: #9198a1; --rest: #3d444d;
  --c0: #4493f8; --c1: #f0883e; --c2: #ab7df8; --c3: #3fb950; --c4: #8b949e; --c5: #f85149;"""
RULES = """\
svg { background: var(--back); max-width: 100%; height: auto; }
text { font: 13px system-ui, sans-serif; fill: var(--text); }
.head { font-weight: 600; }
.dim { fill: var(--dim); }
.end { text-anchor: end; }
"""
STYLE = f"svg {{ {LIGHT} }}\n@media (prefers-color-scheme: dark) {{\nsvg {{ {DARK} }} }}\n{RULES}"


class Drawing:
    """An SVG that grows downwards."""

    def __init__(self) -> None:
        self.elements: list[str] = []
        self.y = MARGIN

    def text(self, text: str, *, x: float = MARGIN, css: str = "", letters: int = LETTERS + 10) -> None:
        printable = "".join(c if c.isprintable() else "?" for c in text)
        shown = printable if len(printable) <= letters else f"{printable[: letters - 1]}…"
        self.elements.append(f'<text x="{x:g}" y="{self.y}" class="{css}">{escape(shown)}</text>')

    def bar(self, x: float, width: float, height: int, fill: str) -> None:
        self.elements.append(
            f'<rect x="{x:.1f}" y="{self.y}" width="{width:.1f}" height="{height}" fill="var(--{fill})"/>'
        )

    def heading(self, text: str) -> None:
        self.y += 34
        self.text(text, css="head")
        self.y += 6

    def row(self, label: str, size: int, largest: int, fill: str) -> None:
        """Draw a label and a size, and below them a bar."""
        self.y += 17
        self.text(label, letters=LETTERS)
        self.text(megabytes(size), x=WIDTH - MARGIN, css="end")
        self.y += 5
        self.bar(MARGIN, max(1, BAR * size / max(largest, 1)), 6, fill)
        self.y += 9

    def finish(self, title: str, style: str = STYLE) -> str:
        height = self.y + MARGIN
        shown_height = round(height * WIDEST / WIDTH)
        body = "\n".join(self.elements)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDEST}"'
            f' height="{shown_height}" role="img">\n<title>{escape(title)}</title>\n<style>\n{style}</style>\n'
            f'<rect width="100%" height="100%" fill="var(--back)"/>\n{body}\n</svg>\n'
        )


def draw(image: Image) -> str:
    """Return an SVG: the kinds of files in one bar, the layers, and the largest packages."""
    drawing = Drawing()
    drawing.y += 12
    drawing.text(image.name, css="head")
    drawing.y += 19
    about = "about " if image.pull_is_estimated else ""
    drawing.text(f"{megabytes(image.size)} unpacked, {about}{megabytes(image.pull)} to pull", css="dim")

    drawing.y += 14
    _draw_kinds(drawing, by_kind(image), image.size)
    of_base = f" ({image.base_layers} of the base image, in grey)" if image.base_layers else ""
    drawing.heading(f"{count(len(image.layers), 'layer')}{of_base}")
    widest = max((layer.size for layer in image.layers), default=0)
    for layer in image.layers:
        drawing.row(layer.command, layer.size, widest, "rest" if layer.of_base else "dim")
    drawing.heading("The largest packages and folders")
    for part, size in image.parts[:LARGEST]:
        drawing.row(str(part), size, image.parts[0][1], f"c{KINDS.index(part.kind)}")
    return drawing.finish(f"Where the bytes of {image.name} are")


def _draw_kinds(drawing: Drawing, kinds: list[tuple[str, int]], total: int) -> None:
    """Draw one bar with the share of each kind, and a line for each."""
    colours = {name: f"c{number}" for number, name in enumerate(HEADINGS.values())}
    x = float(MARGIN)
    for name, size in kinds:
        drawing.bar(x, BAR * size / max(total, 1), 20, colours.get(name, "c5"))
        x += BAR * size / max(total, 1)
    drawing.y += 26
    for name, size in kinds:
        drawing.bar(MARGIN, 11, 11, colours.get(name, "c5"))
        drawing.y += 10
        drawing.text(name, x=MARGIN + 18)
        drawing.text(f"{megabytes(size)}, {size / max(total, 1):.0%}", x=WIDTH - MARGIN, css="end")
        drawing.y += 9
    drawing.y -= 12
