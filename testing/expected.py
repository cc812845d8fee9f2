"""Write tests/render/expected: the generated files whose every change a reviewer must see.

Run it by `make expected`, then read `git diff tests/render/expected`.
"""

import shutil
import tempfile
from pathlib import Path

from testing import ROOT
from testing.answers import KUBERNETES, MATRIX, PIPELINES, SWARM
from testing.template import generate

EXPECTED = ROOT / "tests" / "render" / "expected"
NAMES = (
    "defaults",
    "django",
    "flask",
    "worker",
    "pip-no-bytecode",
    "distroless-packages",
    "slim-packages",
    "existing",
    "existing-files",
    "existing-uv-lock",
    "existing-workspace",
    "existing-poetry",
    "existing-pylock",
    "existing-everything",
    "proxy",
    "existing-proxy",
    *KUBERNETES,
    "base",
    *SWARM,
)
# The files that the template owns, by shell pattern.
FILES = (
    "Dockerfile",
    ".dockerignore",
    "docker-*",
    "docker/*",
    "Makefile",
    ".hadolint.yaml",
    ".devcontainer/*",
)
# Their other files are those of an entry above.
STACK = ("deploy/*",)
# Of the entries that have one form of a pipeline each.
PIPELINE_FILES = (".github/workflows/*", ".gitlab-ci.yml")
# Of an entry for Kubernetes, what the others do not have.
KUBERNETES_FILES = ("deploy/kubernetes/**/*", ".checkov.yaml", ".trivyignore")


def main() -> None:
    shutil.rmtree(EXPECTED, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in dict.fromkeys((*NAMES, *PIPELINES)):
            project = generate(Path(folder, name), **MATRIX[name])
            patterns: tuple[str, ...] = ()
            if name in NAMES:
                patterns = KUBERNETES_FILES if name in KUBERNETES else STACK if name in SWARM else FILES
            if name in PIPELINES:
                patterns += PIPELINE_FILES
            for pattern in patterns:
                for file in project.glob(pattern):
                    # The health check is the same everywhere: includes/healthcheck.py.
                    if file.is_file() and file.name != "healthcheck.py":
                        target = EXPECTED / name / file.relative_to(project)
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(file, target)


if __name__ == "__main__":
    main()
