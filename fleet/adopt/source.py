"""What the source code defines: applications, their routes, Celery apps, and modules that run."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .project import Project

# Classes of web frameworks: the framework and its interface.
CLASSES = {
    "FastAPI": ("FastAPI", "asgi"), "Starlette": ("Starlette", "asgi"), "Litestar": ("Litestar", "asgi"),
    "Quart": ("Quart", "asgi"), "Flask": ("Flask", "wsgi"), "Bottle": ("Bottle", "wsgi"), "APIFlask": ("Flask", "wsgi"),
    "OpenAPI": ("Flask", "wsgi"), "Dash": ("Dash", "dash"), "Sanic": ("Sanic", "python"),
    "get_wsgi_application": ("Django", "wsgi"), "get_asgi_application": ("Django", "asgi"),
    "make_wsgi_app": ("Pyramid", "wsgi"), "ProtocolTypeRouter": ("Django", "asgi"),
}  # fmt: skip
FACTORY = re.compile(
    r"(create|make|get|build|init|configure)_?(\w*_)?(app|application|server|api)|(app|application)_factory"
)
HEALTH = re.compile(
    r"_*(health|healthz|healthcheck|health-check|health_check|health-status|livez|live|liveness|alive|readyz|ready"
    r"|readiness|status|ping|up|heartbeat|lbheartbeat|check)_*"
)
# In the order of preference.
HEALTH_NAMES = (
    "livez",
    "healthz",
    "health",
    "healthcheck",
    "health-check",
    "health_check",
    "live",
    "liveness",
    "alive",
)
# The functions that define routes, or include the routes of another module.
INCLUDING = {"include_router", "register_blueprint", "mount"}
DJANGO = {"path", "re_path", "url"}
ROUTES = {"get", "route", "api_route", "Route", "add_url_rule", "add_api_route", "add_get", "add_route"}
ROUTING = INCLUDING | DJANGO | ROUTES
HEARTBEAT = re.compile(r"/[\w./-]*(alive|heartbeat|healthy|liveness)[\w.-]*")


@dataclass(frozen=True)
class Application:
    """A WSGI or ASGI object, or a function that returns one (`is_factory`).

    `root` is the folder that must be on Python's path; `interface` is wsgi, asgi, dash or python.
    """

    framework: str
    interface: str
    path: str
    root: str
    module: str
    name: str
    is_factory: bool

    @property
    def target(self) -> str:
        return f"{self.module}:{self.name}"


@dataclass(frozen=True)
class Source:
    """What the Python files of a project define. Paths are of files in the project."""

    applications: tuple[Application, ...]
    routes: tuple[tuple[str, str], ...]  # path of the URL, file
    celery: tuple[tuple[str, str, str], ...]  # module, name, file
    runnable: tuple[str, ...]  # files with `if __name__ == "__main__"`, or named __main__.py
    heartbeats: tuple[tuple[str, str], ...]  # path, file
    constants: dict[str, str]  # module-level strings by name, if there is one value
    imports: frozenset[str]  # top-level names of imported modules
    strings: frozenset[str]  # short strings


def read_source(project: Project) -> Source:
    """Read all Python files that may belong to the service."""
    trees = {path: tree for path in project.sources if (tree := project.parse(path)) is not None}
    functions = {name: made for path, tree in trees.items() for name, made in _factories(tree)}
    constants: dict[str, set[str]] = {}
    imports: set[str] = set()
    strings: set[str] = set()
    applications: list[Application] = []
    celery: list[tuple[str, str, str]] = []
    runnable: list[str] = []
    heartbeats: list[tuple[str, str]] = []
    for path, tree in trees.items():
        root, module = project.module(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
                strings.add(node.value)
                if HEARTBEAT.fullmatch(node.value) and node.value.startswith(("/tmp", "/var", "/run", "/dev/shm")):
                    heartbeats.append((node.value, path))
            elif isinstance(node, ast.Import):
                imports |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imports.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                for name, value in _assignments(node):
                    text = _string(value)
                    if text is not None:
                        constants.setdefault(name, set()).add(text)
        for statement in _statements(tree.body):
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                for name, value in _assignments(statement):
                    if not isinstance(value, ast.Call):
                        continue
                    called = _called(value)
                    known = CLASSES.get(called) or (functions.get(called) if FACTORY.fullmatch(called) else None)
                    if called == "Celery":
                        celery.append((module, name, path))
                    elif called in ("App", "API") and "falcon" in ast.unparse(tree)[:20000]:
                        interface = "asgi" if "asgi" in ast.unparse(value.func) else "wsgi"
                        applications.append(Application("Falcon", interface, path, root, module, name, False))
                    elif known:
                        applications.append(Application(*known, path, root, module, name, False))
            elif isinstance(statement, ast.FunctionDef) and FACTORY.fullmatch(statement.name):
                made = dict(_factories(tree)).get(statement.name)
                arguments = statement.args
                needed = len(arguments.args) - len(arguments.defaults) + arguments.kw_defaults.count(None)
                if made and needed <= 0:
                    applications.append(Application(*made, path, root, module, statement.name, True))
            elif isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
                runnable.append(path)
        if path.endswith("/__main__.py"):
            runnable.append(path)
    return Source(
        tuple(applications),
        tuple(_routes(project, trees, constants)),
        tuple(celery),
        tuple(dict.fromkeys(runnable)),
        tuple(dict.fromkeys(heartbeats)),
        {name: next(iter(values)) for name, values in constants.items() if len(values) == 1},
        frozenset(imports),
        frozenset(strings),
    )


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those in try, with and if too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.Try | ast.With) or (
            isinstance(statement, ast.If) and "__main__" not in ast.unparse(statement.test)
        ):
            yield from _statements(statement.body)
            yield from _statements(getattr(statement, "orelse", []))


def _assignments(node: ast.Assign | ast.AnnAssign) -> Iterator[tuple[str, ast.expr]]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if isinstance(target, ast.Name) and node.value is not None:
            yield target.id, node.value


def _called(call: ast.Call) -> str:
    """Return the last name of what is called: FastAPI of fastapi.FastAPI(…)."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _string(node: ast.expr | None) -> str | None:
    """Return the value of a string, or of Path("…"), or None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def _factories(tree: ast.Module) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the functions that create an application: the name, and the framework with its interface."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and FACTORY.fullmatch(node.name):
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and _called(call) in CLASSES:
                    yield node.name, CLASSES[_called(call)]
                    break


def _imported(project: Project, path: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names that a file imports from modules of the project, and the module of each."""
    package = project.module(path)[1].split(".")
    if not path.endswith("__init__.py"):
        package = package[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *(node.module or "").split(".")]).strip(".")
            for alias in node.names:
                inner = f"{module}.{alias.name}".strip(".")
                yield alias.asname or alias.name, inner if project.find_module(inner) else module
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    yield alias.asname, alias.name


