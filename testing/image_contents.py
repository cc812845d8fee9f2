"""Print what an image contains, as JSON. Runs as root in a container of the image."""

import grp
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

PROGRAMS = "gcc cc g++ c++ make ld as cpp pip pip3 uv uvx curl wget git sudo su mount passwd"
MODULES = ("pip", "ensurepip", "uv", "setuptools", "wheel")

device = os.lstat("/").st_dev
files: dict[str, list[int]] = {}
for folder, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if Path(folder, name).lstat().st_dev == device]
    for name in folders + names:
        entry = Path(folder, name).lstat()
        if not stat.S_ISLNK(entry.st_mode):
            files[str(Path(folder, name))] = [entry.st_mode, entry.st_uid, entry.st_gid]

# The interpreter of the virtual environment, and the one below it, which has packages of its own.
code = f"import importlib.util as u; print(*(name for name in {MODULES} if u.find_spec(name)))"
modules: set[str] = set()
for python in (sys.executable, str(Path(sys.executable).resolve())):
    modules.update(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split())

shadow = Path("/etc/shadow")  # a distroless image has none
print(
    json.dumps(
        {
            "files": files,
            "programs": list(filter(shutil.which, PROGRAMS.split())),
            "modules": sorted(modules),
            "users": [[user.pw_name, user.pw_passwd, user.pw_uid, user.pw_shell] for user in pwd.getpwall()],
            "groups": [[group.gr_name, group.gr_gid] for group in grp.getgrall()],
            "shadow": [line.split(":")[:2] for line in shadow.read_text().splitlines()] if shadow.exists() else [],
        }
    )
)
