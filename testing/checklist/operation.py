"""Items 22 to 34, 46 and 54: limits, network, health, logs, and what an operator relies on."""

from collections.abc import Iterator

from testing.checklist.confinement import COMPOSE
from testing.checklist.contents import is_secret
from testing.checklist.facts import Subject
from testing.checklist.items import item

SIGTERM = 15


@item(22, "A memory limit", "`mem_limit` in the compose file")
def memory(s: Subject) -> Iterator[str]:
    yield from limit(s, "mem_limit", "memory", s.kernel["control_groups"]["memory"], "Memory", 1)


@item(23, "No swap beyond the memory limit", "`memswap_limit` equal to `mem_limit` in the compose file")
def swap(s: Subject) -> Iterator[str]:
    if "memswap_limit" not in s.compose or s.compose["memswap_limit"] != s.compose.get("mem_limit"):
        yield f"{COMPOSE} allows swap"
    if s.kernel["control_groups"]["swap"] != 0:
        yield "the container may swap"
    if str(s.container["HostConfig"]["MemorySwap"]) != s.compose.get("memswap_limit"):
        yield f"the engine was told {s.container['HostConfig']['MemorySwap']}"


@item(24, "A CPU limit", "`cpus` in the compose file")
def cpu(s: Subject) -> Iterator[str]:
    yield from limit(s, "cpus", "CPU", s.kernel["control_groups"]["cpus"], "NanoCpus", 10**9)


@item(25, "A limit of processes", "`pids_limit` in the compose file")
def pids(s: Subject) -> Iterator[str]:
    yield from limit(s, "pids_limit", "process", s.kernel["control_groups"]["pids"], "PidsLimit", 1)


@item(26, "Limits of open files, processes and core dumps", "`ulimits` in the compose file")
def ulimits(s: Subject) -> Iterator[str]:
    for name, line in (
        ("nofile", "Max open files"),
        ("nproc", "Max processes"),
        ("core", "Max core file size"),
    ):
        wanted = s.compose.get("ulimits", {}).get(name)
        if wanted is None:
            yield f"{COMPOSE} does not limit {name}"
        # Compose shows a limit of 0 as an empty mapping.
        elif s.kernel["limits"][line] != [str(wanted or 0)] * 2:
            yield f"the limit {name} is {s.kernel['limits'][line]}"


@item(27, "A port is published on one interface", "`host_ip: 127.0.0.1` in the compose file")
def published(s: Subject) -> Iterator[str]:
    asked = {}
    for port in s.compose.get("ports", []):
        asked[f"{port['target']}/{port['protocol']}"] = [(port.get("host_ip"), port["published"])]
        if port.get("host_ip", "0.0.0.0") in ("0.0.0.0", "::"):
            yield f"{COMPOSE} publishes port {port['target']} on all interfaces"
    published = s.container["NetworkSettings"]["Ports"]
    actual = {key: [(one["HostIp"], one["HostPort"]) for one in ports] for key, ports in published.items() if ports}
    if actual != asked:
        yield f"published are {actual}"


@item(28, "Only declared ports listen", "`EXPOSE`, and one server")
def listening(s: Subject) -> Iterator[str]:
    declared = {int(port.split("/")[0]) for port in s.image["Config"].get("ExposedPorts") or {}}
    declared |= {port["target"] for port in s.compose.get("ports", [])}
    actual = set(s.kernel["listening"])
    if actual - declared:
        yield f"{sorted(actual - declared)} listen"
    if s.own_image and declared - actual:
        yield f"nothing listens on {sorted(declared - actual)}"


@item(29, "No port below 1024, and no sshd", "port 8000; the image has one server")
def ports(s: Subject) -> Iterator[str]:
    numbers = {int(port.split("/")[0]) for port in s.image["Config"].get("ExposedPorts") or {}}
    numbers |= {port["target"] for port in s.compose.get("ports", [])} | set(s.kernel["listening"])
    if low := [number for number in sorted(numbers) if number < 1024]:
        yield f"ports {low}"
    if any(path.endswith("/sshd") for path in s.inside.get("files", [])):
        yield "the image has sshd"


@item(30, "Its own networks, and no way out of the backend", "an internal `backend`; a `frontend` for requests alone")
def networks(s: Subject) -> Iterator[str]:
    attached = s.networks.values()
    project = s.container["Config"]["Labels"].get("com.docker.compose.project", "")
    for network in attached:
        if not project or (network["Labels"] or {}).get("com.docker.compose.project") != project:
            yield f"the network {network['Name']} is not the project's own"
    if s.own_image and not any(network["Internal"] for network in attached):
        yield "there is no internal network"
    open_ones = [network["Name"] for network in attached if not network["Internal"]]
    if s.kernel["listening"]:
        if len(open_ones) != 1:
            yield f"it takes requests from {len(open_ones)} open networks"
    elif open_ones or s.kernel["default_routes"]:
        yield "it takes no request, and has a default route"


