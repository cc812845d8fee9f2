"""The mutants: one-line defects of the templates, as a careless colleague makes them, and the test that finds each.

tests/render/test_output.py compares outputs with expected ones. It notices every change, so it finds no mutant.
"""

from typing import NamedTuple


class Killer(NamedTuple):
    """A test that must fail; `answers` names the entries of testing/answers.py that it generates, if not all."""

    test: str
    answers: str = ""

    @property
    def kind(self) -> str:
        """Return whether a checker of the field finds the defect, or an assertion of this project."""
        checks = "/test_linters.py" in self.test and "buildx_bake" not in self.test
        return "checker" if checks or "kustomization_is_valid" in self.test else "test"

    @property
    def needs_engine(self) -> bool:
        return "/container/" in self.test or "::test_docker_" in self.test


class Mutant(NamedTuple):
    """A defect: the text `find`, which the file holds `times` times, becomes `replace`."""

    name: str
    file: str
    find: str
    replace: str
    killer: Killer
    times: int = 1

    @property
    def texts(self) -> tuple[str, str, str]:
        """Return what the option -k looks into."""
        return self.name, self.file, self.killer.test


# Files

SLIM = "template/{{ for_upstream_slim }}/Dockerfile.jinja"
DISTROLESS = "template/{{ for_upstream_distroless }}/Dockerfile.jinja"
SHARED = "template/{{ for_shared }}/Dockerfile.jinja"
PROCESS = "includes/dockerfile/process.jinja"
REQUIREMENTS = "includes/dockerfile/requirements.jinja"
VENV = "includes/dockerfile/venv.jinja"
APP = "includes/dockerfile/app.jinja"
APT = "includes/dockerfile/apt-install.jinja"
LABELS = "includes/dockerfile/labels.jinja"
DEVELOPMENT = "includes/dockerfile/development.jinja"
IGNORED = "template/.dockerignore.jinja"
BASE = "base-image/Dockerfile.jinja"
BAKE = "template/docker-bake.hcl.jinja"
BASE_BAKE = "base-image/docker-bake.hcl.jinja"
MAKEFILE = "template/{{ for_starters }}/Makefile.jinja"
COMPOSE = "template/docker-compose.prod.yml.jinja"
DEVELOPMENT_COMPOSE = "template/docker-compose.yml.jinja"
PROCESSES = "includes/compose/processes.jinja"
PROXY = "includes/compose/proxy.jinja"
HAPROXY = "template/{{ for_proxy }}/docker/haproxy.cfg.jinja"
ROLL = "template/{{ for_proxy }}/docker/roll.sh.jinja"
STACK = "template/{{ for_swarm }}/deploy/docker-stack.yml.jinja"
POD = "includes/kubernetes/pod.jinja"
DEPLOYMENT = "includes/kubernetes/deployment.jinja"
BASE_MANIFESTS = "template/{{ for_kubernetes }}/deploy/kubernetes/base"
PRODUCTION = "template/{{ for_kubernetes }}/deploy/kubernetes/overlays/production/kustomization.yaml.jinja"
HPA = "template/{{ for_kubernetes_port }}/deploy/kubernetes/overlays/production/horizontalpodautoscaler.yaml.jinja"
PDB = "template/{{ for_kubernetes_port }}/deploy/kubernetes/base/poddisruptionbudget.yaml.jinja"
JOB = "template/{{ for_kubernetes_job }}/deploy/kubernetes/base/job.yaml.jinja"
KUBE_PROCESSES = "template/{{ for_kubernetes_processes }}/deploy/kubernetes/base/processes.yaml.jinja"
HEALTHCHECK = "includes/healthcheck.py"
GUNICORN = "includes/docker/gunicorn.conf.py"
START_GUNICORN = "includes/docker/start_gunicorn.py"
LOGS = "includes/docker/logs.py"
FASTAPI_START = "template/{{ for_fastapi }}/docker/start.py"
FASTAPI_LOGS = "template/{{ for_fastapi }}/docker/logs.py.jinja"
FASTAPI_LOGGING = "template/{{ for_fastapi }}/docker/logging.json"
WORKER_START = "template/{{ for_worker }}/docker/start.py.jinja"
BUILD = "includes/docker/build"

# Tests


def layout(test: str, answers: str = "defaults") -> Killer:
    return Killer(f"tests/render/test_layout.py::test_{test}", answers)


def linter(test: str, answers: str = "defaults") -> Killer:
    return Killer(f"tests/render/test_linters.py::test_{test}", answers)


def stack(test: str, answers: str = "swarm-fastapi") -> Killer:
    return Killer(f"tests/render/test_stacks.py::test_{test}", answers)


def manifests(test: str, answers: str = "kubernetes-fastapi") -> Killer:
    return Killer(f"tests/render/test_manifests.py::test_{test}", answers)


def server(file: str, test: str) -> Killer:
    return Killer(f"tests/servers/test_{file}.py::{test}")


def script(file: str, test: str) -> Killer:
    return Killer(f"tests/scripts/test_{file}.py::test_{test}")


def container(file: str, test: str) -> Killer:
    return Killer(f"tests/container/test_{file}.py::test_{test}")


