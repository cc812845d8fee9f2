"""What runs on the source when the image is built: collectstatic, compilemessages and the like."""

import ast
import re
import shlex
from collections.abc import Iterator

from .evidence import Evidence
from .results import Result
from .settings import Settings, has_default, read_name
from .start import CONFIGURATION, Start, inside
from .volumes import FOREIGN
from .words import ASSIGNMENT, expand, split_shell, unwrap
from .words import Command as Words

STEPS = {"collectstatic", "compilemessages", "compress", "compilescss", "compilejsi18n"}
PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
PLACE = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
# The word before a step of a program that is not manage.py.
OTHER_STEPS = re.compile(r"\b(pybabel compile|assets build|translate compile|digest compile)\b")


def find_build(evidence: Evidence, start: Start, settings: Settings) -> Result:
    """Find build_commands, with dummies for the secrets that the settings need."""
    result = Result()
    image = evidence.image
    texts = [(text, image.path) for text in (image.commands if image else ()) if image]
    texts += [(shlex.join(words), "the old start script") for words in start.before]
    texts += [(text, f"{name} in Procfile") for name, text in evidence.procfile.items()]
    texts += [(str(service.command), service.file) for service in evidence.built if isinstance(service.command, str)]
    found: dict[str, str] = {}
    for text, where in texts:
        for command in _steps(evidence, text):
            found.setdefault(command, where)
    if not any("collectstatic" in command for command in found):
        command = _collectstatic(evidence, settings)
        if command:
            found = {command: "STATIC_ROOT in the settings", **found}
    if _is_remote(settings) and any("collectstatic" in command for command in found):
        found = {command: where for command, where in found.items() if "collectstatic" not in command}
        result.do_by_hand(
            "build-step", "The settings store static files elsewhere: run collectstatic where it may write there."
        )
    commands = _unique(found)
    before = [
        *_renamed_files(evidence),
        *(f"sed -i s:{old}:/app:g {path}" for path, old in find_places(evidence, start)),
    ]
    found = dict.fromkeys(before, image.path if image else "") | found
    commands = [*before, *commands]
    if not commands:
        return result
    written = []
    for command in commands:
        needed = _dummies(settings, command) if _is_django(command) else ""
        written.append(f"{needed} {command}".strip())
    places = list(dict.fromkeys(found[command] for command in commands))
    result.answer("build_commands", " && ".join(written), f"found in {', '.join(places)}")
    if any("compilemessages" in command for command in commands):
        result.answer("build_packages", "gettext", "compilemessages")
    root = settings.path_of("STATIC_ROOT")
    is_outside = root and any("collectstatic" in command for command in commands) and not root.startswith("/app/")
    if root and is_outside and FOREIGN.match(root):
        result.do_by_hand("build-step", f"STATIC_ROOT is {root}, which cannot be: set it to a folder in /app.")
    elif root and is_outside:
        result.answer("build_outputs", root, "STATIC_ROOT in the settings")
    return result


def _renamed_files(evidence: Evidence) -> Iterator[str]:
    """Yield commands for files that the old image has below another folder of the app than the project has."""
    image = evidence.image
    workdir = image.workdir.rstrip("/") if image else ""
    for destination, source in image.renamed.items() if image else ():
        place = destination.removeprefix(f"{workdir}/").removeprefix("./")
        source = source.removeprefix("./")
        is_data = evidence.project.has(source) and not source.endswith((".py", ".sh", ".txt", ".toml", ".lock"))
        is_inside = bool(place.partition("/")[2]) and place.partition("/")[0] in evidence.project.folders
        if is_data and is_inside and place != source and PATH.fullmatch(place) and PATH.fullmatch(source):
            yield f"install -D --mode=644 {source} {place}"


def find_places(evidence: Evidence, start: Start) -> Iterator[tuple[str, str]]:
    """Yield the files of the start command's configuration that name the folder of the old image, and that folder.

    Only files where each mention is of this folder or of what is in it: a command can replace it.
    """
    workdir = evidence.image.workdir.rstrip("/") if evidence.image else ""
    if workdir.count("/") < 1 or workdir == "/app" or not PLACE.fullmatch(workdir):
        return
    for path in start.command.split():
        text = evidence.project.read(path) if CONFIGURATION.search(path) and PATH.fullmatch(path) else ""
        whole = re.findall(rf"(?<![\w./-]){re.escape(workdir)}(?![\w.-])", text)
        if whole and len(whole) == text.count(workdir):
            yield path, workdir


def _is_django(command: str) -> bool:
    return bool(re.search(r"manage\.py|django-admin|python -m django", command))


def _steps(evidence: Evidence, text: str) -> Iterator[str]:
    """Yield the build steps among the commands of a line of shell, with the variables set for them."""
    image_variables = evidence.image.variables if evidence.image else {}
    exported: list[tuple[str, str]] = []
    for words in split_shell(text):
        while words and words[0] in ("then", "do", "else", "if", "!", "export"):
            if words.pop(0) == "export":
                exported += [tuple(word.split("=", 1)) for word in words if ASSIGNMENT.fullmatch(word)]  # type: ignore[misc]
        words = [expand(word, image_variables) for word in words]
        command = unwrap(Words(tuple(words)), image_variables)
        for inner in (*command.before, command.words):
            line = list(inner)
            if not _is_step(line):
                continue
            if line[0].endswith("manage.py"):
                line = ["python", *line]
            if re.fullmatch(r"(.*/)?python[\d.]*", line[0]):
                line[0] = "python"
            line = [inside(word, evidence) for word in line]
            line = [_find_manage(evidence, word) for word in line]
            if "collectstatic" in line and not {"--noinput", "--no-input"} & set(line):
                line.append("--noinput")
            prefix = [
                f"{name}={shlex.quote(value)}"
                for name, value in dict([*exported, *command.variables]).items()
                if "$" not in value
            ]
            line = [word for word in line if "$" not in word]
            yield " ".join([*prefix, shlex.join(line)])


