"""The assets that Node builds."""

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .dockerfile import Image, NodeStage
from .evidence import Evidence
from .project import Project
from .results import Result

LOCKS = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
DEFAULT_COMMAND = "npm run build"
RUN = re.compile(r"\b(npm|pnpm|yarn|bun)\s+(?:--\S+\s+)*(?:(run|run-script)\s+)?([\w:.-]+)((?:\s+--?[\w:=./-]+)*)")
# Words after a package manager that are no scripts.
ACTIONS = {
    "install", "ci", "i", "add", "config", "set", "cache", "global", "version", "update", "upgrade", "prune", "audit",
    "fetch", "link", "exec", "dlx", "x", "--version", "-v", "enable", "prepare", "corepack", "start", "test",
    "workspaces", "workspace", "policies", "store", "run", "npm", "yarn", "pnpm", "rebuild",
}  # fmt: skip
CONFIGURATION = re.compile(
    r"([\w.-]+\.config\.(js|cjs|mjs|ts|mts|json)|tsconfig[\w.-]*\.json|jsconfig\.json|babel\.config\.\w+|webpack[\w.-]*\.js"
    r"|gulpfile[\w.-]*\.(js|mjs|ts)|rollup[\w.-]*\.js|build\.m?js|esbuild[\w.-]*\.m?js|components\.json|bunfig\.toml"
    r"|pnpm-workspace\.yaml|angular\.json)"
)
NOT_SOURCES = re.compile(
    r"package\.json|README.*|LICENSE.*|CHANGELOG.*|Dockerfile.*|.*\.md|.*lock.*|pnpm-lock\.yaml|test|tests|e2e|cypress"
    r"|docs?|coverage|node_modules|dist|vitest\.config\.\w+|jest\.config\.\w+|playwright\.config\.\w+|eslint\.config\.\w+"
    r"|cypress\.config\.\w+|.*\.nix|docker-compose.*|nginx.*|stories|storybook",
    re.IGNORECASE,
)
HIDDEN = (
    ".babelrc", ".postcssrc", ".postcssrc.json", ".browserslistrc", ".swcrc", ".parcelrc", ".npmrc", ".yarnrc.yml",
)  # fmt: skip
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class Node:
    """A package.json: its folder ("" at the top), its lock, its scripts, and whether it has Tailwind or Vite."""

    folder: str
    lock: str
    scripts: dict[str, str]
    packages: frozenset[str]

    def path(self, name: str) -> str:
        """Return the path in the project of a path in the folder, "" if it is outside of the project."""
        found = posixpath.normpath(posixpath.join(self.folder, name)) if name else self.folder
        return "" if found.startswith(("..", "/")) or found == "." else found


def find_assets(evidence: Evidence) -> Result:
    """Find assets_lock, assets_files, assets_command and assets_output."""
    result = Result()
    project, image = evidence.project, evidence.image
    if image and not image.has_node:
        return result
    node = _find_node(project, image)
    if node is None:
        if image and image.has_node:
            result.do_by_hand(
                "assets", "Build the assets with Node before the image, or in a stage that you add to the Dockerfile."
            )
        return result
    script, command = _find_command(node, image)
    if script not in node.scripts:
        if image:
            result.do_by_hand("assets", f"{node.path('package.json')} has no script {script}, which builds the assets.")
        return result
    if not node.lock:
        name = node.path("package.json")
        result.do_by_hand(
            "assets",
            f"{name} has no lock file beside it: run npm install, commit package-lock.json, and run this again.",
        )
        return result
    outputs = list(dict.fromkeys(_copied_outputs(node, image, result.moved) if image else ()))
    outputs = outputs or list(dict.fromkeys(_written(project, node, node.scripts[script])))
    if not image and outputs and all(_is_there(project, path) for path in outputs):
        return result  # built assets are committed
    hidden = [name for name in HIDDEN if project.has(posixpath.join(node.folder, name))]
    if hidden:
        result.do_by_hand(
            "assets",
            f"The build context has no file whose name starts with a dot: rename {', '.join(hidden)}, or do without.",
        )
    sources = _copied_sources(project, node, image) if image else []
    if not sources:
        sources = find_sources(project, node, script, outputs)
        if not node.folder:
            result.unknown.append(f"assets_files: whether `{command}` reads other files")
    where = image.path if image else f"the script {script} in {node.path('package.json')}"
    result.answer("assets_lock", node.path(node.lock), f"{where} builds assets")
    if sources != [node.folder]:  # the template's default
        result.answer("assets_files", " ".join(sources), "the sources and the configuration of the assets")
    if command != DEFAULT_COMMAND:
        result.answer("assets_command", command, where)
    if outputs:
        result.answer("assets_output", " ".join(outputs), where)
    else:
        result.do_by_hand("assets", f"Name with --data assets_output=PATH what `{command}` writes.")
    return result


