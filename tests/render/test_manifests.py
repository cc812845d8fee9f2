"""The manifests for Kubernetes: valid, and with the figures of the production compose file."""

import http.server
import json
import re
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from testing.answers import KUBERNETES, SERVICES
from testing.process import TOOLS, run
from testing.template import generate, read_answers

pytestmark = pytest.mark.xdist_group("render")

each_project = pytest.mark.parametrize("name", KUBERNETES)
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the projects that have manifests, which is quicker than all projects."""
    folder = tmp_path_factory.mktemp("outputs")
    for name, answers in KUBERNETES.items():
        generate(folder / name, **answers)
    return folder


def folder(project: Path) -> Path:
    return project / "deploy" / "kubernetes"


def render(kustomization: Path) -> list[Manifest]:
    """Return what kustomize makes of a folder."""
    return list(yaml.safe_load_all(run(TOOLS / "kubectl", "kustomize", kustomization).stdout))


def workloads(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Return the Deployments and the Job by their names."""
    return {entry["metadata"]["name"]: entry for entry in manifests if entry["kind"] in ("Deployment", "Job")}


def pod(workload: Manifest) -> Manifest:
    return workload["spec"]["template"]["spec"]


def container(workload: Manifest) -> Manifest:
    (only,) = pod(workload)["containers"]
    return only


def compose(project: Path) -> Manifest:
    return yaml.safe_load((project / "docker-compose.prod.yml").read_text())


def kinds(manifests: list[Manifest]) -> set[str]:
    return {entry["kind"] for entry in manifests}


def each_pair(project: Path) -> Iterator[tuple[Manifest, Manifest]]:
    """Each service of the compose file, and the workload that stands for it; none is left over."""
    found = workloads(render(folder(project) / "overlays" / "production"))
    services = compose(project)["services"]
    assert services.keys() == found.keys()
    for name, service in services.items():
        yield service, found[name]


