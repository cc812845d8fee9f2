"""The old Dockerfile: what the image contains, and how it starts."""

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dockerfile_parse import DockerfileParser

from .project import Project
from .words import expand, split_shell

DEVELOPMENT = re.compile(r"(^|[^a-z])(dev|develop|development|test|tests|testing|local|debug|lint|ci|docs?)([^a-z]|$)")
OTHER_LANGUAGE = re.compile(r"(^|/)(node|bun|golang|rust|ruby|php|openjdk|eclipse-temurin|nginx)\b")
KNOWN_BASE = re.compile(r"(^|/)(python|debian|ubuntu|alpine|pypy|uv|buildpack-deps|fedora|ubi\d*)\b")
# Options of an instruction, such as --mount of RUN.
OPTIONS = re.compile(r"^(--\S+\s+)+")
PYTHON = re.compile(r"python[:-]?v?(3\.\d+)")


@dataclass
class Stage:
    """A stage: its name, the image or stage that it extends, and its instructions with their values."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class NodeStage:
    """A stage that builds assets: its folder, what it copies (source, destination), and its commands."""

    name: str
    folder: str
    copied: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Image:
    """What an old Dockerfile says of its last stage for production, and of the stages before."""

    path: str
    base: str
    python: str | None
    entrypoint: str
    command: str
    ports: tuple[str, ...]
    healthcheck: str
    variables: dict[str, str]
    environment: dict[str, str]
    workdir: str
    volumes: tuple[str, ...]
    copied: tuple[str, ...]
    renamed: dict[str, str]
    final_packages: tuple[str, ...]
    early_packages: tuple[str, ...]
    foreign_packages: tuple[str, ...]
    has_node: bool
    commands: tuple[str, ...]
    stop_signal: str = ""
    node_stages: tuple[NodeStage, ...] = ()
    from_stages: tuple[tuple[str, str, str], ...] = ()  # the stage, the source and the destination of COPY --from

    @property
    def has_known_base(self) -> bool:
        """Whether the last stage extends an image whose packages are known: of Python or a distribution."""
        return bool(KNOWN_BASE.search(self.base))


def find_dockerfiles(project: Project) -> list[str]:
    """Return the paths of the Dockerfiles for production, the likeliest first."""
    named = re.compile(r"(.*/)?(Dockerfile([.-][\w.-]+)?|[\w-]+\.Dockerfile|Containerfile)", re.IGNORECASE)
    found = [path for path in project.files if named.fullmatch(path) and not path.endswith((".dockerignore", ".jinja"))]
    kept = [path for path in found if not DEVELOPMENT.search(path.lower())]
    kept = [path for path in kept if re.search(r"^\s*FROM\s", project.read(path), re.IGNORECASE | re.MULTILINE)]

    def rank(path: str) -> tuple[bool, bool, bool, int, str]:
        name = path.rsplit("/", 1)[-1]
        is_python = "python" in project.read(path).lower()
        is_production = bool(re.search(r"prod|deploy", path.lower()))
        return (
            "/" in path,
            not is_python or "alpine" in path.lower(),
            not is_production,
            0 if name == "Dockerfile" else 1,
            path,
        )

    return sorted(kept, key=rank)


def read_dockerfile(project: Project, path: str, target: str | None = None) -> Image | None:
    """Read a Dockerfile; `target` names the stage to take. Return None if it has no stage."""
    stages = list(_read_stages(project.read(path)))
    if not stages:
        return None
    final = _choose_stage(stages, target)
    chain: list[Stage] = [final]
    while (parent := _find_stage(stages[: stages.index(chain[0])], chain[0].base)) is not None:
        chain.insert(0, parent)
    instructions = [instruction for stage in chain for instruction in stage.instructions]
    variables: dict[str, str] = {}
    environment: dict[str, str] = {}
    workdir = "/"
    for name, value in instructions:
        if name in ("ENV", "ARG"):
            read = _read_variables(name, value, variables)
            variables |= read
            environment |= read if name == "ENV" else {}
        elif name == "WORKDIR":
            value = expand(value.strip().strip("\"'"), variables)
            workdir = value if value.startswith("/") else f"{workdir.rstrip('/')}/{value}"

    def last(name: str) -> str:
        return next((value for found, value in reversed(instructions) if found == name), "")

    def all_of(name: str) -> Iterator[str]:
        return (value for found, value in instructions if found == name)

    others = [stage for stage in stages if stage not in chain]
    removed = set(_apt_packages(instructions, variables, ("remove", "purge", "autoremove")))
    installed = list(_apt_packages(instructions, variables))
    foreign = set(_foreign_packages(instructions, variables))
    early = [package for stage in others for package in _apt_packages(stage.instructions, variables)]
    bases = [stage.base for stage in [*chain, *others] if _find_stage(stages, stage.base) is None]
    python = next((match[1] for base in bases if (match := PYTHON.search(base))), None)
    return Image(
        path,
        chain[0].base,
        python,
        last("ENTRYPOINT"),
        last("CMD"),
        tuple(port for value in all_of("EXPOSE") for port in expand(value, variables).split()),
        last("HEALTHCHECK"),
        variables,
        environment,
        workdir,
        tuple(volume for value in all_of("VOLUME") for volume in _read_list(expand(value, variables))),
        tuple(
            source
            for stage in stages
            if not OTHER_LANGUAGE.search(_find_base(stages, stage))
            for source, _ in _read_copies(stage.instructions, variables)
        ),
        {
            destination: source
            for source, destination in _read_copies(instructions, variables)
            if not destination.endswith(("/", "."))
        },
        tuple(package for package in installed if package not in removed and package not in foreign),
        (*early, *(package for package in installed if package in removed)),
        tuple(sorted(foreign)),
        any(re.search(r"\bnode:|/node\b", stage.base) for stage in stages)
        or any(
            re.search(r"\b(npm|yarn|pnpm|bun)\s+(ci|install|run|build)", v) for s in stages for _, v in s.instructions
        ),
        tuple(
            OPTIONS.sub("", value)
            for stage in stages
            if stage in chain or not DEVELOPMENT.search(stage.name.lower())
            for name, value in stage.instructions
            if name == "RUN"
        ),
        expand(last("STOPSIGNAL").strip(), variables),
        tuple(
            _read_node_stage(stages, position)
            for position, stage in enumerate(stages)
            if re.search(r"(^|/)(node|bun)\b", _find_base(stages, stage))
        ),
        tuple(
            found
            for stage in stages
            if not OTHER_LANGUAGE.search(_find_base(stages, stage))
            for found in _read_from_stages(stage, variables)
        ),
    )


def _read_folder(instructions: Iterable[tuple[str, str]], variables: dict[str, str]) -> str:
    """Return the folder that the last WORKDIR sets."""
    folder = "/"
    for name, value in instructions:
        if name == "WORKDIR":
            value = expand(value.strip().strip("\"'"), variables)
            folder = value if value.startswith("/") else f"{folder.rstrip('/')}/{value}"
    return folder


def _read_node_stage(stages: list[Stage], position: int) -> NodeStage:
    """Read a stage together with those that it extends."""
    chain = [stages[position]]
    while (parent := _find_stage(stages[: stages.index(chain[0])], chain[0].base)) is not None:
        chain.insert(0, parent)
    stage = Stage(stages[position].name, chain[0].base, [found for part in chain for found in part.instructions])
    variables: dict[str, str] = {}
    for name, value in stage.instructions:
        if name in ("ENV", "ARG"):
            variables |= _read_variables(name, value, variables)
    return NodeStage(
        stage.name or str(position),
        _read_folder(stage.instructions, variables),
        tuple(_read_copies(stage.instructions, variables)),
        tuple(OPTIONS.sub("", value) for name, value in stage.instructions if name == "RUN"),
    )


def _read_from_stages(stage: Stage, variables: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield what COPY takes of other stages: the stage, the source, and the absolute destination."""
    folder = _read_folder(stage.instructions, variables)
    for name, value in stage.instructions:
        match = re.search(r"--from=(\S+)", value) if name == "COPY" else None
        if match:
            value = expand(value, variables)
            words = _read_list(" ".join(word for word in value.split() if not word.startswith("--")))
            for source in words[:-1]:
                place = words[-1] if words[-1].startswith("/") else f"{folder.rstrip('/')}/{words[-1]}"
                yield match[1], source, place


