"""KEDA scales each role on all of its durable consumers, by the names that the bus gives them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.docs.pages import DOCS, read_page
from warmxfer.bus import Bus, BusSettings, EmbeddedServer
from warmxfer.bus.consumer_table import CONSUMERS
from warmxfer.bus.partition import PARTITIONS
from warmxfer.bus.permission_file import DEFAULT_TENANT, Login, accounts
from warmxfer.bus.subject_table import USERS

from .autoscaling import FOLDER, NAMESPACE, SCALES, files
from .rendering import Manifest
from .test_schemas import SCALED


def triggers(scaled: dict[str, Any]) -> list[dict[str, str]]:
    return [each["metadata"] for each in scaled["spec"]["triggers"]]


def test_the_files_are_what_the_table_of_consumers_gives() -> None:
    written = {
        path.name: path.read_text() for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml"
    }
    assert written == files(), "run: uv run --group dev python -m tests.ops.kubernetes.autoscaling --write"


def test_each_consumer_has_one_trigger_of_its_role() -> None:
    found = [
        (scaled["spec"]["scaleTargetRef"]["name"], each["stream"], each["consumer"])
        for scaled in SCALED
        for each in triggers(scaled)
    ]
    assert sorted(found) == sorted((spec.role, spec.stream, name) for name, spec in CONSUMERS.items())
    assert {each["account"] for scaled in SCALED for each in triggers(scaled)} == {DEFAULT_TENANT}


def test_there_are_no_more_coordinators_than_partitions() -> None:
    (coordinator,) = (each for each in SCALED if each["metadata"]["name"] == "coordinator")
    assert coordinator["spec"]["maxReplicaCount"] == PARTITIONS


async def test_keda_finds_each_consumer_in_the_statistics_of_the_broker() -> None:
    """The request is that of KEDA's scaler, and so is the way to its figures."""
    login = {user: Login(password="p") for user in USERS}
    async with EmbeddedServer(accounts=accounts({DEFAULT_TENANT: login}), monitored=True) as server:
        settings = BusSettings(url=server.url, user="deploy", password="p")
        async with await Bus.connect(settings, name="deploy") as bus:
            await bus.ensure()
        query = {"acc": DEFAULT_TENANT, "consumers": "true", "config": "true"}
        async with httpx.AsyncClient(base_url=str(server.monitor_url)) as client:
            shown = (await client.get("/jsz", params=query)).json()
    found = {
        (account["name"], stream["name"], each["name"]): (
            each["num_pending"],
            each["num_ack_pending"],
        )
        for account in shown["account_details"]
        for stream in account["stream_detail"]
        for each in stream.get("consumer_detail", [])
    }
    wanted = [(each["account"], each["stream"], each["consumer"]) for one in SCALED for each in triggers(one)]
    assert {name: found.get(name) for name in wanted} == dict.fromkeys(wanted, (0, 0))


def test_the_page_has_the_figures() -> None:
    section = read_page(DOCS / "deployment.md").find("Scaling by backlog")
    rows = section.table("role", "backlog for each process", "at least", "at most").rows
    shown = {
        row["role"].strip("`"): (
            int(row["backlog for each process"].split()[0]),
            int(row["at least"]),
            int(row["at most"]),
        )
        for row in rows
    }
    assert shown == {scale.role: (scale.backlog, scale.least, scale.most) for scale in SCALES}


def test_a_role_is_never_scaled_below_two() -> None:
    assert [each["metadata"]["name"] for each in SCALED if each["spec"]["minReplicaCount"] < 2] == []


def test_the_targets_exist_and_leave_their_number_to_keda(production: list[Manifest]) -> None:
    deployments = {each["metadata"]["name"]: each for each in production if each["kind"] == "Deployment"}
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in production if each["kind"] == "ScaledObject"}
    assert scaled == deployments.keys() - {"board"}, "one board is enough"
    assert [name for name in scaled if "replicas" in deployments[name]["spec"]] == []


def test_the_broker_is_asked_where_it_is(production: list[Manifest]) -> None:
    (nats,) = (
        each for each in production if each["kind"] == "Service" and each["metadata"]["name"] == "nats"
    )
    assert nats["metadata"]["namespace"] == NAMESPACE
    ports = {port["name"]: port["port"] for port in nats["spec"]["ports"]}
    endpoints = {each["natsServerMonitoringEndpoint"] for scaled in SCALED for each in triggers(scaled)}
    assert endpoints == {f"nats.{NAMESPACE}.svc:{ports['monitor']}"}
