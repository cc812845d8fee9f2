"""Measure what existing services gain from the layout: image size, and rebuild after a code change.

    python -m bench.existing

Each service of tests/fixtures is built with its own Dockerfile, and with the one that the
template gives it; then one source file is changed, and it is built again. MB are 10^6 bytes.
Exit with status 1 if an image is not at least 60 % smaller, or a rebuild not at least 10
times faster.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.measure import build, rebuild, use_engine
from testing.answers import ADOPTED
from testing.docker import image_size
from testing.template import FIXTURES, adopt

SOURCES = {"shop": "shop/__init__.py", "site": "blog/views.py", "consumer": "consumer/__main__.py"}
SMALLER, FASTER = 0.60, 10


def main() -> None:
    use_engine()
    print(f"{'service':12} {'image':>22} {'smaller':>9} {'rebuild':>24} {'faster':>9}")
    insufficient = []
    for name in ADOPTED:
        images = [f"bench-of-existing:{name}-{form}" for form in ("before", "after")]
        with tempfile.TemporaryDirectory() as temporary:
            before = Path(temporary) / "before"
            shutil.copytree(FIXTURES / name, before)
            after = adopt(name, Path(temporary) / "after")
            try:
                for folder, image in zip((before, after), images, strict=True):
                    build(folder, image)
                sizes = [image_size(image) for image in images]
                seconds = [
                    rebuild(folder, SOURCES[name], image) for folder, image in zip((before, after), images, strict=True)
                ]
            finally:
                for image in images:
                    subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True)
        smaller, faster = 1 - sizes[1] / sizes[0], seconds[0] / seconds[1]
        print(
            f"{name:12} {sizes[0] / 1e6:7.0f} MB -> {sizes[1] / 1e6:5.0f} MB {smaller:8.0%}"
            f" {seconds[0]:10.1f} s -> {seconds[1]:5.1f} s {faster:8.0f}x"
        )
        if smaller < SMALLER or faster < FASTER:
            insufficient.append(name)
    if insufficient:
        sys.exit(f"less than {SMALLER:.0%} smaller or {FASTER} times faster: {', '.join(insufficient)}")


if __name__ == "__main__":
    main()
