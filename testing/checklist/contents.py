"""Items 44, 45, 49 and 50: what is in the image, and what is not."""

import re
from collections.abc import Iterator
from stat import S_ISREG

from testing.checklist.facts import LEFTOVERS, Subject
from testing.checklist.items import item

UNWANTED = (
    r"/\.git(/|$)|/\.(pytest|mypy|ruff)_cache(/|$)|^/root/\.cache"
    r"|^/app/(tests?|docker|Dockerfile|Makefile|[^/]*\.(md|toml|in|txt))(/|$)"
)
# What Debian's own tools write at each installation.
HARMLESS = {"/var/cache/ldconfig/aux-cache", "/var/lib/apt/extended_states"}
INSTALLERS = r"/(site|dist)-packages/(pip|uv)(-|$)"


@item(44, "No compiler, pip, curl or sudo", "only the builder has them", of_image=True)
def tools(s: Subject) -> Iterator[str]:
    yield from s.inside["programs"]
    yield from (f"python -m {module}" for module in s.inside["modules"])
    for path in s.inside["files"]:
        if re.search(INSTALLERS, path) or (path.startswith("/usr/include/") and path.endswith(".h")):
            yield path


@item(45, "No secret in ENV, ARG or a layer", "credentials are build secrets", of_image=True)
def build_secrets(s: Subject) -> Iterator[str]:
    for name in ("ARG", "ENV"):
        for value in s.instructions(name):
            for variable in re.findall(r"(?:^|\s)([A-Z][A-Z0-9_]*)", value):
                if is_secret(variable):
                    yield f"{name} {variable}"
    for line in s.image["Config"]["Env"]:
        if is_secret(line.split("=")[0]) or has_password(line):
            yield f"the image has {line.split('=')[0]}"
    for command in s.history:
        if has_password(command):
            yield "a layer's command has a password"
    for path in s.inside["files"]:
        if re.search(r"/(\.netrc|\.pypirc|\.env|id_rsa|id_ed25519|pip\.conf)$", path):
            yield path


@item(49, "No passwords, and every user has a number of its own", "`/etc/passwd` has the user `app`", of_image=True)
def accounts(s: Subject) -> Iterator[str]:
    users = s.inside["users"]
    if len({uid for _, _, uid, _ in users}) != len(users):
        yield "two users have one number"
    if ["app", "x", 10001, "/usr/sbin/nologin"] not in users or ["app", 10001] not in s.inside["groups"]:
        yield "/etc/passwd or /etc/group does not know the user app"
    for name, password in [*([user[0], user[1]] for user in users), *s.inside["shadow"]]:
        if password not in ("x", "*", "!", "!*"):
            yield f"{name} has a password"


@item(50, "No .git, caches or tests", "`.dockerignore`, cache mounts, a pruned virtual environment", of_image=True)
def caches(s: Subject) -> Iterator[str]:
    yield from (path for path in s.inside["files"] if re.search(UNWANTED, path))
    yield from (path for path in leftovers(s) if "/apt/lists/" not in path)


def leftovers(s: Subject) -> Iterator[str]:
    """Return the caches, logs and package lists that the build has added to the base image."""
    for path, (mode, *_) in s.inside["files"].items():
        if path.startswith(LEFTOVERS) and S_ISREG(mode) and path not in {*s.base_files, *HARMLESS}:
            yield path


def is_secret(name: str) -> bool:
    """Return whether a variable of that name has a secret, and not the path of its file."""
    return bool(re.search(r"(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|(API|PRIVATE|SECRET)_?KEY)$", name))


def has_password(text: str) -> bool:
    """Return whether a URL in the text has a password."""
    return bool(re.search(r"://[^\s/@:]+:[^\s/@$]+@", text))
