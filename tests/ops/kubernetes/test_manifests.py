"""The manifests agree with the product: probes, drain, rights, secrets, settings and names."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.docs.pages import DOCS, ROOT, read_page
from tests.test_containers import SERVICES
from warmxfer.actors.runtime.runner import CONNECT_DEADLINE_S, DRAIN_S
from warmxfer.bus.bus import DRAIN_DEADLINE_S
from warmxfer.bus.permission_file import routes
from warmxfer.cli.board.command import PORT as BOARD_PORT

from .rendering import Manifest, copied, pods, rendered

ROLES = {"coordinator", "gateway", "summarizer", "briefing"}
PRODUCTION = read_page(DOCS / "deployment.md").find("Production")
DOCUMENTED = set(
    re.findall(r"`((?:WARMXFER|NATS|VIDEOSDK)_\w+)`", (DOCS / "configuration.md").read_text(encoding="utf-8"))
)


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] == kind}


def container(manifest: Manifest) -> dict[str, Any]:
    (found,) = manifest["spec"]["template"]["spec"]["containers"]
    return found


def actors(manifests: list[Manifest]) -> dict[str, Manifest]:
    component = "app.kubernetes.io/component"
    found = of_kind(manifests, "Deployment")
    return {
        name: each for name, each in found.items() if each["metadata"]["labels"].get(component) == "actor"
    }


def clients(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Return what connects to the broker as a user of its own: the actors, the board and the jobs."""
    board = {"board": of_kind(manifests, "Deployment")["board"]}
    return {**actors(manifests), **board, **of_kind(manifests, "Job")}


def sources(manifest: Manifest) -> list[str]:
    """Return the ConfigMaps and Secrets of which a process gets its variables, without their hashes."""
    return [
        re.sub(r"-[a-z0-9]{10}$", "", reference["name"])
        for each in container(manifest).get("envFrom", [])
        for kind, reference in each.items()
    ]


def settings(manifests: list[Manifest], name: str) -> dict[str, str]:
    (found,) = (
        each["data"]
        for each in manifests
        if each["kind"] == "ConfigMap" and re.fullmatch(rf"{name}-[a-z0-9]{{10}}", each["metadata"]["name"])
    )
    return found


def test_each_role_runs_its_actor(manifests: list[Manifest]) -> None:
    found = actors(manifests)
    assert found.keys() - {"primary"} == ROLES
    for role in ROLES:
        assert container(found[role])["args"] == ["run", role]
    assert container(of_kind(manifests, "Job")["deploy"])["args"] == ["deploy"]


def test_an_actor_has_time_to_drain(manifests: list[Manifest]) -> None:
    for role, manifest in actors(manifests).items():
        before_s = (
            container(manifest).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        )
        grace_s = manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace_s > before_s + DRAIN_S + DRAIN_DEADLINE_S, role


