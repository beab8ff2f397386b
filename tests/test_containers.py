"""The container files agree with the code. A machine without a container engine can run these tests."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from warmxfer.bus.embedded_server import find_nats_server
from warmxfer.bus.subject_table import USERS

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PASSWORDS = {f"NATS_PASSWORD_{user.upper()}" for user in USERS}
FOLDERS = (
    "schemas",
    "metrics",
    "tracing",
    "bus",
    "client",
    "adapters",
    "actors",
    "integrations",
    "cli",
    "sandbox",
)
ACTORS = {"coordinator", "summarizer", "gateway", "briefing", "primary"}


def test_the_services_are_the_actors_the_broker_and_the_sandbox() -> None:
    assert set(SERVICES) == {"nats", "sandbox", *ACTORS}
    for role in ACTORS:
        assert SERVICES[role]["command"] == ["run", role]


def test_every_actor_but_the_primary_can_be_scaled() -> None:
    assert SERVICES["primary"]["environment"]["WARMXFER_ROOM_ID"] == "demo-room"
    for role in ACTORS - {"primary"}:
        assert "container_name" not in SERVICES[role]
        assert "ports" not in SERVICES[role]


def test_actors_start_after_the_broker_is_healthy() -> None:
    assert SERVICES["nats"]["healthcheck"]["test"][0] == "CMD"
    for role in ACTORS:
        assert SERVICES[role]["depends_on"]["nats"] == {"condition": "service_healthy"}


def test_only_the_gateway_has_the_providers_secret() -> None:
    with_secret = {
        name for name, service in SERVICES.items() if "VIDEOSDK_SECRET" in service.get("environment", {})
    }
    assert with_secret == {"gateway", "sandbox"}


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
    own = PASSWORDS if service == "nats" else set[str]()
    assert set(SERVICES[service].get("environment", {})) - own <= known


def test_the_broker_has_the_password_of_each_user_and_an_actor_only_its_own() -> None:
    assert set(SERVICES["nats"]["environment"]) == PASSWORDS
    for role in ACTORS:
        environment = SERVICES[role]["environment"]
        assert environment["NATS_USER"] == role
        assert environment["NATS_PASSWORD"] == f"${{NATS_PASSWORD_{role.upper()}:?}}"
        assert str(environment).count("NATS_PASSWORD_") == 1


def test_the_image_holds_every_folder_and_pins_every_package() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for folder in FOLDERS:
        assert f"COPY {folder} {folder}" in dockerfile
        assert f"!{folder}" in ignored
    assert "--require-hashes -r requirements.lock" in dockerfile


def test_nats_server_accepts_the_configuration() -> None:
    path = ROOT / "ops" / "nats.conf"
    assert f"./{path.relative_to(ROOT)}:/etc/nats/nats.conf:ro" in SERVICES["nats"]["volumes"]
    checked = subprocess.run(
        [find_nats_server(), "-t", "-c", str(path)],
        env=dict.fromkeys(PASSWORDS, "secret"),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "sync_interval: always" in path.read_text(encoding="utf-8")