def _guarded(tree: ast.Module) -> Iterator[int]:
    """Yield the ids of the decorators of functions that need a login."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
            re.search(r"(login|admin|permissions?|auth|roles?)_required|requires_(login|auth)", ast.unparse(decorator))
            for decorator in node.decorator_list
        ):
            yield from map(id, node.decorator_list)


def _routes(
    project: Project, trees: dict[str, ast.Module], constants: dict[str, set[str]]
) -> Iterator[tuple[str, str]]:
    """Yield the paths of all routes without parameters, with their prefixes as far as these can be told."""
    routes: list[tuple[str, str, str]] = []  # path, file, name of the router
    own: dict[tuple[str, str], str] = {}  # prefix of a router in its file
    # The prefixes of a module or router, with the file and the router that include it.
    included: dict[str, list[tuple[str, str, str]]] = {}

    def text(node: ast.expr | None) -> str | None:
        found = _string(node)
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        values = constants.get(name, set())
        return found if found is not None else next(iter(values)) if len(values) == 1 else None

    for path, tree in trees.items():
        names = dict(_imported(project, path, tree))
        module_name = project.module(path)[1]
        lists: dict[int, str] = {}  # calls in a list of Django's URLs, and the name of the list
        guarded = set(_guarded(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign):
                for name, value in _assignments(node):
                    if isinstance(value, ast.List) and name != "urlpatterns":
                        lists |= {id(item): name for item in value.elts}
                    if isinstance(value, ast.Call):
                        options = {keyword.arg: keyword.value for keyword in value.keywords}
                        prefix = text(options.get("prefix") or options.get("url_prefix"))
                        if prefix:
                            own[path, name] = prefix
            if not isinstance(node, ast.Call):
                continue
            called, options = _called(node), {keyword.arg: keyword.value for keyword in node.keywords}
            first = _string(node.args[0]) if node.args else _string(options.get("path") or options.get("rule"))
            if called not in ROUTING:
                continue
            router = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            if called in INCLUDING and node.args:
                target = node.args[1] if called == "mount" and len(node.args) > 1 else node.args[0]
                prefix = first if called == "mount" else text(options.get("prefix") or options.get("url_prefix"))
                name, _, rest = ast.unparse(target).partition(".")
                source = names.get(name, f"{module_name}.{name}")
                if rest.count(".") >= 1:
                    source = f"{source}.{rest.rpartition('.')[0]}"
                included.setdefault(source, []).append((prefix or "", path, router))
            elif called in DJANGO and first is not None and len(node.args) > 1:
                url = "/" + re.sub(r"/\?\$?$|\\Z$|\$$|^\^", "", first).replace("\\", "").lstrip("/")
                url += "/" if first.rstrip("$").endswith("/?") else ""
                second = node.args[1]
                if isinstance(second, ast.Call) and _called(second) == "include":
                    argument = second.args[0] if second.args else None
                    module = f"{module_name}.{argument.id}" if isinstance(argument, ast.Name) else _string(argument)
                    if module:
                        above = lists.get(id(node), "")
                        included.setdefault(module, []).append((url.rstrip("/"), path, above))
                elif "admin" in ast.unparse(second) and ast.unparse(second).endswith("site.urls"):
                    routes.append((f"{url.rstrip('/')}/login/", path, lists.get(id(node), "")))
                else:
                    routes.append((url, path, lists.get(id(node), "")))
            elif called == "add_route" and len(node.args) > 1 and (second_text := _string(node.args[1])):
                routes.append((second_text if second_text.startswith("/") else first or "", path, router))
            elif called in ROUTES and first is not None and first.startswith("/") and id(node) not in guarded:
                methods = options.get("methods")
                if methods is None or "GET" in ast.unparse(methods):
                    routes.append((first, path, router))

    def prefixes(path: str, router: str, depth: int = 0) -> list[str]:
        """Return what stands before the routes of a router, with its own prefix."""
        module = project.module(path)[1]
        mine = own.get((path, router), "")
        # A blueprint is often made in the package whose modules add the routes.
        for name in (f"{module}.{router}", module, module.rpartition(".")[0]):
            places = [place for place in included.get(name, ()) if place[1:] != (path, router)]
            if places and depth < 5:
                return [
                    above + prefix + mine
                    for prefix, includer, including in places
                    for above in prefixes(includer, including, depth + 1)
                ]
        return [mine]

    for url, path, router in routes:
        for prefix in prefixes(path, router):
            full = re.sub(r"/+", "/", f"/{prefix}{url}")
            if not re.search(r"[<>{}()\[\]*+?|:]", full):
                yield full, path