def _read_stages(text: str) -> Iterator[Stage]:
    parser = DockerfileParser(fileobj=io.StringIO(_without_heredocs(text)))
    arguments: dict[str, str] = {}
    stage: Stage | None = None
    for found in parser.structure:
        name, value = found["instruction"], " ".join(str(found["value"]).split())
        if name == "FROM":
            if stage:
                yield stage
            words = [word for word in expand(value, arguments).split() if not word.startswith("--")]
            stage = Stage(words[2] if len(words) > 2 else "", words[0] if words else "")
        elif stage is None and name == "ARG":
            arguments |= _read_variables(name, value, arguments)
        elif stage is not None and name != "COMMENT":
            stage.instructions.append((name, value))
    if stage:
        yield stage


def _without_heredocs(text: str) -> str:
    """Put the lines of a here-document of RUN behind the instruction; leave out those of COPY."""
    lines: list[str] = []
    end = ""
    for line in text.splitlines():
        if end:
            if line.strip() == end:
                end = ""
                continue
            if lines[-1].lstrip().upper().startswith("RUN"):
                command = re.sub(r"(^|\s)#.*", "", line).strip()
                lines[-1] += f" ; {command}" if command else ""
            continue
        match = re.search(r"^\s*(RUN|COPY|ADD)\b.*<<-?\s*['\"]?(\w+)['\"]?", line, re.IGNORECASE)
        if match:
            end = match[2]
            line = re.sub(r"<<-?\s*['\"]?\w+['\"]?", "", line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def _choose_stage(stages: list[Stage], target: str | None) -> Stage:
    """Return the stage of production: the target, or the last one whose name is not of development."""
    if target and (found := _find_stage(stages, target)):
        return found
    production = [stage for stage in stages if not DEVELOPMENT.search(stage.name.lower())]
    return (production or stages)[-1]


def _find_stage(stages: list[Stage], name: str) -> Stage | None:
    return next((stage for stage in stages if stage.name and stage.name.lower() == name.lower()), None)


def _find_base(stages: list[Stage], stage: Stage) -> str:
    """Return the image that a stage extends, directly or through other stages."""
    seen = {stage.name}
    while (parent := _find_stage(stages, stage.base)) is not None and parent.name not in seen:
        stage = parent
        seen.add(stage.name)
    return stage.base


def _read_variables(instruction: str, value: str, known: dict[str, str]) -> dict[str, str]:
    if instruction == "ENV" and "=" not in value.split(" ", 1)[0]:
        name, _, content = value.partition(" ")
        return {name: expand(content.strip(), known)}
    found = {}
    for match in re.finditer(r"([A-Za-z_]\w*)=(\"(?:[^\"\\]|\\.)*\"|'[^']*'|\S*)", value):
        found[match[1]] = expand(match[2].strip("\"'"), known)
    return found


def _read_list(value: str) -> list[str]:
    try:
        return [str(item) for item in json.loads(value)] if value.startswith("[") else value.split()
    except ValueError:
        return []


def _read_copies(instructions: Iterable[tuple[str, str]], variables: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the paths that are copied from the build context, and where to."""
    for name, value in instructions:
        if name in ("COPY", "ADD") and "--from" not in value:
            value = expand(value, variables)
            words = _read_list(" ".join(word for word in value.split() if not word.startswith("--")))
            yield from ((word.strip("\"'"), words[-1].strip("\"'")) for word in words[:-1])


def _apt_packages(
    instructions: Iterable[tuple[str, str]], variables: dict[str, str], actions: tuple[str, ...] = ("install",)
) -> Iterator[str]:
    """Yield the packages of the commands of apt; `actions` may also be those that remove packages."""
    for name, value in instructions:
        if name != "RUN":
            continue
        known = dict(variables)
        value = re.sub(r"`\s*#[^`]*`", "", OPTIONS.sub("", value))
        for words in split_shell(re.sub(r"\s#.*", "", value)):
            while words and (match := re.fullmatch(r"([A-Za-z_]\w*)=(.*)", words[0], re.DOTALL)):
                known[match[1]] = match[2]
                words.pop(0)
            words = words[1:] if words[:1] == ["sudo"] else words
            action = next((word for word in words if word in actions), None)
            if words and words[0].rsplit("/", 1)[-1] in ("apt-get", "apt", "aptitude") and action:
                for word in expand(" ".join(words[words.index(action) + 1 :]), known).split():
                    word = word.partition("=")[0]
                    if re.fullmatch(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+]", word):
                        yield word


def _foreign_packages(instructions: Iterable[tuple[str, str]], variables: dict[str, str]) -> Iterator[str]:
    """Yield the packages that are installed after an instruction has added a repository other than Debian's."""
    for name, value in instructions:
        added = (
            re.search(r"sources\.list\.d|add-apt-repository|/etc/apt/sources\.list\b", value) if name == "RUN" else None
        )
        if added:
            yield from _apt_packages(
                [(name, value[added.end() :].partition(";")[2] or value[added.end() :].partition("&&")[2])], variables
            )