def test_an_actor_may_wait_for_the_broker_before_it_is_restarted(manifests: list[Manifest]) -> None:
    for role, manifest in actors(manifests).items():
        probe = container(manifest)["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] > CONNECT_DEADLINE_S, role


def test_probes_ask_what_the_health_port_serves(manifests: list[Manifest]) -> None:
    port = int(settings(manifests, "settings")["WARMXFER_HEALTH_PORT"])
    for role, manifest in actors(manifests).items():
        one = container(manifest)
        assert {"name": "health", "containerPort": port} in one["ports"]
        asked = {
            name: one[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        assert asked == {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz" if role in ROLES else "/healthz",  # A primary is ready with a caller.
        }, role


def test_a_new_process_starts_before_an_old_one_stops(manifests: list[Manifest]) -> None:
    for role in ROLES:
        manifest = actors(manifests)[role]
        assert manifest["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_each_role_and_the_broker_lose_one_process_at_a_time(manifests: list[Manifest]) -> None:
    budgets = of_kind(manifests, "PodDisruptionBudget")
    assert budgets.keys() == {*ROLES, "nats"}
    for name, budget in budgets.items():
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": name}


def test_no_process_has_more_rights_than_it_needs(manifests: list[Manifest]) -> None:
    """The Pod Security Standard `restricted`, a root file system that is not written, and no token."""
    for name, template in pods(manifests):
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for one in pod["containers"]:
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert one["resources"]["limits"]["memory"], name
    for namespace in of_kind(manifests, "Namespace").values():
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_nothing_is_reached_that_no_policy_allows(manifests: list[Manifest]) -> None:
    policies = of_kind(manifests, "NetworkPolicy")
    assert policies["deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, policy in policies.items():
        for direction in ("ingress", "egress"):
            for rule in policy["spec"].get(direction, []):
                assert rule.get("ports"), name  # A rule without ports allows all of them.
                assert rule.get("from" if direction == "ingress" else "to"), name
    admitted = {name for name, pod in pods(manifests) if pod["metadata"]["labels"].get("broker-client")}
    assert admitted == {"deploy", "board", *actors(manifests)} == set(clients(manifests))
    (to_clients,) = (
        rule for rule in policies["broker"]["spec"]["ingress"] if rule["ports"] == [{"port": 4222}]
    )
    assert to_clients["from"] == [{"podSelector": {"matchLabels": {"broker-client": "true"}}}]


def test_a_process_has_the_secrets_of_its_own_user_only(manifests: list[Manifest]) -> None:
    for name, manifest in {**clients(manifests), **of_kind(manifests, "StatefulSet")}.items():
        users = [each for each in sources(manifest) if each.endswith(("-user", "-users"))]
        assert users == ["nats-users" if name == "nats" else f"{name}-user"]
    with_provider = {name for name, each in actors(manifests).items() if "provider" in sources(each)}
    assert with_provider == {"gateway"}


def test_coordinator_and_gateway_have_one_dial_policy(manifests: list[Manifest]) -> None:
    with_policy = {name for name, each in actors(manifests).items() if "dial-policy" in sources(each)}
    assert with_policy == {"coordinator", "gateway"}
    assert settings(manifests, "dial-policy")["WARMXFER_DIAL_REGIONS"]


def test_no_secret_is_in_the_files(production: list[Manifest]) -> None:
    assert of_kind(production, "Secret") == {}
    for name in ("settings", "dial-policy", "gateway-settings", "model-settings"):
        secret = [
            each for each in settings(production, name) if re.search("PASSWORD|SECRET|TOKEN|API_KEY", each)
        ]
        assert secret == []
    for manifest in clients(production).values():
        assert "env" not in container(manifest)


def test_the_demo_has_secrets_that_were_made_for_it(demo: list[Manifest]) -> None:
    secrets = {re.sub(r"-[a-z0-9]{10}$", "", name) for name in of_kind(demo, "Secret")}
    used = {each for manifest in clients(demo).values() for each in sources(manifest)}
    assert secrets == {each for each in used if each.endswith("-user")} | {"nats-users", "provider"}


def referred_to(manifests: list[Manifest]) -> set[tuple[str, str]]:
    """Return kind and name of each Secret and ConfigMap that a pod needs and the overlay does not contain."""
    text = str([dict(template) for _, template in pods(manifests)])
    secrets = re.findall(r"'(?:secretRef|secret)': \{'(?:name|secretName)': '([\w-]+)'", text)
    configs = re.findall(r"'(?:configMapRef|configMap)': \{'name': '([\w-]+)'", text)
    found = {("Secret", name) for name in secrets} | {("ConfigMap", name) for name in configs}
    return found - {(each["kind"], each["metadata"]["name"]) for each in manifests}


def test_what_must_exist_before_the_first_apply_is_listed(production: list[Manifest]) -> None:
    head = (ROOT / "ops/k8s/overlays/production/kustomization.yaml").read_text().split("apiVersion")[0]
    rows = PRODUCTION.table("object", "kind", "contents").rows
    listed = {(row["kind"], name) for row in rows for name in re.findall(r"`([\w-]+)`", row["object"])}
    assert listed == referred_to(production) | {("Secret", "model")}
    assert {name for _, name in listed if name not in head} == set()


def test_the_demo_needs_nothing_else(demo: list[Manifest]) -> None:
    assert referred_to(demo) <= {("Secret", "model"), ("ConfigMap", "briefing-settings")}  # optional


def test_the_commands_of_the_page_make_the_secrets(kubectl_path: str, tmp_path: Path) -> None:
    """kubectl makes the objects without a cluster, with what the files hold."""
    block = next(each.text for each in PRODUCTION.blocks if "create secret" in each.text)
    block = block.replace("\\\n", "")
    made = re.search(r"^warmxfer (permissions .*)$", block, re.M)
    assert made is not None
    command = [sys.executable, "-m", "warmxfer.cli", *made[1].split()]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    create = block[block.index("kubectl create") :].replace(
        "kubectl create", "kubectl create --dry-run=client -o json"
    )
    done = subprocess.run(
        ["bash", "-ec", create.replace("kubectl", kubectl_path)],
        cwd=tmp_path,
        env={**os.environ, "KUBECONFIG": os.devnull},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    objects = list(yaml.safe_load_all(done.stdout.replace("\n}\n{", "\n}\n---\n{")))
    secrets = {each["metadata"]["name"]: each["data"] for each in objects if each["kind"] == "Secret"}
    assert secrets.keys() == {"nats-users", *(f"{role}-user" for role in (*ROLES, "board", "deploy"))}
    files = {"nats-users": "nats.env", "gateway-user": "gateway.env", "board-user": "board.env"}
    for name, file in files.items():
        lines = (tmp_path / "secrets" / file).read_text().splitlines()
        held = {key: base64.b64decode(value).decode() for key, value in secrets[name].items()}
        assert held == dict(line.split("=", 1) for line in lines)
    assert "WARMXFER_BOARD_TOKEN" in secrets["board-user"]


def test_every_variable_is_documented(manifests: list[Manifest]) -> None:
    found = {
        variable
        for name, each in of_kind(manifests, "ConfigMap").items()
        if re.match("(settings|dial-policy|[a-z]+-settings)-", name)
        for variable in each["data"]
    }
    assert "WARMXFER_DIAL_REGIONS" in found
    assert found <= DOCUMENTED


def test_the_streams_have_a_replica_on_each_broker_and_fit_its_disk(production: list[Manifest]) -> None:
    nats = of_kind(production, "StatefulSet")["nats"]["spec"]
    shared = settings(production, "settings")
    (claim,) = nats["volumeClaimTemplates"]
    storage = claim["spec"]["resources"]["requests"]["storage"]
    assert shared["WARMXFER_REPLICAS"] == str(nats["replicas"]) == "3"
    assert int(shared["WARMXFER_MAX_STORE_MB"]) * 10**6 < int(storage.removesuffix("Gi")) * 2**30


def test_the_brokers_reach_each_other_by_the_names_that_the_docs_give(production: list[Manifest]) -> None:
    nats = of_kind(production, "StatefulSet")["nats"]["spec"]
    names = [f"nats-{at}.{nats['serviceName']}" for at in range(nats["replicas"])]
    assert "nats-2.nats:6222" in routes(names, "p")
    options = " ".join(f"--server {name}" for name in names)
    assert options in (DOCS / "deployment.md").read_text(encoding="utf-8")
    (service,) = (each for name, each in of_kind(production, "Service").items() if name == "nats")
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True


def test_production_connects_by_tls(production: list[Manifest]) -> None:
    shared = settings(production, "settings")
    assert urlsplit(shared["NATS_URL"]).scheme == "tls"
    for manifest in clients(production).values():
        (mount,) = (each for each in container(manifest)["volumeMounts"] if each["name"] == "tls")
        for name in ("NATS_CA", "NATS_CERT", "NATS_KEY"):
            assert shared[name].startswith(f"{mount['mountPath']}/")


def test_the_brokers_have_their_certificate_where_the_page_says(production: list[Manifest]) -> None:
    (mount,) = (
        each
        for each in container(of_kind(production, "StatefulSet")["nats"])["volumeMounts"]
        if each["name"] == "tls"
    )
    assert f"--tls {mount['mountPath']} " in (DOCS / "deployment.md").read_text(encoding="utf-8")


def test_the_board_is_reached_at_its_port_only_and_is_checked_there(manifests: list[Manifest]) -> None:
    board = container(of_kind(manifests, "Deployment")["board"])
    assert board["args"] == ["board", "--host", "0.0.0.0", "--port", str(BOARD_PORT)], "it only shows"
    (port,) = board["ports"]
    assert port["containerPort"] == BOARD_PORT
    probes = {name: probe["httpGet"] for name, probe in board.items() if name.endswith("Probe")}
    assert {name: each["path"] for name, each in probes.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/assets/icon.svg",  # A restart does not bring the broker back.
        "readinessProbe": "/healthz",
    }
    assert {each["port"] for each in probes.values()} == {port["name"]}
    (of_service,) = of_kind(manifests, "Service")["board"]["spec"]["ports"]
    assert of_service == {"name": "http", "port": BOARD_PORT, "targetPort": port["name"]}
    policy = of_kind(manifests, "NetworkPolicy")["board"]["spec"]
    assert policy["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "board"}}
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"port": BOARD_PORT}]


@pytest.mark.parametrize("overlay", ["demo", "production"])
def test_an_overlay_without_the_board_is_whole(kubectl_path: str, tmp_path: Path, overlay: str) -> None:
    folder = copied(tmp_path) / overlay
    path = folder / "kustomization.yaml"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if "../../board" not in line]
    assert len(kept) == len(lines) - 1
    path.write_text("".join(kept), encoding="utf-8")
    without = rendered(folder, kubectl_path)
    assert "board" not in {each["metadata"]["name"] for each in without}
    assert actors(without).keys() - {"primary"} == ROLES


def test_webhooks_reach_the_gateway(production: list[Manifest]) -> None:
    gateway = settings(production, "gateway-settings")
    url = urlsplit(gateway["WARMXFER_WEBHOOK_URL"])
    (rule,) = of_kind(production, "Ingress")["webhooks"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert (rule["host"], path["path"]) == (url.hostname, url.path)
    service = of_kind(production, "Service")[path["backend"]["service"]["name"]]
    (port,) = service["spec"]["ports"]
    assert port["name"] == path["backend"]["service"]["port"]["name"]
    ports = {
        each["name"]: each["containerPort"] for each in container(actors(production)["gateway"])["ports"]
    }
    assert str(ports[port["targetPort"]]) == gateway["WARMXFER_WEBHOOK_PORT"]


def test_prometheus_finds_each_process_ready_or_not(manifests: list[Manifest]) -> None:
    config = yaml.safe_load((ROOT / "ops/prometheus/prometheus.yaml").read_text(encoding="utf-8"))
    (names,) = config["scrape_configs"][0]["dns_sd_configs"]
    services = of_kind(manifests, "Service")
    for role, manifest in actors(manifests).items():
        assert role in names["names"]
        service = services[role]["spec"]
        assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
        labels = manifest["spec"]["template"]["metadata"]["labels"]
        assert service["selector"].items() <= labels.items()


@pytest.mark.parametrize(
    ("name", "service"), [("nats", "nats"), ("prometheus", "prometheus"), ("grafana", "grafana")]
)
def test_compose_and_the_manifests_run_the_same_images(demo: list[Manifest], name: str, service: str) -> None:
    found = {**of_kind(demo, "Deployment"), **of_kind(demo, "StatefulSet")}
    default = re.fullmatch(r"\$\{\w+_IMAGE:-(\S+)\}", SERVICES[service]["image"])
    assert default is not None
    assert container(found[name])["image"] == default[1]


def test_production_names_a_version_of_each_image(production: list[Manifest]) -> None:
    images = {
        container(each)["image"]
        for each in production
        if each["kind"] in {"Deployment", "StatefulSet", "Job"}
    }
    assert [each for each in images if not re.search(r":[\w.-]*\d", each)] == []
