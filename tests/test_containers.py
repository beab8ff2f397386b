"""The container files agree with the code. A machine without a container engine can run these tests."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.docs.pages import FOLDERS
from warmxfer.actors.runtime.runner import CONNECT_DEADLINE_S, DRAIN_S
from warmxfer.bus.bus import DRAIN_DEADLINE_S
from warmxfer.bus.embedded_server import find_nats_server
from warmxfer.bus.subject_table import USERS
from warmxfer.cli.board.command import PORT as BOARD_PORT

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SCHEMA = Draft7Validator(json.loads((ROOT / "tests/vendor/compose/compose-spec.json").read_text("utf-8")))
SECRETS = {f"./secrets/{name}.env" for name in (*USERS, "nats", "sandbox")}
"""The files that `warmxfer permissions --write secrets` writes (tests/cli/test_permissions.py)."""
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#"))
ACTORS = {"coordinator", "summarizer", "gateway", "briefing", "primary"}


def running(*profiles: str) -> set[str]:
    """Return the services that `docker compose` starts with these profiles."""
    return {name for name, service in SERVICES.items() if set(service["profiles"]) & set(profiles)}


def env_files(service: str) -> list[str]:
    found = SERVICES[service].get("env_file", [])
    return [found] if isinstance(found, str) else found


def seconds(duration: str) -> float:
    assert re.fullmatch(r"\d+s", duration)
    return float(duration[:-1])


def test_the_file_is_valid() -> None:
    assert [f"{list(each.path)}: {each.message}" for each in SCHEMA.iter_errors(COMPOSE)] == []


def test_a_misspelt_key_is_not_valid() -> None:
    wrong = copy.deepcopy(COMPOSE)
    wrong["services"]["gateway"]["healtcheck"] = wrong["services"]["gateway"].pop("healthcheck")
    assert [list(each.path) for each in SCHEMA.iter_errors(wrong)] == [["services", "gateway"]]


@pytest.mark.parametrize("profile", ["one", "cluster", "board"])
def test_docker_compose_accepts_the_file(profile: str, tmp_path: Path) -> None:
    """Needs no container engine."""
    compose = shutil.which("docker-compose")
    if compose is None:
        pytest.skip("docker-compose is not installed")
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    for name in SECRETS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    command = [compose, "--profile", profile, "config", "--services"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == running(profile)


def test_a_profile_starts_one_broker_or_three_and_every_actor() -> None:
    everywhere = {"sandbox", *ACTORS}
    assert running("one") == {"nats", "deploy", *everywhere}
    assert running("cluster") == {"nats-1", "nats-2", "nats-3", "deploy-cluster", *everywhere}
    assert running("observability") == {"prometheus", "grafana"}
    assert running("board") == {"board"}
    assert running() == set()
    for role in ACTORS:
        assert SERVICES[role]["command"] == ["run", role]


def test_every_actor_but_the_primary_can_be_scaled() -> None:
    assert SERVICES["primary"]["environment"]["WARMXFER_ROOM_ID"] == "demo-room"
    for role in ACTORS - {"primary"}:
        assert "container_name" not in SERVICES[role]
        assert "ports" not in SERVICES[role]


@pytest.mark.parametrize(("profile", "deploy"), [("one", "deploy"), ("cluster", "deploy-cluster")])
def test_actors_start_after_the_streams_exist_and_the_brokers_are_healthy(profile: str, deploy: str) -> None:
    brokers = {name for name in running(profile) if name.startswith("nats")}
    assert SERVICES[deploy]["depends_on"] == {name: {"condition": "service_healthy"} for name in brokers}
    assert SERVICES[deploy]["command"] == ["deploy"]
    for service in (*ACTORS, "board"):
        assert SERVICES[service]["depends_on"][deploy] == {
            "condition": "service_completed_successfully",
            "required": False,  # It is not started in the other profile.
        }


def test_the_cluster_is_reached_by_one_name_and_keeps_three_replicas() -> None:
    names = running("cluster") - running("one") - {"deploy-cluster"}
    for name in names:
        assert SERVICES[name]["networks"] == {"default": {"aliases": ["nats"]}}
        assert SERVICES[name]["environment"] == {"NATS_SERVER_NAME": name}
    assert SERVICES["deploy-cluster"]["environment"]["WARMXFER_REPLICAS"] == str(len(names))
    stores = [SERVICES[name]["volumes"][1] for name in names]
    assert sorted(stores) == [f"stream-{number}:/data" for number in (1, 2, 3)]


def test_every_service_that_stays_has_a_health_check() -> None:
    for name in SERVICES.keys() - {"deploy", "deploy-cluster"}:
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD", name
    for role in ACTORS:
        check = SERVICES[role]["healthcheck"]
        port = SERVICES[role]["environment"]["WARMXFER_HEALTH_PORT"]
        path = "healthz" if role == "primary" else "readyz"  # It is ready only while there is a caller.
        assert f"http://127.0.0.1:{port}/{path}" in check["test"][-1]
        assert seconds(check["start_period"]) > CONNECT_DEADLINE_S


def test_the_board_only_shows_and_is_reached_at_its_own_port_on_this_machine() -> None:
    """Its own user of the broker and its token are in one file, and nothing prints the token."""
    board = SERVICES["board"]
    assert board["command"] == ["board", "--host", "0.0.0.0", "--port", str(BOARD_PORT)]
    assert board["ports"] == [f"127.0.0.1:{BOARD_PORT}:{BOARD_PORT}"]
    assert f"http://127.0.0.1:{BOARD_PORT}/healthz" in board["healthcheck"]["test"][-1]
    assert board["environment"] == {"NATS_URL": "nats://nats:4222", "WARMXFER_LOG": "json"}


def test_an_actor_has_time_to_drain() -> None:
    for role in ACTORS:
        assert seconds(SERVICES[role]["stop_grace_period"]) > DRAIN_S + DRAIN_DEADLINE_S


def test_no_service_has_a_secret_in_the_file() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert {name for name in re.findall(r"\$\{(\w+)", text) if not name.endswith("_IMAGE")} == set()
    found = {
        (name, variable): value
        for name, service in SERVICES.items()
        for variable, value in service.get("environment", {}).items()
        if re.search("PASSWORD|SECRET|TOKEN|KEY|CREDS", variable)
    }
    assert {variable for _, variable in found} == {"WARMXFER_LLM_API_KEY", "WARMXFER_WEBHOOK_PUBLIC_KEY"}
    assert set(found.values()) == {"sandbox", "fetch"}  # the sandbox reads no key; a public key is no secret


def test_a_service_has_the_secrets_of_its_own_user_only() -> None:
    own = {role: [f"./secrets/{role}.env"] for role in ACTORS}
    own["gateway"].append("./secrets/sandbox.env")
    own["sandbox"] = ["./secrets/sandbox.env"]
    own["board"] = ["./secrets/board.env"]
    own |= {name: ["./secrets/deploy.env"] for name in ("deploy", "deploy-cluster")}
    own |= {name: ["./secrets/nats.env"] for name in SERVICES if name.startswith("nats")}
    assert {name: env_files(name) for name in SERVICES if env_files(name)} == own
    assert {each for files in own.values() for each in files} <= SECRETS


def test_ports_are_published_on_this_machine_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_the_coordinator_and_the_gateway_have_one_dial_policy() -> None:
    coordinator, gateway = (
        {name: value for name, value in SERVICES[role]["environment"].items() if "_DIAL_" in name}
        for role in ("coordinator", "gateway")
    )
    assert coordinator == gateway
    assert coordinator["WARMXFER_DIAL_REGIONS"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_documented(service: str) -> None:
    known = set(
        re.findall(r"`((?:WARMXFER|NATS|VIDEOSDK)_\w+)`", (ROOT / "docs/configuration.md").read_text())
    )
    if service not in {"prometheus", "grafana"}:
        variables = set(SERVICES[service].get("environment", {})) - {"NATS_SERVER_NAME"}
        assert variables <= known


def test_the_image_holds_every_folder_and_pins_every_package() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for folder in FOLDERS:
        assert f"COPY {folder} {folder}" in DOCKERFILE
        assert f"!{folder}" in ignored


def test_the_image_fetches_nothing_without_its_hash() -> None:
    """Regression: `pip install .` fetched setuptools, and the extra `videosdk`, without hashes."""
    commands = re.findall(r"bin/pip\b[^&\n\\]*", INSTRUCTIONS)
    assert len(commands) == 4
    for command in commands:
        assert ("--require-hashes" in command) != ("--no-index" in command), command
    # A source package is built by the tools of the lock: pip would fetch others without hashes.
    assert all("--no-build-isolation" in command for command in commands if " wheel " in command)
    locks = set(re.findall(r"requirements[\w-]*\.lock", DOCKERFILE))
    assert locks == {path.name for path in ROOT.glob("requirements*.lock")}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{lock}" for lock in locks} <= set(ignored)
    assert not re.search(r"\b(curl|wget|apt-get|ADD)\b", INSTRUCTIONS)


def test_each_stage_is_made_from_the_image_of_an_argument() -> None:
    """The release gives a digest (docs/release.md). None is written here: it would be old soon."""
    assert re.findall(r"^FROM (\S+)", INSTRUCTIONS, re.M) == ["${BASE_IMAGE}"] * 2
    assert re.findall(r"^ARG BASE_IMAGE=(.*)$", INSTRUCTIONS, re.M) == ["python:3.11-slim"]
    assert "BASE_IMAGE" in str(SERVICES["gateway"]["build"]["args"])
    for name, service in SERVICES.items():
        assert service["image"] == "warmxfer" or re.fullmatch(
            r"\$\{\w+_IMAGE:-[\w./:-]+\}", service["image"]
        ), name
    assert "sha256:" not in INSTRUCTIONS + (ROOT / "compose.yaml").read_text(encoding="utf-8")


def test_the_process_of_the_image_is_no_root() -> None:
    final = INSTRUCTIONS.rpartition("FROM ")[2]
    (user,) = re.findall(r"^USER (\d+):(\d+)$", final, re.M)
    assert min(map(int, user)) >= 10_000
    assert final.index("USER ") < final.index("ENTRYPOINT")
    assert "RUN" not in final, "the final stage has no tool to build with"


@pytest.mark.parametrize("service", SERVICES)
def test_each_container_has_few_rights_and_limits(service: str) -> None:
    found = SERVICES[service]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert "cap_add" not in found
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert 0 < found["pids_limit"] <= 1_024
    assert re.fullmatch(r"\d+[mg]", found["mem_limit"])
    assert 0 < float(found["cpus"]) <= 4
    assert all("size=" in each for each in found["tmpfs"])
    assert not {"privileged", "devices", "network_mode", "pid", "ipc"} & set(found)
    assert "docker.sock" not in str(found)


@pytest.mark.parametrize("servers", [[], ["nats-1", "nats-2", "nats-3"]], ids=["one", "cluster"])
def test_nats_server_accepts_the_configuration(servers: list[str], tmp_path: Path) -> None:
    options = [option for server in servers for option in ("--server", server)]
    command = [sys.executable, "-m", "warmxfer.cli", "permissions", "--write", str(tmp_path), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    for name, service in SERVICES.items():
        if name.startswith("nats"):
            assert service["volumes"][0] == "./secrets/nats.conf:/etc/nats/nats.conf:ro"
    variables = dict(line.split("=", 1) for line in (tmp_path / "nats.env").read_text().splitlines())
    checked = subprocess.run(
        [find_nats_server(), "-t", "-c", str(tmp_path / "nats.conf")],
        env={**variables, "NATS_SERVER_NAME": "nats-1"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "sync_interval: always" in (tmp_path / "nats.conf").read_text()
