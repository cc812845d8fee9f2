"""Procfiles, which name the processes of an application."""

import re

from .project import Project


def read_procfile(project: Project) -> dict[str, str]:
    """Return the command of each process type by its name; nothing without a Procfile."""
    found = {}
    for line in (project.read(project.own("Procfile")) or project.read("Procfile")).splitlines():
        match = re.match(r"\s*([A-Za-z0-9_-]+)\s*:\s*(.+)", line)
        if match:
            found[match[1]] = match[2].strip()
    return found