RULES = Killer(
    "tests/render/test_output.py::test_a_dockerfile_keeps_the_rules_that_no_linter_checks",
    "defaults upstream-slim flask worker",
)
SETUID = container("checklist", "it_misses_nothing[flask]")
INSTALLER = container("checklist", "it_misses_nothing[default]")
HADOLINT = linter("hadolint")
CONFINED = layout("every_service_of_production_is_confined_and_limited", "defaults existing-proxy")
RUNTIME = layout("the_runtime_starts_from_the_base_and_gets_what_was_built_from_named_folders")
FIRST_PROCESS = layout("the_service_is_the_first_process_and_its_health_is_checked_by_the_script")
VARIABLES = layout("variables_of_the_image_are_those_of_the_process_and_no_secrets")
DOWNLOADS = layout("a_step_that_downloads_packages_has_the_cache_and_the_secrets_and_any_other_has_no_network")
CONTEXT = container("build", "only_what_is_named_enters_the_build_context")
COMPOSE_LINT = linter("compose_lint")
COMPOSE_HARDEN = linter("compose_harden")
COMPOSE_AUDITOR = linter("compose_auditor")
TRIVY = linter("trivy", "defaults kubernetes-fastapi base")
BAKED = linter("docker_buildx_bake", "defaults distroless-packages base")
STARTED_AGAIN = layout("every_service_of_production_is_started_again_and_its_logs_are_bounded")
ONE_PORT = layout("only_one_service_publishes_the_port_and_on_the_loopback_interface", "defaults existing-everything")
UPDATE = stack("an_update_that_fails_is_rolled_back", "swarm-fastapi swarm-django")
RESTRICTED = manifests("the_pods_are_restricted")
FIGURES = manifests("the_figures_are_those_of_the_compose_file")
PROBES = manifests("ports_probes_and_the_service_belong_together", "kubernetes-fastapi kubernetes-flask")
POLICIES = manifests("the_network_policies_allow_only_what_is_named", "kubernetes-fastapi kubernetes-django")
DRAIN_OF_A_NODE = manifests("a_drain_of_a_node_leaves_a_replica_and_replicas_are_spread")
FASTAPI_LOG_LINES = server("fastapi", "test_every_log_line_is_a_json_object")

