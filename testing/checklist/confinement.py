"""Items 1 to 21: what the service's processes may do, and what of the host they see."""

import re
from collections.abc import Iterator
from stat import S_ISREG

from testing.checklist.facts import Subject
from testing.checklist.items import item

COMPOSE = "docker-compose.prod.yml"
# What Docker gives each container.
DEVICES = {"console", "full", "null", "ptmx", "random", "tty", "urandom", "zero"}


@item(1, "A numeric user other than root", "`USER 10001:10001`, and `user` in the compose file")
def user(s: Subject) -> Iterator[str]:
    if not re.fullmatch(r"[1-9]\d*:\d+", str(s.compose.get("user"))):
        yield f"{COMPOSE} sets no numeric user"
    if s.own_image and not re.fullmatch(r"[1-9]\d*:\d+", s.image["Config"]["User"]):
        yield "the image has no numeric user"
    asked = s.container["Config"]["User"].split(":")[0]
    for process in s.kernel["processes"].values():
        uids = set(process["Uid"].split())
        if uids != {asked} or "0" in uids:
            yield f"{process['Name']} runs as user {' '.join(sorted(uids))}"


@item(2, "A group other than root's, and no extra groups", "`USER 10001:10001`")
def group(s: Subject) -> Iterator[str]:
    asked = s.container["Config"]["User"].rpartition(":")[2]
    for process in s.kernel["processes"].values():
        gids = {*process["Gid"].split(), *process["Groups"].split()}
        if gids != {asked} or "0" in gids:
            yield f"{process['Name']} is in the groups {' '.join(sorted(gids))}"


@item(3, "No process gains privileges", "`no-new-privileges` in the compose file")
def privileges(s: Subject) -> Iterator[str]:
    if "no-new-privileges:true" not in s.compose.get("security_opt", []):
        yield f"{COMPOSE} does not set no-new-privileges"
    for process in s.kernel["processes"].values():
        if process["NoNewPrivs"] != "1":
            yield f"{process['Name']} may gain privileges"


@item(4, "No capabilities", "`cap_drop: [ALL]` in the compose file")
def capabilities(s: Subject) -> Iterator[str]:
    if s.compose.get("cap_drop") != ["ALL"] or s.compose.get("cap_add"):
        yield f"{COMPOSE} leaves capabilities"
    for process in s.kernel["processes"].values():
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            if int(process[kind], 16):
                yield f"{process['Name']} has {kind} {process[kind]}"


@item(5, "Not privileged", "no `privileged` in the compose file")
def privileged(s: Subject) -> Iterator[str]:
    if s.compose.get("privileged") or s.container["HostConfig"]["Privileged"]:
        yield "the container is privileged"


@item(6, "Seccomp on", "Docker's default profile")
def seccomp(s: Subject) -> Iterator[str]:
    if any(option.startswith("seccomp") for option in s.compose.get("security_opt", [])):
        yield f"{COMPOSE} replaces Docker's seccomp profile"
    for process in s.kernel["processes"].values():
        if process["Seccomp"] != "2":
            yield f"{process['Name']} has no seccomp filter"


@item(7, "AppArmor and SELinux not switched off", "no such option in the compose file")
def security_modules(s: Subject) -> Iterator[str]:
    for option in [*s.compose.get("security_opt", []), *(s.container["HostConfig"]["SecurityOpt"] or [])]:
        if re.match(r"apparmor[:=]unconfined|label[:=]disable", option):
            yield f"security option {option}"


@item(8, "A read-only root file system", "`read_only` in the compose file")
def read_only(s: Subject) -> Iterator[str]:
    if not s.compose.get("read_only"):
        yield f"{COMPOSE} does not set read_only"
    if "ro" not in s.kernel["mounts"]["/"]["options"]:
        yield "the root file system is mounted writable"
    for path, failure in s.kernel["write_errors"].items():
        if failure not in ("EROFS", "ENOENT"):
            yield f"{path} can be written"


@item(9, "Temporary file systems noexec, nosuid, nodev and sized", "`tmpfs` in the compose file")
def temporary(s: Subject) -> Iterator[str]:
    for entry in s.compose.get("tmpfs", []):
        if not {"noexec", "nosuid", "nodev"} <= set(re.split("[:,]", entry)) or "size=" not in entry:
            yield f"{COMPOSE} does not restrict {entry}"
    mounted = s.kernel["mounts"].get("/tmp")
    if mounted is None or mounted["type"] != "tmpfs":
        # Without one, an image that is only used must do with a read-only root.
        if s.own_image or s.compose.get("tmpfs"):
            yield "/tmp is not a tmpfs"
    else:
        for option in ("rw", "noexec", "nosuid", "nodev"):
            if option not in mounted["options"]:
                yield f"/tmp is mounted without {option}"
        if s.kernel["tmp_execute_error"] != "EACCES":
            yield "/tmp runs programs"
        asked = re.search(r"/tmp:.*\bsize=(\d+)m\b", " ".join(s.compose.get("tmpfs", [])))
        if not asked or f"size={int(asked[1]) * 1024}k" not in mounted["file_system"]:
            yield f"/tmp is mounted with {mounted['file_system']}"
        if s.kernel["tmp_overfill_error"] != "ENOSPC":
            yield "/tmp grows without a limit"


