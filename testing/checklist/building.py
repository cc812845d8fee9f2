"""Items 35 to 43, 47, 48, 51 to 53, 55 and 60: how the image is built."""

import json
import re
from collections.abc import Iterator
from datetime import datetime

from testing.checklist.contents import leftovers
from testing.checklist.facts import Subject
from testing.checklist.items import item

# Images that Docker maintains, by their names on Docker Hub.
OFFICIAL = {"debian", "haproxy", "node", "python"}
LABELS = {"title", "description", "version", "revision", "created", "source", "licenses", "base.name"}
TLS_OFF = (
    r"--trusted-host|--allow-insecure-host|--no-check-certificate|--insecure\b|curl .*-k\b|verify=False|CERT_NONE"
    r"|strict-ssl.false|(PYTHONHTTPSVERIFY|NODE_TLS_REJECT_UNAUTHORIZED)\W+0|GIT_SSL_NO_VERIFY|_create_unverified_context"
)
UNVERIFIED = (
    r"--allow-unauthenticated|trusted=yes|--force-yes|--no-gpg|(curl|wget)\b.*(\||https?:)|\bADD https?:|http://"
)
APT_INSTALL = r"\bapt(-get)? (-\S+ )*install"
SYSTEM_PATHS = r"/(bin|boot|dev|etc|lib|lib64|opt|proc|root|run|sbin|sys|usr|var)?(/|$)"


@item(
    35, "The base image can be pinned by digest, and a bot keeps it so", "plain `FROM` lines; Renovate", of_image=True
)
def pinned(s: Subject) -> Iterator[str]:
    if variable := [base for base in s.bases if "$" in base]:
        yield f"a variable names {', '.join(variable)}"
    try:
        renovate = json.loads(s.files["renovate.json"])
    except (KeyError, ValueError):
        renovate = {}
    if "docker:pinDigests" not in renovate.get("extends", []):
        yield "no bot is configured: renovate.json does not pin digests"


@item(36, "A trusted registry and base", "the official image, or the base image that the answers name")
def trusted(s: Subject) -> Iterator[str]:
    names = [repository(base) for base in s.bases] if s.own_image else [repository(s.compose["image"])]
    base = re.search(r"^base_image: (\S+)", s.files[".copier-answers.yml"], re.MULTILINE)
    for name in names:
        if name not in OFFICIAL and (base is None or name != base[1]):
            yield f"{name} is neither official nor the base image of the answers"


@item(37, "No `latest`", "every image has a version")
def latest(s: Subject) -> Iterator[str]:
    for image in [*(s.bases if s.own_image else []), s.compose["image"]]:
        tag = image.removeprefix(repository(image)).lstrip(":@")
        if tag in ("", "latest"):
            yield f"{image} has no version"


@item(38, "Debian's packages are pinned, or knowingly not", "none by default; a comment says why", of_image=True)
def debian_packages(s: Subject) -> Iterator[str]:
    for instruction in s.dockerfile:
        installs = instruction.name == "RUN" and re.search(APT_INSTALL, instruction.value)
        if installs and "Not pinned: " not in instruction.comment:
            yield "packages are neither pinned nor is there a reason"


@item(39, "Requirements are locked with hashes", "`requirements.txt`, `--require-hashes`", of_image=True)
def hashes(s: Subject) -> Iterator[str]:
    installs = [
        command for command in s.commands if re.match(r"(uv )?pip install .*--requirement|uv (sync|export) ", command)
    ]
    if not installs:
        yield "no requirements are installed"
    for command in installs:
        if not re.search("--require-hashes|--locked|--frozen", command):
            yield f"`{command}` takes packages without a hash"
        for path in re.findall(r"--requirement ([^/\s]\S*)", command):
            lines = s.files.get(path, "").replace("\\\n", "").splitlines()
            pins = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
            if not pins:
                yield f"{path} names no package"
            elif loose := [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin]:
                yield f"{path} has no hash for {loose[0]}"


@item(40, "COPY, not ADD", "no `ADD`", of_image=True)
def add(s: Subject) -> Iterator[str]:
    for value in s.instructions("ADD"):
        yield f"ADD {value}"


@item(41, "No `apt-get update` alone", "in the same `RUN` as the installation", of_image=True)
def lone_update(s: Subject) -> Iterator[str]:
    for value in s.instructions("RUN"):
        if re.search(r"apt(-get)? .*update", value) and " install " not in value:
            yield f"RUN {value}"


@item(42, "No dist-upgrade", "a rebuild takes a newer base image instead", of_image=True)
def upgrade(s: Subject) -> Iterator[str]:
    for command in s.commands:
        if re.search(r"apt(-get)? .*\b((dist|full)-)?upgrade", command):
            yield command


