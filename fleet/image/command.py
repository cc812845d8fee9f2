"""The command `fleet report IMAGE`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import FleetError
from . import tables
from .chart import draw
from .contents import read_image

EPILOG = """\
The image is read from the engine, and pulled if it is not there. The sizes are those of the
files, in powers of 1000. What is to pull is known from the registry for an image that came from
one or was pushed, and from the compressed layers if the engine keeps them; otherwise it is an
estimate with gzip.

The layers of the base image are those of the image that the label
org.opencontainers.image.base.name names, on this machine or else in its registry.

exit status: 0, or 1 if an image cannot be read, or 2 for wrong usage"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="fleet report",
        description="Say where the bytes of an image are, and how it differs from another one.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", help="NAME:TAG or NAME@sha256:...")
    parser.add_argument("--against", metavar="IMAGE", help="say how IMAGE differs from this one")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw IMAGE, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    options = parser.parse_args(arguments)
    estimates: dict[str, int] = {}
    try:
        image = read_image(options.image, estimates)
        other = read_image(options.against, estimates) if options.against else None
        if options.svg:
            options.svg.write_text(draw(image), encoding="utf-8")
    except (FleetError, OSError) as error:
        print(f"fleet: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(tables.to_json(image, other))
        return 0
    lines = list(tables.describe(image))
    if other:
        lines += ["", *tables.describe_difference(image, other)]
    print("\n".join(lines))
    return 0