@item(10, "The virtual environment belongs to root, and the app cannot write it", "built as root", of_image=True)
def virtual_environment(s: Subject) -> Iterator[str]:
    venv = {path: entry for path, entry in s.inside["files"].items() if f"{path}/".startswith("/opt/venv/")}
    if not venv:
        yield "there is no virtual environment in /opt/venv"
    for path, (mode, uid, gid) in venv.items():
        if uid or gid or mode & 0o022:
            yield f"{path} has mode {mode:o} and belongs to {uid}:{gid}"


@item(11, "No setuid or setgid file", "removed in slim images, not copied into distroless ones", of_image=True)
def setuid(s: Subject) -> Iterator[str]:
    for path, (mode, _, _) in s.inside["files"].items():
        if mode & 0o6000 and S_ISREG(mode):
            yield path


@item(12, "Nothing is writable for everybody outside /tmp", "modes set in the Dockerfile", of_image=True)
def world_writable(s: Subject) -> Iterator[str]:
    for path, (mode, _, _) in s.inside["files"].items():
        if mode & 0o002 and path != "/tmp":
            yield path


@item(13, "Not the host's network", "no `network_mode` in the compose file")
def host_network(s: Subject) -> Iterator[str]:
    yield from shared(s, "net", "network_mode", "NetworkMode")


@item(14, "Not the host's processes", "no `pid` in the compose file")
def host_processes(s: Subject) -> Iterator[str]:
    yield from shared(s, "pid", "pid", "PidMode")


@item(15, "Not the host's interprocess communication", "no `ipc` in the compose file")
def host_ipc(s: Subject) -> Iterator[str]:
    yield from shared(s, "ipc", "ipc", "IpcMode")


@item(16, "Not the host's name", "no `uts` in the compose file")
def host_name(s: Subject) -> Iterator[str]:
    yield from shared(s, "uts", "uts", "UTSMode")


@item(17, "Not the host's user namespace where the engine has another", "no `userns_mode` in the compose file")
def host_users(s: Subject) -> Iterator[str]:
    if s.compose.get("userns_mode") or s.container["HostConfig"]["UsernsMode"]:
        yield "the container asks for the host's user namespace"


@item(18, "No docker.sock", "no such mount in the compose file")
def docker_socket(s: Subject) -> Iterator[str]:
    for source in sources(s):
        if source.endswith(("docker.sock", "containerd.sock", "podman.sock")):
            yield f"{source} is mounted"


@item(19, "No mount of the host but secrets and configuration, read-only", "`secrets` in the compose file")
def host_mounts(s: Subject) -> Iterator[str]:
    for volume in s.compose.get("volumes", []):
        if volume["type"] == "bind" and not (volume.get("read_only") and is_own(volume["target"])):
            yield f"{COMPOSE} mounts {volume['source']}"
    for mount in s.container["Mounts"]:
        if mount["Type"] == "bind" and (mount["RW"] or not is_own(mount["Destination"])):
            yield f"{mount['Source']} is mounted at {mount['Destination']}"


@item(20, "No shared mount propagation", "Docker's default")
def propagation(s: Subject) -> Iterator[str]:
    for volume in s.compose.get("volumes", []):
        if "shared" in volume.get("bind", {}).get("propagation", ""):
            yield f"{COMPOSE} shares {volume['source']}"
    for point, mount in s.kernel["mounts"].items():
        if any(word.startswith("shared:") for word in mount["propagation"]):
            yield f"{point} is shared with the host"


@item(21, "No device of the host", "no `devices` in the compose file")
def devices(s: Subject) -> Iterator[str]:
    if s.compose.get("devices") or s.container["HostConfig"]["Devices"]:
        yield "the container asks for devices"
    if more := set(s.kernel["devices"]) - DEVICES:
        yield f"/dev has {', '.join(sorted(more)[:3])}"


def shared(s: Subject, namespace: str, compose_key: str, engine_key: str) -> Iterator[str]:
    """Say how the container shares a namespace with the host."""
    if s.compose.get(compose_key):
        yield f"{COMPOSE} sets {compose_key}"
    if re.match("host|shareable|container:", s.container["HostConfig"][engine_key]):
        yield f"the engine was told {engine_key} {s.container['HostConfig'][engine_key]}"
    if s.kernel["namespaces"][namespace] == s.host[namespace]:
        yield f"the container is in the host's {namespace} namespace"


def sources(s: Subject) -> Iterator[str]:
    """Return what of the host is mounted."""
    yield from (volume.get("source", "") for volume in s.compose.get("volumes", []))
    yield from (mount.get("Source", "") for mount in s.container["Mounts"])


def is_own(path: str) -> bool:
    """Return whether a file that is mounted there is the service's own: a secret, or configuration."""
    return path.startswith(("/run/secrets/", "/usr/local/etc/"))