def _find_node(project: Project, image: Image | None) -> Node | None:
    """Return the package.json that builds the assets: the old Dockerfile copies it, or it is nearest to the top."""
    found = []
    for path in project.find_named("package.json", depth=4):
        folder = posixpath.dirname(path)
        try:
            content = json.loads(project.read(path))
        except ValueError:
            continue
        scripts = content.get("scripts") if isinstance(content, dict) else None
        scripts = {str(k): str(v) for k, v in scripts.items()} if isinstance(scripts, dict) else {}
        packages = frozenset(
            str(name)
            for key in ("dependencies", "devDependencies")
            for name in (content.get(key) or {} if isinstance(content, dict) else {})
        )
        lock = next((name for name in LOCKS if project.has(posixpath.join(folder, name))), "")
        found.append(Node(folder, lock, scripts, packages))
    copied = (
        {source.removeprefix("./").rstrip("/") for stage in image.node_stages for source, _ in stage.copied}
        if image
        else set()
    )

    def rank(node: Node) -> tuple[bool, bool, bool, int, str]:
        is_copied = any(
            name in copied for name in (node.path("package.json"), node.folder or ".", f"{node.folder}/package*.json")
        )
        return (
            not is_copied,
            not any("build" in name for name in node.scripts),
            not node.lock,
            node.folder.count("/"),
            node.folder,
        )

    if not found:
        return None
    best = min(found, key=rank)
    if image is None and "build" not in best.scripts:
        return None
    return best


def _find_command(node: Node, image: Image | None) -> tuple[str, str]:
    """Return the script that builds the assets, and the command that runs it."""
    manager = LOCKS.get(node.lock, "npm")
    texts: list[str] = []
    if image:
        texts = [text for stage in image.node_stages for text in stage.commands]
        texts += list(image.commands)
    for text in texts:
        for match in RUN.finditer(text):
            script = match[3]
            if script in node.scripts and (match[2] or script not in ACTIONS):
                options = re.sub(r"\s--prefix[=\s]\S+", "", match[4]).rstrip()
                return script, f"{match[1]} run {script}{options}"
    return "build", f"{manager} run build"


def _builds(node: Node, stage: NodeStage) -> bool:
    """Return whether a stage runs a script of package.json."""
    return any(match[3] in node.scripts for text in stage.commands for match in RUN.finditer(text))


def _copied_outputs(node: Node, image: Image, moved: dict[str, str]) -> Iterator[str]:
    """Yield the paths in the project of what the old image copies from its Node stages; fill in what `moved`."""
    workdir = image.workdir.rstrip("/")
    building = [stage for stage in image.node_stages if _builds(node, stage)] or list(image.node_stages)
    for name, source, destination in image.from_stages:
        stage = next((stage for stage in building if stage.name.lower() == name.lower()), None)
        if stage is None or re.match(r"/usr/(local|lib|bin)/|.*node_modules", source):
            continue
        base, folder = _home(node, stage.folder, stage.copied)
        source = source if source.startswith("/") else f"/{source}"
        source = source.rstrip("/.").rstrip("*").rstrip("/")
        inner = posixpath.relpath(source, base)
        path = posixpath.normpath(posixpath.join(folder, inner))
        if inner == "." or path.startswith("..") or not NAME.fullmatch(path):
            continue
        yield path
        place = destination.rstrip("/")
        if destination.endswith("/") and "." in posixpath.basename(source):
            place = f"{place}/{posixpath.basename(source)}"
        expected = place.removeprefix(f"{workdir}/") if workdir else place.lstrip("/")
        if expected != path and place not in (f"{workdir}/{path}", workdir):
            moved[place] = f"/app/{path}"