@pytest.fixture(scope="module")
def rendered(outputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Render every kustomization of every project; return the files by the project's name."""
    target = tmp_path_factory.mktemp("rendered")
    found: dict[str, list[Path]] = {}
    for name in KUBERNETES:
        for file in sorted(folder(outputs / name).rglob("kustomization.yaml")):
            result = target / f"{name}-{file.parent.name}.yaml"
            result.write_text(run(TOOLS / "kubectl", "kustomize", file.parent).stdout)
            found.setdefault(name, []).append(result)
    return found


@pytest.mark.parametrize("version", ["1.30.0", "1.37.0"])
def test_every_kustomization_is_valid(rendered: dict[str, list[Path]], outputs: Path, version: str):
    """For the oldest version that the README names, and for the newest one that is known."""
    chosen = [
        file
        for name, files in rendered.items()
        for file in files
        if version == "1.37.0" or f"Kubernetes {version[:4]} " in (folder(outputs / name) / "README.md").read_text()
    ]
    assert len(chosen) >= 3 * (len(KUBERNETES) - 1)
    run(TOOLS / "kubernetes-validate", "--strict", "--kubernetes-version", version, *chosen)


def test_what_is_not_valid_is_refused(outputs: Path, tmp_path: Path):
    file = folder(outputs / "kubernetes-fastapi") / "base" / "deployment.yaml"
    broken = tmp_path / "broken.yaml"
    broken.write_text(file.read_text().replace("readOnlyRootFilesystem", "readOnlyRootFileSystem"))
    result = run(TOOLS / "kubernetes-validate", "--strict", broken, check=False)
    assert result.returncode and "readOnlyRootFileSystem" in result.stdout + result.stderr


@each_project
def test_the_pods_are_restricted(outputs: Path, name: str):
    for workload in workloads(render(folder(outputs / name) / "overlays" / "production")).values():
        spec = pod(workload)
        assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        security = {key: value for key, value in spec["securityContext"].items() if not key.startswith("fsGroup")}
        assert security == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container(workload)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for volume in spec["volumes"]:
            assert volume.keys() - {"name"} in ({"emptyDir"}, {"secret"}, {"persistentVolumeClaim"})


@each_project
def test_nobody_gets_a_token_and_orphans_are_reaped(outputs: Path, name: str):
    manifests = render(folder(outputs / name) / "overlays" / "production")
    accounts = [entry for entry in manifests if entry["kind"] == "ServiceAccount"]
    assert [entry["automountServiceAccountToken"] for entry in accounts] == [False]
    for workload in workloads(manifests).values():
        assert pod(workload)["shareProcessNamespace"] is True
        for mount in container(workload)["volumeMounts"]:
            assert mount.get("readOnly", False) == (mount["mountPath"] == "/run/secrets")
        claims = [volume for volume in pod(workload)["volumes"] if "persistentVolumeClaim" in volume]
        assert pod(workload)["securityContext"].get("fsGroup") == (10001 if claims else None)


@each_project
def test_liveness_does_not_ask_for_readiness(outputs: Path, name: str):
    """A pod whose database is down gets no requests, but is not restarted."""
    answers = read_answers(outputs / name)
    for workload in workloads(render(folder(outputs / name) / "overlays" / "production")).values():
        main = container(workload)
        for probe in ("startupProbe", "livenessProbe"):
            assert main.get(probe, {}).get("httpGet", {}).get("path") != "/readyz"
        if "readinessProbe" in main and "framework" in answers:
            assert main["readinessProbe"]["httpGet"]["path"] == "/readyz"


@each_project
def test_a_drain_of_a_node_leaves_a_replica_and_replicas_are_spread(outputs: Path, name: str):
    manifests = render(folder(outputs / name) / "overlays" / "production")
    by_kind = {entry["kind"]: entry["spec"] for entry in manifests if "spec" in entry}
    if "HorizontalPodAutoscaler" in by_kind:
        scaler, budget = by_kind["HorizontalPodAutoscaler"], by_kind["PodDisruptionBudget"]
        assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
        assert budget["maxUnavailable"] < scaler["minReplicas"]
        assert 0 < scaler["metrics"][0]["resource"]["target"]["averageUtilization"] < 100
    processes = {entry["name"]: entry for entry in read_answers(outputs / name).get("processes", [])}
    for key, workload in workloads(manifests).items():
        if workload["kind"] == "Job":
            assert 1 <= workload["spec"]["backoffLimit"] <= 6 and pod(workload)["restartPolicy"] == "Never"
            continue
        process = next((entry for own, entry in processes.items() if key.endswith(f"-{own}")), {"replicas": 2})
        is_single = process.get("replicas", 1) == 1 and "port" not in process
        assert (workload["spec"]["strategy"].get("type") == "Recreate") == is_single, key
        if process.get("replicas", 1) > 1:
            spread = [entry["topologyKey"] for entry in pod(workload)["topologySpreadConstraints"]]
            assert spread == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]