MUTANTS = (
    # The Dockerfile
    Mutant("the service runs as root", PROCESS, "USER 10001:10001", "USER 0:0", HADOLINT),
    Mutant("the user is a name", PROCESS, "USER 10001:10001", "USER app", RULES),
    Mutant("the group is the default one", PROCESS, "USER 10001:10001", "USER 10001", RULES),
    Mutant("CMD is for a shell", PROCESS, "CMD {{ command | to_json }}", "CMD {{ command | join(' ') }}", HADOLINT),
    Mutant("a stop kills", PROCESS, "STOPSIGNAL {{ stop_signal }}", "STOPSIGNAL SIGKILL", RULES),
    Mutant(
        "the health check always passes",
        PROCESS,
        '["python", "-I", "-S", "/usr/local/bin/healthcheck.py"]',
        '["python", "-c", ""]',
        FIRST_PROCESS,
    ),
    Mutant(
        "the health check is curl",
        PROCESS,
        '["python", "-I", "-S", "/usr/local/bin/healthcheck.py"]',
        '["curl", "--fail", "http://localhost:8000/healthz"]',
        FIRST_PROCESS,
    ),
    Mutant(
        "there is no health check",
        PROCESS,
        "HEALTHCHECK --interval=30s --timeout=3s --start-period={{ start_period }}s"
        " --start-interval=2s --retries=3 \\\n"
        '    CMD ["python", "-I", "-S", "/usr/local/bin/healthcheck.py"]\n',
        "",
        TRIVY,
    ),
    Mutant(
        "the health check asks for readiness",
        PROCESS,
        "ENV PORT={{ port }} HEALTH_PATH={{ health_path }} UVICORN",
        "ENV PORT={{ port }} HEALTH_PATH=/readyz UVICORN",
        layout("the_health_check_asks_for_liveness"),
    ),
    Mutant(
        "a frozen service is healthy for ten minutes",
        PROCESS,
        "HEARTBEAT_MAX_AGE=15",
        "HEARTBEAT_MAX_AGE=600",
        layout("the_health_check_asks_for_liveness", "flask"),
    ),
    Mutant("the port is that of ssh", PROCESS, "EXPOSE {{ port }}", "EXPOSE 22", TRIVY),
    Mutant(
        "the venv belongs to the app's user",
        DISTROLESS,
        "COPY --link --from=builder /opt /opt",
        "COPY --link --from=builder --chown=10001:10001 /opt /opt",
        RUNTIME,
    ),
    Mutant(
        "the source has an owner by name",
        SHARED,
        "--chown=10001:10001 /app /app",
        "--chown=app:app /app /app",
        Killer(RULES.test, "slim"),
    ),
    Mutant(
        "the service starts from the builder",
        SLIM,
        "FROM base AS service",
        "FROM builder AS service",
        layout(RUNTIME.test.partition("::test_")[2], "upstream-slim"),
    ),
    Mutant(
        "the whole builder is copied",
        DISTROLESS,
        "COPY --link --from=builder /packages /",
        "COPY --link --from=builder / /",
        RUNTIME,
    ),
    Mutant(
        "the whole context is copied",
        APP,
        "COPY {{ 'src/ /app/' if starter",
        "COPY {{ '. /app/' if starter",
        layout("a_copy_names_what_it_takes"),
    ),
    Mutant(
        "ADD instead of COPY",
        SLIM,
        "COPY --chmod=644 docker/",
        "ADD --chmod=644 docker/",
        linter("hadolint", "upstream-slim"),
    ),
    Mutant(
        "the base image has the tag latest",
        SLIM,
        "FROM python:{{ python_version }}-slim-trixie AS base",
        "FROM python:latest AS base",
        linter("hadolint", "upstream-slim"),
    ),
    Mutant("the folder is relative", DISTROLESS, "WORKDIR /app\nCOPY", "WORKDIR app\nCOPY", HADOLINT),
    Mutant(
        "the source stands before the requirements",
        DISTROLESS,
        "{% include 'includes/dockerfile/requirements.jinja' %}",
        "COPY src/ /app/\n{% include 'includes/dockerfile/requirements.jinja' %}",
        container("build", "a_changed_source_file_rebuilds_the_sources_layer_alone"),
    ),
    Mutant(
        "the whole context is mounted for the requirements",
        REQUIREMENTS,
        "RUN {% for path in requirements_sources %}",
        "RUN --mount=type=bind,target=/src {% for path in requirements_sources %}",
        layout("the_builder_does_not_depend_on_the_source"),
    ),
    Mutant(
        "hashes are not required",
        "questions/computed.yml",
        "'--require-hashes --requirement requirements.txt'",
        "'--requirement requirements.txt'",
        RULES,
    ),
    Mutant(
        "hashes are not required in tests",
        DEVELOPMENT,
        "{{ install }} --require-hashes --requirement",
        "{{ install }} --requirement",
        RULES,
    ),
    Mutant(
        "requirements have no cache",
        REQUIREMENTS,
        "--mount=type=cache,target=/root/.cache/{{ installer }} {{ netrc }} \\\n    {{ ca }} \\\n{% if lock == 'uv' %}",
        "{{ netrc }} \\\n    {{ ca }} \\\n{% if lock == 'uv' %}",
        DOWNLOADS,
    ),
    Mutant(
        "requirements have no credentials",
        REQUIREMENTS,
        "--mount=type=cache,target=/root/.cache/{{ installer }} {{ netrc }} \\\n",
        "--mount=type=cache,target=/root/.cache/{{ installer }} \\\n",
        DOWNLOADS,
    ),
    Mutant(
        "a password is a build argument",
        VENV,
        "ARG UV_VERSION={{ uv_version }} INDEX_URL",
        "ARG UV_VERSION={{ uv_version }} INDEX_URL INDEX_PASSWORD",
        linter("docker_build_check"),
    ),
    Mutant(
        "a token is in the environment of the image",
        PROCESS,
        "UVICORN_SERVER_HEADER=false",
        "API_TOKEN=changeme UVICORN_SERVER_HEADER=false",
        VARIABLES,
    ),
    Mutant(
        "output is buffered",
        DISTROLESS,
        "PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1\nWORKDIR /app\nCOPY",
        "PYTHONDONTWRITEBYTECODE=1\nWORKDIR /app\nCOPY",
        VARIABLES,
    ),
    Mutant(
        "every proxy is trusted",
        PROCESS,
        "UVICORN_SERVER_HEADER=false",
        "UVICORN_FORWARDED_ALLOW_IPS=* UVICORN_SERVER_HEADER=false",
        server("fastapi", "test_only_a_trusted_proxy_says_who_the_client_is"),
    ),
    Mutant(
        "answers name the server",
        PROCESS,
        " UVICORN_SERVER_HEADER=false",
        "",
        server("fastapi", "test_an_answer_does_not_name_the_server"),
    ),
    Mutant(
        "pip is in the venv",
        VENV,
        "&& python -m venv --without-pip /opt/venv",
        "&& python -m venv /opt/venv",
        layout("only_root_writes_in_the_virtual_environment"),
    ),
    Mutant(
        "uv's lock file stays",
        REQUIREMENTS,
        "{{ ' && rm -f /opt/venv/.lock' if installer == 'uv' }}{{",
        "{{",
        layout("only_root_writes_in_the_virtual_environment"),
    ),
    Mutant(
        "setuid programs stay",
        SLIM,
        "find / -xdev -type f -perm /6000 -delete && ",
        "",
        SETUID,
    ),
    Mutant(
        "bytecode of the library depends on times",
        SLIM,
        "--invalidation-mode unchecked-hash",
        "--invalidation-mode timestamp",
        layout("bytecode_is_valid_whatever_the_times_of_the_files", "upstream-slim"),
    ),
    Mutant("recommended packages are installed", APT, " --no-install-recommends", "", linter("hadolint", "packages")),
    Mutant(
        "lists of packages stay",
        APT,
        "--mount=type=tmpfs,target=/var/lib/apt/lists ",
        "",
        layout("lists_of_packages_stay_out_of_the_image", "packages"),
    ),
    Mutant(
        "the mirror's password is not taken",
        APT,
        "--mount=type=secret,id=netrc,target=/etc/apt/auth.conf ",
        "",
        layout("debian_packages_come_from_a_mirror_with_a_password", "packages"),
    ),
    Mutant(
        "the tests reach the network",
        DEVELOPMENT,
        "RUN --network=none --mount=type=bind,source=pyproject.toml",
        "RUN --mount=type=bind,source=pyproject.toml",
        DOWNLOADS,
    ),
    Mutant(
        "the label of the source is missing",
        LABELS,
        ' org.opencontainers.image.source="$SOURCE"',
        "",
        layout("the_labels_are_complete"),
    ),
    Mutant(
        "the version is no label",
        LABELS,
        'org.opencontainers.image.version="$VERSION" ',
        "",
        layout("the_labels_are_complete"),
    ),
    Mutant(
        "the base image runs as root",
        BASE,
        "USER 10001:10001\nSTOPSIGNAL",
        "USER 0\nSTOPSIGNAL",
        linter("hadolint", "base"),
    ),
    Mutant(
        "the base image has no health check",
        BASE,
        "HEALTHCHECK --interval=30s --timeout=3s --start-period=30s --start-interval=2s --retries=3 \\\n"
        '    CMD ["/usr/local/bin/python", "-I", "-S", "/usr/local/bin/healthcheck.py"]\n',
        "",
        TRIVY,
    ),
    # The build context
    Mutant("everything enters the context", IGNORED, "\n*\n", "\n", CONTEXT),
    Mutant("hidden files enter the context", IGNORED, "**/.*\n", "", CONTEXT),
    Mutant("caches enter the context", IGNORED, "**/__pycache__\n", "", CONTEXT),
    Mutant("the folder docker enters the context", IGNORED, "!docker/{{ name }}", "!docker", CONTEXT),
    # The bake files and the Makefile
    Mutant(
        "a release has no SBOM",
        BAKE,
        '    SBOM_GENERATOR == "" ? "type=sbom" : "type=sbom,generator=${SBOM_GENERATOR}",\n',
        "",
        BAKED,
    ),
    Mutant("a release is for one platform", BAKE, '["linux/amd64", "linux/arm64"]', '["linux/amd64"]', BAKED),
    Mutant("a release of the base is for one platform", BASE_BAKE, ', "linux/arm64"]', "]", BAKED),
    Mutant("images have the tag latest", BAKE, "[image(VERSION)]", '[image("latest")]', BAKED),
    Mutant("credentials are a build argument", BAKE, "    INDEX_URL = INDEX_URL\n", "    NETRC = NETRC\n", BAKED),
    Mutant("an old base image is taken", BAKE, "  pull = true\n", "", BAKED),
    Mutant("only the last stage is cached", BAKE, '("cache")},mode=max', '("cache")},mode=min', BAKED),
    Mutant(
        "make up does not wait",
        MAKEFILE,
        "up: build ## Run the service as in production; return when it is healthy\n\t$(prod) up --detach --wait",
        "up: build ## Run the service as in production; return when it is healthy\n\t$(prod) up --detach",
        layout("make_runs_the_command_that_its_help_promises"),
    ),
    Mutant(
        "make lock writes no hashes",
        MAKEFILE,
        " --generate-hashes",
        "",
        layout("make_runs_the_command_that_its_help_promises"),
    ),
    Mutant(
        "failing tests are ignored",
        MAKEFILE,
        "\t$(bake) --progress plain test",
        "\t-$(bake) --progress plain test",
        layout("a_failing_command_fails_make"),
    ),
    Mutant(
        "a label has the credentials of the remote",
        MAKEFILE,
        "s|^(https?://)([^/@]*@)?|\\1|p",
        "s|^(https?://)|\\1|p",
        Killer("tests/render/test_output.py::test_the_label_of_the_source_has_no_credentials", "defaults base"),
    ),
    # The build scripts
    Mutant(
        "bytecode depends on times",
        f"{BUILD}/venv-compile",
        "PycInvalidationMode.UNCHECKED_HASH",
        "PycInvalidationMode.TIMESTAMP",
        script("venv_compile", "every_module_gets_bytecode_that_stays_valid_when_times_change"),
    ),
    Mutant(
        "tests that an entry point names are removed",
        f"{BUILD}/venv-prune",
        'site.glob("*.dist-info/entry_points.txt")',
        'site.glob("*.egg-info/entry_points.txt")',
        script("venv_prune", "tests_that_an_entry_point_names_are_kept"),
    ),
    Mutant(
        "stubs are removed from those who read them",
        f"{BUILD}/venv-prune",
        'STUB_READERS = ["lazy_loader", "mypy"]',
        'STUB_READERS = ["mypy"]',
        script("venv_prune", "stubs_stay_where_a_package_reads_them"),
    ),
    Mutant(
        "staged programs keep their setuid bit",
        f"{BUILD}/debian-stage",
        " & ~0o6000",
        "",
        container("debian_stage", "no_copied_file_has_a_setuid_bit"),
    ),
    Mutant(
        "a missing library is ignored",
        f"{BUILD}/debian-stage",
        'if place == "not found" and name not in own | ignored:',
        'if place == "not found" and False:',
        container("debian_stage", "a_missing_library_ends_the_build_and_nothing_is_copied"),
    ),
    Mutant(
        "bytecode of the interpreter depends on times",
        f"{BUILD}/stage-python",
        "--invalidation-mode unchecked-hash",
        "--invalidation-mode timestamp",
        container("image", "bytecode_is_valid_whatever_the_times_of_the_files[default]"),
    ),
    Mutant(
        "the interpreter keeps pip",
        f"{BUILD}/stage-python",
        "    site-packages/* test",
        "    test",
        INSTALLER,
    ),
    # Production
    Mutant("compose: root", COMPOSE, '    user: "10001:10001"\n', '    user: "0:0"\n', COMPOSE_LINT),
    Mutant("compose: a user by name", COMPOSE, '    user: "10001:10001"\n', "    user: app\n", CONFINED),
    Mutant("compose: a root that can be written", COMPOSE, "    read_only: true\n", "", COMPOSE_LINT),
    Mutant("compose: all capabilities", COMPOSE, "    cap_drop: [ALL]\n", "", COMPOSE_LINT),
    Mutant(
        "compose: new privileges",
        COMPOSE,
        '    security_opt: ["no-new-privileges:true"]\n',
        "",
        COMPOSE_HARDEN,
    ),
    Mutant(
        "compose: no seccomp",
        COMPOSE,
        'security_opt: ["no-new-privileges:true"]',
        'security_opt: ["no-new-privileges:true", "seccomp:unconfined"]',
        COMPOSE_LINT,
    ),
    Mutant(
        "compose: privileged",
        COMPOSE,
        "    read_only: true\n",
        "    read_only: true\n    privileged: true\n",
        COMPOSE_LINT,
    ),
    Mutant(
        "compose: the processes of the host",
        COMPOSE,
        "    read_only: true\n",
        "    read_only: true\n    pid: host\n",
        COMPOSE_LINT,
    ),
    Mutant("compose: /tmp can be executed", COMPOSE, ",noexec,nosuid,nodev", ",nosuid,nodev", CONFINED),
    Mutant("compose: /tmp has no size", COMPOSE, "/tmp:size=16m,mode=1777", "/tmp:mode=1777", CONFINED),
    Mutant("compose: no memory limit", COMPOSE, "    mem_limit: {{ memory_limit }}\n", "", COMPOSE_AUDITOR),
    Mutant("compose: as much swap again", COMPOSE, "    memswap_limit: {{ memory_limit }}\n", "", CONFINED),
    Mutant("compose: no CPU limit", COMPOSE, "    cpus: {{ cpu_limit }}\n", "", CONFINED),
    Mutant("compose: no limit of processes", COMPOSE, "    pids_limit: {{ pids_limit }}\n", "", CONFINED),
    Mutant("compose: core dumps", COMPOSE, "      core: 0\n", "", CONFINED),
    Mutant("compose: orphans stay", COMPOSE, "    init: true\n", "", layout("an_orphan_is_reaped")),
    Mutant("compose: started again after a stop", COMPOSE, "restart: unless-stopped", "restart: always", STARTED_AGAIN),
    Mutant("compose: never started again", COMPOSE, "restart: unless-stopped", 'restart: "no"', STARTED_AGAIN),
    Mutant(
        "compose: migrations are repeated",
        COMPOSE,
        '    restart: "no"\n',
        "",
        layout("every_service_of_production_is_started_again_and_its_logs_are_bounded", "django"),
    ),
    Mutant(
        "compose: the logs are the engine's default",
        COMPOSE,
        '    logging:\n      driver: json-file\n      options:\n        max-size: 10m\n        max-file: "3"\n',
        "",
        COMPOSE_AUDITOR,
    ),
    Mutant(
        "compose: no health check",
        COMPOSE,
        "      interval: 15s\n      timeout: 3s\n",
        "      disable: true\n      interval: 15s\n      timeout: 3s\n",
        COMPOSE_AUDITOR,
    ),
    Mutant("compose: logs grow", COMPOSE, "        max-size: 10m\n", "", STARTED_AGAIN),
    Mutant("compose: the port is open to all", COMPOSE, "_ADDRESS:-127.0.0.1}", "_ADDRESS:-0.0.0.0}", ONE_PORT),
    Mutant(
        "compose: the backend leads outside",
        COMPOSE,
        "    internal: true\n",
        "    internal: false\n",
        layout("the_backend_has_no_way_to_the_outside"),
    ),
    Mutant(
        "compose: killed while it drains",
        COMPOSE,
        "else stop_grace_period }}s\n\n    user",
        "else 10 }}s\n\n    user",
        layout("a_stop_leaves_time_to_drain"),
    ),
    Mutant(
        "compose: a worker is killed at its job",
        COMPOSE,
        "{{ '70' if starter == 'worker'",
        "{{ '30' if starter == 'worker'",
        layout("a_stop_leaves_time_to_drain", "worker"),
    ),
    Mutant(
        "compose: no time to start",
        COMPOSE,
        "      start_period: {{ start_period }}s\n",
        "      start_period: 1s\n",
        layout("health_is_asked_often_enough_and_not_too_early"),
    ),
    Mutant(
        "compose: health is asked once an hour",
        COMPOSE,
        "      interval: 15s\n",
        "      interval: 1h\n",
        layout("health_is_asked_often_enough_and_not_too_early"),
    ),
    Mutant(
        "compose: every proxy is trusted",
        COMPOSE,
        "      FORWARDED_ALLOW_IPS:\n",
        '      FORWARDED_ALLOW_IPS: "*"\n',
        layout("secrets_come_as_files_and_no_proxy_is_trusted_by_default"),
    ),
    Mutant(
        "compose: the token is a variable",
        COMPOSE,
        "      LOG_LEVEL: ${LOG_LEVEL:-info}\n",
        "      LOG_LEVEL: ${LOG_LEVEL:-info}\n      API_TOKEN: ${API_TOKEN:-}\n",
        layout("secrets_come_as_files_and_no_proxy_is_trusted_by_default"),
    ),
    Mutant(
        "compose: the service does not wait for the release",
        COMPOSE,
        "condition: service_completed_successfully",
        "condition: service_started",
        layout("a_release_has_succeeded_before_the_others_start", "existing-everything"),
    ),
    Mutant(
        "compose: one replica behind the proxy",
        COMPOSE,
        "    scale: 2\n",
        "    scale: 1\n",
        layout("behind_the_proxy_there_are_two_replicas_and_the_proxy_outlives_a_drain", "proxy"),
    ),
    Mutant(
        "compose: processes publish the port",
        PROCESSES,
        "{% if port and not (for_proxy and production) %}\n    ports: []\n{% endif %}\n",
        "",
        ONE_PORT,
    ),
    Mutant(
        "compose: processes are asked at the port of the service",
        PROCESSES,
        """PORT: "{{ process.get('port') or '' }}\"""",
        """PORT: "{{ process.get('port') or port }}\"""",
        ONE_PORT,
    ),
    Mutant(
        "compose: a process has as much swap again",
        PROCESSES,
        "    memswap_limit: {{ process.get('memory_limit') }}\n",
        "",
        Killer(CONFINED.test, "existing-everything"),
    ),
    Mutant("compose: the proxy has capabilities", PROXY, "    cap_drop: [ALL]\n", "", linter("compose_lint", "proxy")),
    Mutant("compose: the proxy has swap", PROXY, "    memswap_limit: 128m\n", "", CONFINED),
    Mutant(
        "compose: the proxy is killed while it drains",
        PROXY,
        "{{ stop_grace_period | int + 5 }}s",
        "10s",
        layout("behind_the_proxy_there_are_two_replicas_and_the_proxy_outlives_a_drain", "proxy"),
    ),
    Mutant(
        "development: a root that can be written",
        DEVELOPMENT_COMPOSE,
        "    read_only: true\n",
        "",
        COMPOSE_LINT,
        times=2,
    ),
    Mutant(
        "development: the port is open to all",
        DEVELOPMENT_COMPOSE,
        "      - host_ip: 127.0.0.1\n        published",
        "      - published",
        COMPOSE_LINT,
    ),
    # The proxy
    Mutant(
        "proxy: orders are repeated",
        HAPROXY,
        "    http-request disable-l7-retry unless { method GET HEAD OPTIONS }\n",
        "",
        container("proxy", "a_request_that_may_have_changed_something_is_not_repeated"),
    ),
    Mutant(
        "proxy: nothing is repeated",
        HAPROXY,
        "retry-on conn-failure empty-response",
        "retry-on conn-failure",
        container("proxy", "a_request_that_changes_nothing_is_repeated_at_the_other_replica"),
    ),
    Mutant(
        "proxy: repeated at the same replica",
        HAPROXY,
        "    option redispatch 1\n",
        "    no option redispatch\n",
        container("proxy", "a_connection_that_is_refused_goes_to_the_other_replica_whatever_the_request"),
    ),
    Mutant(
        "proxy: a replica that refuses stays",
        HAPROXY,
        " observe layer4 error-limit 1 on-error mark-down",
        "",
        container("proxy", "one_refused_connection_takes_a_replica_out_before_the_next_check"),
    ),
    Mutant(
        "proxy: connections to replicas are kept",
        HAPROXY,
        "option http-server-close",
        "option http-keep-alive",
        container("proxy", "each_request_has_a_connection_of_its_own_to_a_replica"),
    ),
    Mutant(
        "proxy: checks ask for liveness",
        HAPROXY,
        "{{ '/readyz' if starter else health_path }}",
        "{{ health_path }}",
        container("proxy", "a_replica_that_is_alive_but_not_ready_gets_no_requests"),
    ),
    Mutant(
        "proxy: the client is unknown",
        HAPROXY,
        "    option forwardfor\n",
        "",
        container("proxy", "the_service_learns_who_the_client_is"),
    ),
    Mutant(
        "proxy: HTTP stays HTTP",
        HAPROXY,
        "    http-request redirect scheme https code 308 unless { ssl_fc }\n",
        "",
        container("roll", "without_tls_the_proxy_redirects_to_it[default]"),
    ),
    Mutant(
        "roll: the old replicas are replaced at once",
        ROLL,
        "--no-deps --no-recreate --scale",
        "--no-deps --force-recreate --scale",
        container("roll", "rolls_lose_no_request_and_leave_new_replicas_alone[default]"),
    ),
    # Swarm
    Mutant(
        "swarm: stopped before the next one runs",
        STACK,
        "{% set order = 'start-first' if port",
        "{% set order = 'stop-first' if port",
        UPDATE,
    ),
    Mutant("swarm: a bad update stays", STACK, "failure_action: rollback", "failure_action: pause", UPDATE),
    Mutant("swarm: an update is not watched", STACK, "monitor: 60s", "monitor: 5s", UPDATE),
    Mutant("swarm: one replica", STACK, "{% set replicas = 2 if port", "{% set replicas = 1 if port", UPDATE),
    Mutant("swarm: given up after three starts", STACK, "        delay: 5s\n", "        max_attempts: 3\n", UPDATE),
    Mutant("swarm: migrations are repeated", STACK, "        condition: none\n", "        condition: any\n", UPDATE),
    Mutant(
        "swarm: no limit of processes",
        STACK,
        "          pids: {{ pids_limit }}\n",
        "",
        stack("the_limits_are_equal_and_the_memory_is_reserved"),
    ),
    Mutant(
        "swarm: the key tmpfs, which Swarm ignores",
        STACK,
        "    volumes:\n      # Swarm ignores the key tmpfs.\n",
        "    tmpfs: [/tmp]\n    volumes:\n",
        stack("swarm_knows_every_key"),
    ),
    Mutant("swarm: /tmp has no size", STACK, "          size: 16777216\n", "", stack("the_writable_places_are_equal")),
    Mutant(
        "swarm: everybody reads the secrets",
        STACK,
        "        mode: 0400\n",
        "        mode: 0444\n",
        stack("the_secrets_are_equal_and_only_the_user_reads_them"),
        times=2,
    ),
    Mutant("swarm: ports of the node", STACK, "mode: ingress", "mode: host", stack("the_ports_are_equal")),
    Mutant(
        "swarm: a task without its volume",
        STACK,
        "          - node.labels.{{ service_name }}-data == true\n",
        "          - node.role == worker\n",
        stack("a_task_with_a_volume_stays_on_the_node_of_the_volume", "swarm-existing"),
    ),
    # Kubernetes
    Mutant("kubernetes: root is allowed", POD, "runAsNonRoot: true", "runAsNonRoot: false", TRIVY),
    Mutant("kubernetes: no seccomp", POD, "type: RuntimeDefault", "type: Unconfined", TRIVY),
    Mutant(
        "kubernetes: a root that can be written",
        POD,
        "readOnlyRootFilesystem: true",
        "readOnlyRootFilesystem: false",
        TRIVY,
    ),
    Mutant(
        "kubernetes: new privileges", POD, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", TRIVY
    ),
    Mutant("kubernetes: some capabilities", POD, "drop: [ALL]", "drop: [NET_RAW]", RESTRICTED),
    Mutant(
        "kubernetes: a token in the pod",
        POD,
        "automountServiceAccountToken: false",
        "automountServiceAccountToken: true",
        RESTRICTED,
    ),
    Mutant(
        "kubernetes: a token in the account",
        f"{BASE_MANIFESTS}/serviceaccount.yaml.jinja",
        "automountServiceAccountToken: false",
        "automountServiceAccountToken: true",
        manifests("nobody_gets_a_token_and_orphans_are_reaped"),
    ),
    Mutant(
        "kubernetes: orphans stay",
        POD,
        "shareProcessNamespace: true",
        "shareProcessNamespace: false",
        manifests("nobody_gets_a_token_and_orphans_are_reaped"),
    ),
    Mutant(
        "kubernetes: a volume that cannot be written",
        POD,
        "        fsGroup: 10001\n",
        "",
        manifests("nobody_gets_a_token_and_orphans_are_reaped", "kubernetes-existing"),
    ),
    Mutant(
        "kubernetes: /tmp of the node",
        POD,
        "          emptyDir:\n            medium: Memory\n            sizeLimit: 16Mi\n",
        "          hostPath:\n            path: /tmp\n",
        RESTRICTED,
    ),
    Mutant("kubernetes: /tmp has no size", POD, "            sizeLimit: 16Mi\n", "", FIGURES),
    Mutant(
        "kubernetes: no memory limit",
        POD,
        '              cpu: "{{ unit.cpu }}"\n              memory: {{ binary }}\n',
        '              cpu: "{{ unit.cpu }}"\n',
        TRIVY,
    ),
    Mutant(
        "kubernetes: liveness asks for readiness",
        f"{BASE_MANIFESTS}/deployment.yaml.jinja",
        "'path': health_path if port else '',",
        "'path': '/readyz' if port else '',",
        manifests("liveness_does_not_ask_for_readiness"),
    ),
    Mutant(
        "kubernetes: readiness asks for liveness",
        f"{BASE_MANIFESTS}/deployment.yaml.jinja",
        "'ready_path': '/readyz' if starter else",
        "'ready_path': health_path if starter else",
        manifests("liveness_does_not_ask_for_readiness"),
    ),
    Mutant("kubernetes: no time to start", POD, "failureThreshold: {{ start_period }}", "failureThreshold: 3", PROBES),
    Mutant("kubernetes: a pod less during an update", DEPLOYMENT, "maxUnavailable: 0", "maxUnavailable: 1", PROBES),
    Mutant(
        "kubernetes: stopped while proxies send requests",
        POD,
        "            preStop:\n              sleep:\n                seconds: 5\n",
        "            postStart:\n              sleep:\n                seconds: 5\n",
        PROBES,
    ),
    Mutant(
        "kubernetes: killed while it drains",
        POD,
        "terminationGracePeriodSeconds: {{ 5 + unit.grace | int }}",
        "terminationGracePeriodSeconds: 10",
        FIGURES,
    ),
    Mutant(
        "kubernetes: two schedulers at a time",
        DEPLOYMENT,
        "    type: Recreate\n",
        "    type: RollingUpdate\n",
        manifests("a_drain_of_a_node_leaves_a_replica_and_replicas_are_spread", "kubernetes-existing"),
    ),
    Mutant(
        "kubernetes: all replicas on one node",
        POD,
        "{% for key in ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'] %}",
        "{% for key in ['topology.kubernetes.io/zone'] %}",
        DRAIN_OF_A_NODE,
    ),
    Mutant(
        "kubernetes: egress is open",
        f"{BASE_MANIFESTS}/networkpolicy.yaml.jinja",
        "  egress:\n",
        "  egress:\n    - {}\n",
        POLICIES,
    ),
    Mutant(
        "kubernetes: egress is not restricted",
        f"{BASE_MANIFESTS}/networkpolicy.yaml.jinja",
        "  policyTypes: [Ingress, Egress]\n",
        "  policyTypes: [Ingress]\n",
        manifests("each_reference_leads_to_a_manifest"),
    ),
    Mutant(
        "kubernetes: ingress to every port",
        f"{BASE_MANIFESTS}/networkpolicy.yaml.jinja",
        "    - ports:\n        - protocol: TCP\n          port: http\n",
        "    - {}\n",
        POLICIES,
    ),
    Mutant("kubernetes: scaled down to one pod", HPA, "minReplicas: 2", "minReplicas: 1", DRAIN_OF_A_NODE),
    Mutant("kubernetes: a drain takes all pods", PDB, "maxUnavailable: 1", "maxUnavailable: 2", DRAIN_OF_A_NODE),
    Mutant(
        "kubernetes: no disruption budget",
        f"{BASE_MANIFESTS}/kustomization.yaml.jinja",
        "  - poddisruptionbudget.yaml\n",
        "",
        PROBES,
    ),
    Mutant(
        "kubernetes: a migration is tried once",
        JOB,
        "backoffLimit: 3",
        "backoffLimit: 0",
        manifests("a_drain_of_a_node_leaves_a_replica_and_replicas_are_spread", "kubernetes-django"),
    ),
    Mutant(
        "kubernetes: the tag latest",
        PRODUCTION,
        "newTag: 0.0.0-dev",
        "newTag: latest",
        manifests("a_digest_replaces_the_tag"),
    ),
    Mutant(
        "kubernetes: secrets in the environment",
        POD,
        "{% if not starter %}\n            - secretRef:",
        "{% if true %}\n            - secretRef:",
        manifests("secrets_come_as_files_alone"),
    ),
    Mutant(
        "podman: no limit of processes",
        "template/{{ for_kubernetes }}/deploy/kubernetes/overlays/podman/kustomization.yaml.jinja",
        '  io.podman.annotations.pids-limit/{{ service_name }}: "{{ pids_limit }}"\n',
        '  io.podman.annotations.pids-limit/{{ service_name }}: "0"\n',
        manifests("podman_gets_the_same_pods_without_what_it_cannot_do"),
    ),
    Mutant(
        "kubernetes: a key that does not exist",
        POD,
        "enableServiceLinks: false",
        "enableServiceLink: false",
        manifests(
            "every_kustomization_is_valid", "kubernetes-fastapi kubernetes-flask kubernetes-worker kubernetes-django"
        ),
    ),
    # The health check
    Mutant(
        "health: redirects pass",
        HEALTHCHECK,
        'status.startswith("2")',
        'status.startswith(("2", "3"))',
        script("healthcheck", "any_other_answer_is_named"),
    ),
    Mutant(
        "health: any protocol passes",
        HEALTHCHECK,
        'not protocol.startswith("HTTP/") or ',
        "",
        script("healthcheck", "any_other_answer_is_named"),
    ),
    Mutant(
        "health: longer than Docker's timeout",
        HEALTHCHECK,
        "TIMEOUT_SECONDS = 2.5",
        "TIMEOUT_SECONDS = 5",
        script("healthcheck", "the_timeout_is_for_the_whole_probe"),
    ),
    Mutant(
        "health: no timeout for the connection",
        HEALTHCHECK,
        "socket.create_connection(address, TIMEOUT_SECONDS)",
        "socket.create_connection(address)",
        script("healthcheck", "a_service_that_accepts_no_connection_is_named"),
    ),
    Mutant(
        "health: a timeout for each piece",
        HEALTHCHECK,
        "connection.settimeout(remaining)",
        "connection.settimeout(TIMEOUT_SECONDS); deadline += 1",
        script("healthcheck", "the_timeout_is_for_the_whole_probe"),
    ),
    Mutant(
        "health: problems end with status 0",
        HEALTHCHECK,
        "        print(problem)\n        return 1\n",
        "        print(problem)\n        return 0\n",
        script("healthcheck", "a_refused_connection_is_named"),
    ),
    Mutant(
        "health: an old heartbeat passes",
        HEALTHCHECK,
        "if age > limit:",
        "if age > limit * 10:",
        script("healthcheck", "an_old_heartbeat_is_named"),
    ),
    Mutant(
        "health: the public address is asked",
        HEALTHCHECK,
        'if not is_address or host.strip("0.") == "":',
        'if host.strip("0.") == "":',
        script("healthcheck", "any_other_host_is_reached_at_the_loopback_address"),
    ),
    # Servers
    Mutant(
        "fastapi: no time to drain",
        PROCESS,
        "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=20",
        "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=0",
        server("fastapi", "test_sigterm_lets_the_open_request_finish"),
    ),
    Mutant(
        "fastapi: a stop ends with 143",
        FASTAPI_START,
        "    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n",
        "    signal.signal(signal.SIGTERM, signal.SIG_DFL)\n",
        server("fastapi", "test_sigterm_lets_the_open_request_finish"),
    ),
    Mutant(
        "fastapi: a stop during the imports is lost",
        FASTAPI_START,
        "    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n",
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
        server("fastapi", "test_sigterm_during_the_imports_ends_with_0_where_an_exception_would_be_caught"),
    ),
    Mutant(
        "fastapi: a bad port is a traceback",
        FASTAPI_START,
        "if not (port.isdecimal() and 1 <= int(port) <= 65535):",
        "if False:",
        server("fastapi", "test_an_invalid_variable_is_named_in_the_last_line"),
    ),
    Mutant(
        "fastapi: queries are logged",
        FASTAPI_LOGS,
        "path = without_query(target)",
        "path = target",
        FASTAPI_LOG_LINES,
    ),
    Mutant(
        "fastapi: queries of WebSockets are logged",
        FASTAPI_LOGS,
        "record.args = tuple(map(without_query, record.args))",
        "pass",
        FASTAPI_LOG_LINES,
    ),
    Mutant(
        "fastapi: probes are logged",
        FASTAPI_LOGS,
        "return not (status < 400 and path in",
        "return not (status < 200 and path in",
        server("fastapi", "test_successful_probes_are_not_logged"),
    ),
    Mutant(
        "fastapi: requests are logged twice",
        FASTAPI_LOGGING,
        '"uvicorn.access": {"handlers": ["access"], "propagate": false}',
        '"uvicorn.access": {"handlers": ["access"], "propagate": true}',
        FASTAPI_LOG_LINES,
    ),
    Mutant(
        "fastapi: errors go to standard error",
        FASTAPI_LOGGING,
        '      "stream": "ext://sys.stdout",\n      "formatter": "json",\n      "filters": ["server"]',
        '      "stream": "ext://sys.stderr",\n      "formatter": "json",\n      "filters": ["server"]',
        server("fastapi", "test_sigterm_lets_the_open_request_finish"),
    ),
    Mutant(
        "a bad setting is logged with its value",
        LOGS,
        "for problem in error.errors(include_input=False)",
        "for problem in [one | {'msg': f\"{one['msg']} {one['input']}\"} for one in error.errors()]",
        server("fastapi", "test_an_invalid_setting_of_the_user_is_named_without_its_value"),
    ),
    Mutant(
        "gunicorn: no time to drain",
        GUNICORN,
        "graceful_timeout = 20",
        "graceful_timeout = 0",
        server("flask", "TestFlask::test_sigterm_lets_the_open_request_finish"),
    ),
    Mutant(
        "gunicorn: every proxy is trusted",
        GUNICORN,
        "worker_class = HeartbeatWorker\n",
        'worker_class = HeartbeatWorker\nforwarded_allow_ips = "*"\n',
        server("django", "TestDjango::test_only_a_trusted_proxy_says_that_a_request_came_through_https"),
    ),
    Mutant(
        "gunicorn: no heartbeat while it is busy",
        GUNICORN,
        "            Path(HEARTBEAT_FILE).touch()\n",
        "            pass\n",
        server("flask", "TestFlask::test_a_saturated_service_is_healthy_and_a_frozen_one_is_not"),
    ),
    Mutant(
        "gunicorn: queries are logged",
        GUNICORN,
        'method, path = environ["REQUEST_METHOD"], without_query(environ["RAW_URI"])',
        'method, path = environ["REQUEST_METHOD"], environ["RAW_URI"]',
        server("flask", "TestFlask::test_no_log_line_holds_a_query_or_a_malformed_header"),
    ),
    Mutant(
        "gunicorn: malformed requests are logged whole",
        GUNICORN,
        '            msg = re.split("[\'\\"]", msg)[0]\n',
        "            pass\n",
        server("flask", "TestFlask::test_no_log_line_holds_a_query_or_a_malformed_header"),
    ),
    Mutant(
        "gunicorn: a broken app starts",
        GUNICORN,
        "preload_app = True",
        "preload_app = False",
        server("flask", "TestFlask::test_an_import_error_in_the_app_ends_the_start"),
    ),
    Mutant(
        "gunicorn: a stop during the imports is an error",
        START_GUNICORN,
        "    os._exit(0)\n",
        "    os._exit(1)\n",
        server("flask", "TestFlask::test_sigterm_soon_after_the_start_is_never_lost"),
    ),
    Mutant(
        "gunicorn: bad proxies are accepted",
        START_GUNICORN,
        "    check_proxies()\n",
        "",
        server("flask", "TestFlask::test_a_bad_setting_ends_the_start_and_is_named_in_the_last_line"),
    ),
    Mutant(
        "worker: a stop during the imports is lost",
        WORKER_START,
        "    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n",
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
        server("worker", "test_sigterm_during_the_imports_ends_with_0"),
    ),
    Mutant(
        "worker: an exception in a thread is plain text",
        LOGS,
        "    threading.excepthook = lambda thread: log_uncaught(thread.exc_value)\n",
        "",
        server("worker", "test_an_exception_in_a_thread_is_one_log_line"),
    ),
)