def _is_step(words: list[str]) -> bool:
    if len(words) < 2:
        return False
    program = words[0].rsplit("/", 1)[-1]
    if program in ("manage.py", "django-admin") or any(word.endswith("manage.py") for word in words[1:2]):
        return bool(STEPS & set(words[1:3])) and "--dry-run" not in words
    if "django" in words[1:3] and words[1] == "-m":
        return bool(STEPS & set(words[3:4]))
    return bool(OTHER_STEPS.search(" ".join(words))) and program in ("pybabel", "flask", "python", "python3")


def _find_manage(evidence: Evidence, word: str) -> str:
    """Return where manage.py is, for a command that was run in its folder."""
    if word == "manage.py" and not evidence.project.has(word):
        return next(iter(evidence.project.find_named("manage.py")), word)
    return word


def _collectstatic(evidence: Evidence, settings: Settings) -> str:
    """Return the command that collects static files, if the settings say where to."""
    manage = next(iter(evidence.project.find_named("manage.py")), "")
    has_app = "django.contrib.staticfiles" in evidence.source.strings
    root = settings.path_of("STATIC_ROOT")
    if root and evidence.project.has(f"{root.removeprefix('/app/')}/staticfiles.json"):
        return ""  # the project has what it collects
    if manage and has_app and settings.find("STATIC_ROOT"):
        return f"python {manage} collectstatic --noinput"
    return ""


def _is_remote(settings: Settings) -> bool:
    """Return whether static files are stored in another service."""
    found = [settings.find_plain(name) for name in ("STATICFILES_STORAGE", "STORAGES")]
    text = " ".join(ast.unparse(item[1]) for item in found if item)
    return bool(re.search(r"(?:staticfiles['\"]\s*:\s*\{[^}]*|^')[^'\"]*(s3|S3|gcloud|azure|GoogleCloud|Azure)", text))


def _unique(found: dict[str, str]) -> list[str]:
    """Return one command for each step: the first, which is of the Dockerfile if it has one."""
    kept: dict[str, str] = {}
    for command in found:
        step = next((name for name in (*sorted(STEPS), "compile", "build") if name in command.split()), command)
        kept.setdefault(step, command)
    return list(kept.values())


def _dummies(settings: Settings, command: str) -> str:
    """Return assignments for the variables that the settings read without a default."""
    found: dict[str, str] = {}
    declared = set(re.findall(r"^\s*([A-Z][A-Z0-9_]*)=\(", settings.text, re.MULTILINE))  # environ.Env(DEBUG=(bool, …))
    for _, tree in settings.trees:
        for node in _always(tree.body):
            if isinstance(node, ast.ClassDef) and any("BaseSettings" in ast.unparse(base) for base in node.bases):
                found |= {name: _dummy(name, kind) for name, kind in _required_fields(node)}
            name = read_name(node)
            if not name or name in declared:
                continue
            if not has_default(node):
                kind = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
                cast = ast.unparse(node) if isinstance(node, ast.Call) else ""
                found.setdefault(name, _dummy(name, "int" if "cast=int" in cast or "cast=bool" in cast else kind))
            elif name == "SECRET_KEY" and _default_is_empty(node):
                found.setdefault(name, "build")
    set_here = set(settings.variables)
    set_here |= set(re.findall(r"(?:^|\s)([A-Z][A-Z0-9_]*)=", command))
    return " ".join(f"{name}={value}" for name, value in found.items() if name not in set_here)


def _always(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the nodes of a module that run in any case, or outside of debugging."""
    for statement in body:
        if isinstance(statement, ast.If):
            test = ast.unparse(statement.test)
            yield from _walk(statement.test)
            if test == "not DEBUG":
                yield from _always(statement.body)
            elif test == "DEBUG":
                yield from _always(statement.orelse)
        elif isinstance(statement, ast.Try | ast.With):
            yield from _always(statement.body)
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _walk(statement)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and those in it, without what only a condition lets run."""
    yield node
    for inner in [node.test] if isinstance(node, ast.IfExp) else ast.iter_child_nodes(node):
        yield from _walk(inner)


def _default_is_empty(node: ast.AST) -> bool:
    """Return whether a variable is read by os.environ.get(NAME) or with an empty default."""
    return isinstance(node, ast.Call) and (
        len(node.args) + len(node.keywords) == 1
        or any(isinstance(value, ast.Constant) and value.value in ("", None) for value in node.args[1:])
    )


def _required_fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield the variables that a class of pydantic-settings needs, and their types."""
    prefix = re.search(r"env_prefix\s*=\s*['\"](\w*)['\"]", ast.unparse(node))
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign) or statement.value is not None:
            continue
        kind = ast.unparse(statement.annotation)
        if isinstance(statement.target, ast.Name) and "ClassVar" not in kind:
            yield f"{prefix[1] if prefix else ''}{statement.target.id}".upper(), kind


def _dummy(name: str, kind: str) -> str:
    """Return a value for a variable that only has to be there."""
    if kind in ("int", "bool", "float") or name.endswith(("_PORT", "_TIMEOUT")) or name in ("PORT", "DEBUG"):
        return "0" if name == "DEBUG" or kind == "bool" else "1"
    if kind in ("db", "db_url", "dj_db_url") or name.endswith("DATABASE_URL"):
        return "sqlite://"
    if kind in ("json", "dict"):
        return "{}"
    if kind in ("cache", "cache_url"):
        return "locmemcache://"
    if name.endswith(("REDIS_URL", "BROKER_URL")):
        return "redis://localhost"
    return "http://localhost" if name.endswith("_URL") else "build"