@item(31, "A restart policy that does not storm", "`unless-stopped` in the compose file; Docker doubles the pause")
def restart(s: Subject) -> Iterator[str]:
    if s.compose.get("restart") not in ("unless-stopped", "on-failure"):
        yield f"{COMPOSE} does not restart the service"
    if s.container["HostConfig"]["RestartPolicy"]["Name"] != s.compose.get("restart"):
        yield f"the restart policy is {s.container['HostConfig']['RestartPolicy']['Name']}"


@item(32, "A HEALTHCHECK in the image", "`docker/healthcheck.py`, by the standard library alone", of_image=True)
def health_check(s: Subject) -> Iterator[str]:
    if len([value for value in s.instructions("HEALTHCHECK") if "CMD" in value]) != 1:
        yield "the Dockerfile has no HEALTHCHECK"
    test = (s.image["Config"].get("Healthcheck") or {}).get("Test", [])
    if test[:1] != ["CMD"] or test[-1] not in s.inside["files"]:
        yield f"the image is checked by {test}"


@item(33, "A health check tuned for production", "`healthcheck` in the compose file")
def health(s: Subject) -> Iterator[str]:
    if (
        not {"interval", "timeout", "retries", "start_period", "start_interval"}
        <= s.compose.get("healthcheck", {}).keys()
    ):
        yield f"{COMPOSE} does not tune the health check"
    config = s.container["Config"].get("Healthcheck") or {}
    second = 10**9
    if not 0 < config.get("StartInterval", 0) <= second < config.get("Interval", 0) <= 30 * second:
        yield "the first probes are not quick, or the later ones are rare"
    if not 0 < config.get("Timeout", 0) < config.get("Interval", 0) or config.get("StartPeriod", 0) < 30 * second:
        yield "the timeout or the start period does not fit"
    if s.own_image and config.get("Test") != (s.image["Config"].get("Healthcheck") or {}).get("Test"):
        yield "the container is not checked by the image's own script"
    state = s.container["State"].get("Health", {"Status": "not checked", "Log": []})
    if state["Status"] != "healthy" or state["Log"][-1]["ExitCode"] or state["Log"][-1]["Output"]:
        yield f"the container is {state['Status']}"


@item(34, "Logs are rotated", "`logging` in the compose file")
def logs(s: Subject) -> Iterator[str]:
    asked = s.compose.get("logging", {})
    if not {"max-size", "max-file"} <= asked.get("options", {}).keys():
        yield f"{COMPOSE} does not limit the logs"
    if s.container["HostConfig"]["LogConfig"] != {"Type": asked.get("driver"), "Config": asked.get("options")}:
        yield f"the engine was told {s.container['HostConfig']['LogConfig']}"


@item(46, "Secrets come as files", "`secrets` in the compose file")
def secrets(s: Subject) -> Iterator[str]:
    for name in s.compose.get("environment") or {}:
        if is_secret(name):
            yield f"{COMPOSE} puts {name} into the environment"
    for process in s.kernel["processes"].values():
        if process["environ"] is None:
            yield f"the environment of {process['Name']} cannot be read"
        for name in {line.split("=")[0] for line in process["environ"] or []}:
            if is_secret(name):
                yield f"{process['Name']} has {name} in its environment"
    for secret in s.compose.get("secrets", []):
        mount = s.kernel["mounts"].get(f"/run/secrets/{secret['target']}", {"options": []})
        if "ro" not in mount["options"]:
            yield f"the secret {secret['target']} is not a read-only file"


@item(54, "Process 1 forwards signals and reaps orphans", "`init` in the compose file")
def first_process(s: Subject) -> Iterator[str]:
    if s.own_image and not s.compose.get("init"):
        yield f"{COMPOSE} sets no init"
    if not s.kernel["orphan_is_reaped"]:
        yield "an orphan stays a zombie"
    first = s.kernel["processes"].get("1", {"Name": "", "SigCgt": "0"})
    # An init has no handler: it waits for signals.
    if "init" not in first["Name"] and not int(first["SigCgt"], 16) >> (SIGTERM - 1) & 1:
        yield "process 1 does not handle SIGTERM"


def limit(s: Subject, key: str, name: str, kernel: float, engine_key: str, unit: int) -> Iterator[str]:
    """Say where a limit is missing, or is not the one of the compose file."""
    if not s.compose.get(key):
        yield f"{COMPOSE} sets no {name} limit"
    elif float(s.compose[key]) != kernel:
        yield f"the {name} limit is {kernel} in the control group"
    if not kernel > 0 or s.container["HostConfig"][engine_key] != kernel * unit:
        yield f"the engine was told {s.container['HostConfig'][engine_key]}"