def _home(node: Node, workdir: str, copied: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """Return a folder of the Node stage, and the folder of the project that it stands for."""
    for source, destination in copied:
        source = source.removeprefix("./").rstrip("/")
        place = destination if destination.startswith("/") else posixpath.join(workdir, destination)
        place = posixpath.normpath(place.rstrip("/") or "/")
        is_package = posixpath.basename(source) in ("package.json", "package*.json", "package-lock.json")
        if is_package and posixpath.dirname(source) == node.folder:
            return (posixpath.dirname(place) if place.endswith(".json") else place), node.folder
        if source == node.folder and node.folder:
            return place, node.folder
        if source in (".", ""):
            return place, ""
    return workdir, node.folder


def _is_there(project: Project, path: str) -> bool:
    return project.has(path) or path in project.folders


def _expanded(node: Node, text: str, depth: int = 0) -> str:
    """Return the text of a script with the scripts that it runs."""
    more = [text]
    text = re.sub(r"[\"'{}@]", "", text)
    for match in re.finditer(
        r"(?:npm run|pnpm(?: run)?|yarn(?: run)?|bun run|run-[sp]|npm-run-all\S*)\s+([\w:*\s-]+)", text
    ):
        for name in match[1].split():
            for script, inner in node.scripts.items():
                is_named = script == name or (name.endswith("*") and script.startswith(name[:-1]))
                if is_named and inner != text and depth < 4:
                    more.append(_expanded(node, inner, depth + 1))
    return " && ".join(more)


def _configurations(project: Project, node: Node) -> list[str]:
    """Return the configuration files beside package.json."""
    return [
        path
        for path in project.files
        if posixpath.dirname(path) == node.folder
        and CONFIGURATION.fullmatch(posixpath.basename(path))
        and not NOT_SOURCES.fullmatch(posixpath.basename(path))
    ]


def _written(project: Project, node: Node, script: str) -> Iterator[str]:
    """Yield what a script writes, as its options and the configuration files name it."""
    text = _expanded(node, script)
    option = (
        r"(?:\s-o|--output|--outdir|--outDir|--out-dir|--dist-dir|--outfile|--output-path|-d)[=\s]+['\"]?([\w./-]+)"
    )
    outputs = re.findall(option, text)
    outputs += re.findall(r"\bsass\b[^&|;]*?\s[\w./-]+:([\w./-]+)", text)
    outputs += re.findall(r"\bsass\s+(?:--\S+\s+)*[\w./-]+\.scss\s+([\w./-]+\.css)", text)
    is_vite = bool(re.search(r"\bvite\b.*\bbuild\b", text))
    for path in _configurations(project, node) if not outputs else ():
        name = posixpath.basename(path)
        content = re.sub(r"^\s*//.*$", "", project.read(path), flags=re.MULTILINE)
        is_used = (name.startswith("vite") and is_vite) or not name.startswith(("vite", "tsconfig"))
        if not is_used:
            continue
        root = re.search(r"\broot:\s*(?:[\w.]+\([^'\")]*)?['\"]([\w./-]+)['\"]", content) if is_vite else None
        for match in re.finditer(
            r"\b(?:outDir|outdir|outfile)\s*:\s*(?:[\w.]+\((?:__dirname|import\.meta\.dirname|process\.cwd\(\))?,?\s*)?"
            r"((?:['\"][^'\"]+['\"][,\s]*)+)",
            content,
        ):
            joined = posixpath.join(*re.findall(r"['\"]([^'\"]+)['\"]", match[1]))
            outputs.append(posixpath.join(root[1] if root else "", joined))
        if "webpack" in name:
            for match in re.finditer(
                r"\bpath\s*:\s*(?:path\.)?(?:resolve|join)\(\s*(?:__dirname|process\.cwd\(\))\s*,\s*((?:['\"][^'\"]+['\"][,\s]*)+)",
                content,
            ):
                outputs.append(posixpath.join(*re.findall(r"['\"]([^'\"]+)['\"]", match[1])))
    if not outputs:
        outputs += ["dist"] if is_vite or "vue-cli-service build" in text else []
        outputs += ["build"] if "react-scripts build" in text else []
    for output in outputs:
        path = node.path(output)
        if path and NAME.fullmatch(path):
            yield path


def _copied_sources(project: Project, node: Node, image: Image) -> list[str]:
    """Return what the Node stage of the old Dockerfile copies one by one, beside package.json; [] if it copies all."""
    found: list[str] = []
    for stage in image.node_stages:
        for source, _ in stage.copied if _builds(node, stage) else ():
            path = source.removeprefix("./").rstrip("/")
            if path in ("", ".", node.folder):
                return []
            is_package = re.fullmatch(r"package.*\.json|.*lock.*|\.npmrc|\.yarn.*", posixpath.basename(path))
            if not is_package and NAME.fullmatch(path) and _is_there(project, path):
                found.append(path)
    return list(dict.fromkeys(found))


def find_sources(project: Project, node: Node, script: str, outputs: list[str]) -> list[str]:
    """Return what the assets are built from, beside package.json and the lock."""
    found: list[str] = []
    if node.folder:
        found.append(node.folder)  # all of it: nothing tells what the tools read
    else:
        found += _configurations(project, node)
        is_vite = "vite" in node.packages
        found += [name for name in ("index.html",) if is_vite and project.has(name)]
    texts = [_expanded(node, node.scripts[script]), *(project.read(path) for path in _configurations(project, node))]
    for text in texts:
        for word in re.findall(r"[\w@./*{},-]+", text):
            found += _source(project, node, word)
    if "tailwindcss" in node.packages:
        found += _templates(project)
    if not node.folder and not [path for path in found if path in project.folders]:
        found += [name for name in ("src", "assets", "frontend", "static_src") if name in project.folders]
    outside = tuple(f"{path}/" for path in outputs)
    found = [path for path in dict.fromkeys(found) if path not in outputs and not path.startswith(outside)]
    found = [path for path in found if NAME.fullmatch(path)]
    return [path for path in found if not any(path.startswith(f"{other}/") for other in found)]


def _source(project: Project, node: Node, word: str) -> Iterator[str]:
    """Yield the file or folder of the project that a word of a script or a configuration file names."""
    if "/" not in word and not re.search(r"\.(js|ts|jsx|tsx|css|scss|sass|less|mjs|cjs)$", word):
        return
    base = re.split(r"[*{]", word)[0]
    path = node.path(base.rstrip("/")) if base.strip("./") else ""
    if path and base != word and not base.endswith("/"):
        path = posixpath.dirname(path)
    if not path or "node_modules" in path or path == node.folder:
        return
    if project.has(path):
        folder = posixpath.dirname(path)
        if folder and folder != node.folder and not path.endswith((".json", ".py")):
            path = _widest(project, folder)
        yield path
    elif path in project.folders:
        yield path


def _widest(project: Project, folder: str) -> str:
    """Return the folder of sources that contains another one: the widest without Python files."""
    best = folder
    while folder:
        if any(path.startswith(f"{folder}/") and path.endswith(".py") for path in project.files):
            break
        best, folder = folder, posixpath.dirname(folder)
    return best


def _templates(project: Project) -> list[str]:
    """Return the folders of templates, whose classes Tailwind looks for."""
    found = []
    for path in project.files:
        parts = path.split("/")
        if "templates" in parts[:-1]:
            found.append("/".join(parts[: parts.index("templates") + 1]))
    return list(dict.fromkeys(folder for folder in found if not folder.startswith(("tests/", "docs/"))))
