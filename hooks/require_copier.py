"""Check that Copier is installed before cookiecutter asks its first question.

cookiecutter.json names the class among its `_extensions`, which cookiecutter loads before it asks.
The hook for this purpose, `pre_prompt`, makes cookiecutter copy the whole repository first, with
its virtual environments.
"""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from jinja2 import Environment
from jinja2.ext import Extension


class RequireCopier(Extension):
    """Exit with one sentence if Copier is not installed."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if not find_spec("copier") and not shutil.which("copier"):
            sys.exit("This template needs Copier: install it with `pipx install copier`, then run this command again.")
        # The hook runs in the new project, so it cannot resolve a relative path of the template itself.
        environment.globals["working_directory"] = str(Path.cwd())
