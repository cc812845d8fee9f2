"""Call the function of one package. `make prune-check` runs this file in the environment that it checks.

python -P run.py MODULE PACKAGE
"""

import importlib
import inspect
import sys
from pathlib import Path

# At the end, so that no folder here hides a package.
sys.path.append(str(Path(__file__).parents[1]))
module, package = sys.argv[1:]
sys.argv = [package]
function = getattr(importlib.import_module(f"packages.{module}"), "use_" + package.replace("-", "_"))
if inspect.iscoroutinefunction(function):
    import asyncio

    asyncio.run(function())
else:
    function()