@each_project
def test_the_network_policies_allow_only_what_is_named(outputs: Path, name: str):
    manifests = render(folder(outputs / name) / "overlays" / "production")
    policies = [entry["spec"] for entry in manifests if entry["kind"] == "NetworkPolicy"]
    answers = read_answers(outputs / name)
    dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    allowed = [
        {"to": [dns], "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
        {"to": [{"podSelector": {}}]},
    ]
    if answers.get("framework") == "django":
        allowed.append({"ports": [{"protocol": "TCP", "port": 5432}]})
    assert [policy["egress"] for policy in policies if "egress" in policy] == [allowed]
    # The service alone takes requests, and on its own port.
    (ingress,) = [policy["ingress"] for policy in policies if "ingress" in policy] or [None]
    assert ingress == ([{"ports": [{"protocol": "TCP", "port": "http"}]}] if answers.get("port") else None)


@each_project
def test_secrets_come_as_files_alone(outputs: Path, name: str):
    for workload in workloads(render(folder(outputs / name) / "overlays" / "production")).values():
        main = container(workload)
        references = [next(iter(source)) for source in main["envFrom"]]
        # An existing service may read its secrets from the environment.
        assert references == ["configMapRef"] + ["secretRef"] * ("framework" not in read_answers(outputs / name))
        assert not [entry for entry in main.get("env", []) if "valueFrom" in entry]


@each_project
def test_the_figures_are_those_of_the_compose_file(outputs: Path, name: str):
    for service, workload in each_pair(outputs / name):
        spec, main = pod(workload), container(workload)
        limits, requests = main["resources"]["limits"], main["resources"]["requests"]
        assert float(limits["cpu"]) == float(service["cpus"])
        assert limits["memory"] == service["mem_limit"].lower().replace("m", "Mi").replace("g", "Gi")
        assert requests["cpu"] == f"{float(service['cpus']) * 500:.0f}m"
        assert {key: requests[key] for key in ("memory", "ephemeral-storage")} == {
            key: limits[key] for key in ("memory", "ephemeral-storage")
        }
        assert f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}" == service["user"]
        sleep = main.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert f"{spec['terminationGracePeriodSeconds'] - sleep}s" == service["stop_grace_period"]
        (tmp,) = [volume["emptyDir"] for volume in spec["volumes"] if "emptyDir" in volume]
        assert tmp == {"medium": "Memory", "sizeLimit": "16Mi"}
        assert f"/tmp:size={tmp['sizeLimit'].lower()[:-1]}," in service["tmpfs"][0]
        assert main.get("command") == service.get("command")
        assert main.get("lifecycle", {}).get("stopSignal") == service.get("stop_signal")
        assert workload["spec"].get("replicas", 1) == service.get("scale", 1)


