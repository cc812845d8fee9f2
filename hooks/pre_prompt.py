"""Before cookiecutter asks anything: is Copier there to take the answers?"""

import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

if not find_spec("copier") and not shutil.which("copier"):
    # cookiecutter runs this in a copy of the template, which it forgets where this fails.
    copy = Path.cwd().parent
    if copy.name.startswith("cookiecutter") and copy.parent == Path(tempfile.gettempdir()).resolve():
        shutil.rmtree(copy, ignore_errors=True)
    sys.exit("This template needs Copier beside cookiecutter: get it with `pipx install copier`, then run this again.")