@item(43, "No recommended packages, and no package lists", "`--no-install-recommends`; lists in a mount", of_image=True)
def recommends(s: Subject) -> Iterator[str]:
    for value in s.instructions("RUN"):
        if re.search(APT_INSTALL, value):
            if "--no-install-recommends" not in value:
                yield f"recommended packages: {value}"
            if "target=/var/lib/apt/lists" not in value and "rm -rf /var/lib/apt/lists" not in value:
                yield f"package lists stay: {value}"
    yield from (path for path in leftovers(s) if "/apt/lists/" in path)


@item(47, "TLS checks are never off", "a private CA is a build secret", of_image=True)
def tls(s: Subject) -> Iterator[str]:
    for path, text in s.build_files.items():
        for found in re.finditer(TLS_OFF, text):
            yield f"{path}: {found[0]}"


@item(48, "Verified packages only", "Debian's signatures, hashes of requirements, uv by version", of_image=True)
def verified(s: Subject) -> Iterator[str]:
    for instruction in s.dockerfile:
        if found := re.search(UNVERIFIED, f"{instruction.name} {instruction.value}"):
            yield found[0]
    for command in s.commands:
        packages = re.sub(r"\s-\S+ ignore|\s--?\S+", "", command).split()
        if re.match(r"(uv )?pip install", command) and "--requirement" not in command:
            yield from (f"{name} has no version" for name in packages[2:] if "==" not in name)


@item(51, "Exec form, and one CMD, ENTRYPOINT and HEALTHCHECK", "in the Dockerfile", of_image=True)
def exec_form(s: Subject) -> Iterator[str]:
    for name in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
        for stage in s.stages:
            values = [instruction.value for instruction in stage if instruction.name == name]
            if len(values) > 1:
                yield f"a stage has {len(values)} {name}"
            for value in values:
                command = re.sub(r"^(--\S+ )*(CMD )?", "", value) if name == "HEALTHCHECK" else value
                if not command.startswith("[") and command != "NONE":
                    yield f"a shell runs {name} {value}"
    if not s.image["Config"]["Cmd"] or s.image["Config"]["Cmd"][0].endswith("sh"):
        yield f"the image runs {s.image['Config']['Cmd']}"


@item(52, "An absolute WORKDIR", "`WORKDIR /app`", of_image=True)
def working_directory(s: Subject) -> Iterator[str]:
    for value in [*s.instructions("WORKDIR"), s.image["Config"]["WorkingDir"]]:
        if not value.startswith("/"):
            yield f"WORKDIR {value or 'is not set'}"


@item(53, "No VOLUME on a system path", "no `VOLUME`", of_image=True)
def volume(s: Subject) -> Iterator[str]:
    declared = [path for value in s.instructions("VOLUME") for path in re.findall(r'[^\s",\[\]]+', value)]
    for path in [*declared, *(s.image["Config"].get("Volumes") or {})]:
        if re.match(SYSTEM_PATHS, path):
            yield f"VOLUME {path}"


@item(
    55, "OCI labels, complete and valid", "`LABEL` in the Dockerfile; the Makefile fills in the commit", of_image=True
)
def labels(s: Subject) -> Iterator[str]:
    prefix = "org.opencontainers.image."
    found = {key.removeprefix(prefix): value for key, value in s.image["Config"]["Labels"].items()}
    for name in sorted(LABELS):
        if f"{prefix}{name}=" not in " ".join(s.instructions("LABEL")):
            yield f"the Dockerfile sets no {name}"
        # Without a remote, there is no source to name.
        if name not in found or (not found[name] and name != "source"):
            yield f"the image has no {name}"
    try:
        datetime.fromisoformat(found.get("created", ""))
    except ValueError:
        yield f"created is {found.get('created')}"
    for name, pattern in (
        ("version", r"\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?"),
        ("revision", r"[0-9a-f]{40}|unknown"),
        ("source", r"(https://\S+)?"),
        ("licenses", r"[A-Za-z0-9.+() -]+"),
    ):
        if not re.fullmatch(pattern, found.get(name, "")):
            yield f"{name} is {found.get(name)}"


@item(
    60,
    "Requirements before the source, and a .dockerignore that names what enters",
    "`*`, then `!` lines",
    of_image=True,
)
def context(s: Subject) -> Iterator[str]:
    rules = [line for line in s.files.get(".dockerignore", "").splitlines() if line and not line.startswith("#")]
    if rules[:1] != ["*"]:
        yield ".dockerignore does not begin with *"
    if {"!.", "!*", "!**", "!.git"} & set(rules):
        yield ".dockerignore takes everything back"
    # The app is copied into a stage that has the requirements already.
    source = [number for number, i in enumerate(s.dockerfile) if i.name == "COPY" and " /app/" in f"{i.value}/"]
    installed = [
        number for number, i in enumerate(s.dockerfile) if i.name == "RUN" and "target=/root/.cache" in i.value
    ]
    if not source or not installed or source[0] < installed[0]:
        yield "the source is copied before the requirements are installed"


def repository(image: str) -> str:
    """Return the name of an image without its tag and digest."""
    return re.sub(r"(:[^:/@]+)?(@\S+)?$", "", image)