@each_project
def test_ports_probes_and_the_service_belong_together(outputs: Path, name: str):
    manifests = render(folder(outputs / name) / "overlays" / "production")
    services = [entry for entry in manifests if entry["kind"] == "Service"]
    for service, workload in each_pair(outputs / name):
        main, healthcheck = container(workload), service["healthcheck"]
        if workload["kind"] == "Job":
            assert not {"ports", "startupProbe", "livenessProbe", "readinessProbe"} & main.keys()
            continue
        ports = [port["containerPort"] for port in main.get("ports", [])]
        for published in service.get("ports", []):
            assert ports == [published["target"]]
            (only,) = services
            assert only["spec"]["selector"].items() <= workload["spec"]["template"]["metadata"]["labels"].items()
            assert only["spec"]["ports"][0]["targetPort"] == main["ports"][0]["name"]
        assert ("readinessProbe" in main) == bool(ports) == ("preStop" in main.get("lifecycle", {}))
        if "livenessProbe" in main:
            startup, liveness = main["startupProbe"], main["livenessProbe"]
            assert f"{startup['failureThreshold'] * startup['periodSeconds']}s" == healthcheck["start_period"]
            assert f"{startup['periodSeconds']}s" == healthcheck["start_interval"]
            assert f"{liveness['periodSeconds']}s" == healthcheck["interval"]
            assert f"{liveness['timeoutSeconds']}s" == healthcheck["timeout"]
            assert liveness.get("failureThreshold", 3) == healthcheck["retries"]
            asked = startup.get("httpGet") or startup["exec"]
            assert asked == (liveness.get("httpGet") or liveness["exec"])
            if "command" in asked and healthcheck.get("test"):
                assert asked["command"] == healthcheck["test"][1:]
            elif "command" in asked:
                assert f"CMD {asked['command']}".replace("'", '"') in (outputs / name / "Dockerfile").read_text()
        if workload["spec"]["strategy"].get("type") != "Recreate":
            assert workload["spec"]["strategy"] == {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    is_web = SERVICES.get(name, {}).get("framework") != "worker" and "worker" not in name
    assert ({"Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"} <= kinds(manifests)) == is_web
    assert bool(services) == is_web


def test_the_probes_of_an_existing_service_say_what_its_health_check_says(outputs: Path):
    """The kubelet's own Host header is the address of the pod, which an app may refuse."""
    found = workloads(render(folder(outputs / "kubernetes-existing") / "overlays" / "production"))
    for name, path in (("orders", "/healthz"), ("orders-stream", "/live")):
        main = container(found[name])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            headers = {header["name"]: header["value"] for header in main[probe]["httpGet"]["httpHeaders"]}
            assert main[probe]["httpGet"]["path"] == path
            assert headers == {"Host": "orders.example.com", "X-Forwarded-Proto": "https"}
    assert {name for name in found if "livenessProbe" not in container(found[name])} == {
        "orders-release",
        "orders-beat",
    }
    web = workloads(render(folder(outputs / "kubernetes-existing-worker") / "overlays" / "production"))
    (process,) = [container(entry) for name, entry in web.items() if name.endswith("-web")]
    assert process["readinessProbe"]["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "localhost:8001"}]


def test_flask_and_django_are_alive_while_all_their_threads_are_busy(outputs: Path):
    for name in ("kubernetes-flask", "kubernetes-django"):
        main = container(workloads(render(folder(outputs / name) / "overlays" / "production"))[name])
        assert main["livenessProbe"]["exec"]["command"][-1] == "/usr/local/bin/healthcheck.py"
        assert main["readinessProbe"]["httpGet"]["path"] == "/readyz"


@each_project
def test_variables_and_secrets_are_those_of_the_compose_file(outputs: Path, name: str):
    project = outputs / name
    config = (folder(project) / "base" / "config.env").read_text()
    for service, workload in each_pair(project):
        main, spec = container(workload), pod(workload)
        environment = service.get("environment", {})
        env = {entry["name"]: entry["value"] for entry in main.get("env", [])}
        if "env_file" in service:  # an existing service
            assert env == environment
            assert {"secretRef": {"name": main["envFrom"][0]["configMapRef"]["name"].rpartition("-")[0]}} | {
                "secretRef": {"name": spec["serviceAccountName"], "optional": True}
            } == main["envFrom"][1]
        else:
            assert env == {}
            assert set(re.findall(r"^(?:# )?([A-Z_]+)=", config, re.MULTILINE)) == environment.keys()
        targets = [secret["target"] for secret in service.get("secrets", [])]
        mounts = [mount for mount in main["volumeMounts"] if mount["mountPath"] == "/run/secrets"]
        assert bool(targets) == bool(mounts)
        readme = (folder(project) / "README.md").read_text()
        assert all(f"--from-file={target}" in readme for target in targets)
        folders = {mount["mountPath"] for mount in main["volumeMounts"]} - {"/tmp", "/run/secrets"}
        assert folders == {volume.partition(":")[2] for volume in service.get("volumes", [])}


@each_project
def test_each_reference_leads_to_a_manifest(outputs: Path, name: str):
    manifests = render(folder(outputs / name) / "overlays" / "production")
    names = {(entry["kind"], entry["metadata"]["name"]) for entry in manifests}
    assert {entry["metadata"]["namespace"] for entry in manifests} == {
        SERVICES.get(name, {}).get("service_name") or KUBERNETES[name].get("service_name", name)
    }
    for workload in workloads(manifests).values():
        spec = pod(workload)
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert ("ServiceAccount", spec["serviceAccountName"]) in names
        assert ("ConfigMap", container(workload)["envFrom"][0]["configMapRef"]["name"]) in names
        for volume in spec["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in names
        policies = [entry["spec"] for entry in manifests if entry["kind"] == "NetworkPolicy"]
        denied = {
            kind
            for policy in policies
            if policy["podSelector"]["matchLabels"].items() <= labels.items()
            for kind in policy["policyTypes"]
        }
        assert denied == {"Ingress", "Egress"}


@each_project
def test_a_digest_replaces_the_tag(outputs: Path, tmp_path: Path, name: str):
    file = folder(outputs / name) / "overlays" / "production" / "kustomization.yaml"
    digest = "sha256:" + "a" * 64
    before = file.read_text()
    assert before.count("newTag: 0.0.0-dev") == 1
    try:
        file.write_text(before.replace("newTag: 0.0.0-dev", f"digest: {digest}"))
        found = workloads(render(file.parent))
    finally:
        file.write_text(before)
    assert all(container(workload)["image"].endswith(f"@{digest}") for workload in found.values())


GROUPS = {
    "v1": ("ServiceAccount", "ConfigMap", "Service", "PersistentVolumeClaim"),
    "apps/v1": ("Deployment",),
    "batch/v1": ("Job",),
    "policy/v1": ("PodDisruptionBudget",),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "networking.k8s.io/v1": ("NetworkPolicy",),
}


class EmptyCluster(http.server.BaseHTTPRequestHandler):
    """As much of an API server as a dry run of `kubectl apply` asks for: no object exists yet."""

    def do_GET(self) -> None:
        path, status = self.path.partition("?")[0], 200
        version = path.removeprefix("/apis/").removeprefix("/api/")
        answer: Manifest = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}
        if path == "/api":
            answer = {"kind": "APIVersions", "versions": ["v1"]}
        elif path == "/apis":
            groups = [group.split("/") for group in GROUPS if "/" in group]
            versions = [[name, {"groupVersion": f"{name}/{number}", "version": number}] for name, number in groups]
            answer = {"kind": "APIGroupList", "groups": [{"name": name, "versions": [one]} for name, one in versions]}
        elif version in GROUPS:
            resources = [
                {"name": re.sub("y$", "ie", kind.lower()) + "s", "kind": kind, "namespaced": True, "verbs": ["get"]}
                for kind in GROUPS[version]
            ]
            answer = {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
        else:
            status = 404
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"apiVersion": "v1"} | answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cluster() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), EmptyCluster) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", ["kubernetes-django", "kubernetes-existing", "kubernetes-existing-worker"])
def test_the_first_step_of_a_release_leaves_out_the_deployments(outputs: Path, tmp_path: Path, cluster: str, name: str):
    readme = (folder(outputs / name) / "README.md").read_text()
    commands = re.findall("^    (kubectl apply .*)", readme, re.MULTILINE)
    options = (
        f"--server={cluster}",
        f"--cache-dir={tmp_path}",
        "--dry-run=client",
        "--validate=false",
        "--output=name",
    )
    first, second = (
        set(run(TOOLS / "kubectl", *shlex.split(command)[1:], *options, cwd=folder(outputs / name)).stdout.split())
        for command in commands
    )
    assert len(second) == len(render(folder(outputs / name) / "overlays" / "production"))
    assert first == {entry for entry in second if not entry.startswith("deployment.apps/")}
    assert any(entry.startswith("job.batch/") for entry in first) and first != second


@each_project
def test_podman_gets_the_same_pods_without_what_it_cannot_do(outputs: Path, name: str):
    overlays = folder(outputs / name) / "overlays"
    production = workloads(render(overlays / "production"))
    played = workloads(render(overlays / "podman"))
    if (overlays / "podman-release").exists():
        release = workloads(render(overlays / "podman-release"))
        assert {workload["kind"] for workload in release.values()} == {"Job"}
        played |= release
    assert played.keys() == production.keys()
    pids = {key: service["pids_limit"] for key, service in compose(outputs / name)["services"].items()}
    for key, workload in played.items():
        assert workload["spec"].get("replicas", 1) == 1
        annotations = workload["spec"]["template"]["metadata"]["annotations"]
        assert annotations[f"io.podman.annotations.pids-limit/{key}"] == str(pids[key])
        main, expected = container(workload), container(production[key])
        for probe in ("startupProbe", "livenessProbe"):
            asked = main.pop(probe, {"exec": None})
            assert "httpGet" not in asked
            original = expected.pop(probe, {"exec": None})
            if "exec" in original:
                assert asked == original
            else:
                assert asked["exec"]["command"] == ["python", "-I", "-S", "/usr/local/bin/healthcheck.py"]
        assert main == expected
