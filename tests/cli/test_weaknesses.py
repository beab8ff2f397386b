"""`warmxfer doctor` says each weakness of a set-up in one sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.testkit.certificates import Authority
from warmxfer.actors.gateway import GatewaySettings
from warmxfer.bus import BrokerReport, BusSettings, EmbeddedServer
from warmxfer.cli import weaknesses
from warmxfer.cli.doctor import dial_findings, examine, user_finding

REPORT = BrokerReport("2.15.1", 100.0, 7, 1, {})
HERE, ELSEWHERE = BusSettings(), BusSettings(url="nats://nats.example:4222")
PROVIDER = {
    "VIDEOSDK_API_KEY": "k",
    "VIDEOSDK_SECRET": "a-secret-of-at-least-thirty-two-bytes",
    "VIDEOSDK_BASE_URL": "http://127.0.0.1:1",
}


@pytest.mark.parametrize(("settings", "state"), [(HERE, "note"), (ELSEWHERE, "wrong")])
def test_a_connection_that_can_be_read(settings: BusSettings, state: str) -> None:
    plain = dataclasses.replace(REPORT, encrypted=False)
    tls, _ = weaknesses.of_broker(plain, settings)
    assert (tls.about, tls.state) == ("tls", state)
    assert tls.sentence.startswith("The connection to the broker is not encrypted")
    assert "write tls:// into NATS_URL" in tls.sentence
    assert weaknesses.of_broker(REPORT, settings)[0].state == "ok"


@pytest.mark.parametrize(("settings", "state"), [(HERE, "note"), (ELSEWHERE, "wrong")])
def test_a_broker_that_lets_in_every_client(settings: BusSettings, state: str) -> None:
    found = user_finding(dataclasses.replace(REPORT, authenticated=False), settings)
    assert (found.about, found.state) == ("users", state)
    assert "lets in every client without credentials" in found.sentence


def test_a_store_that_may_be_readable() -> None:
    """nats-server 2.15 says nothing of its encryption to a client, so that is what doctor says."""
    _, store = weaknesses.of_broker(REPORT, HERE)
    assert (store.about, store.state) == ("store", "note")
    assert "`cipher` and `key` must stand in its block `jetstream`" in store.sentence


def test_regions_that_are_not_set() -> None:
    facts = (("warmxfer-gateway", {"dial_policy": "1", "dial_regions": ""}),)
    (found,) = dial_findings(dataclasses.replace(REPORT, facts=facts))
    assert found.sentence.startswith("WARMXFER_DIAL_REGIONS is not set: every region may be dialled")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, []),
        ({"WARMXFER_WEBHOOK_PORT": "0"}, ["note"]),
        ({"WARMXFER_WEBHOOK_PORT": "0", "WARMXFER_WEBHOOK_PUBLIC_KEY": "fetch"}, ["ok"]),
    ],
)
def test_webhooks_without_a_signature(env: Mapping[str, str], expected: list[str]) -> None:
    found = weaknesses.of_gateway(GatewaySettings.from_env(PROVIDER | dict(env)))
    assert [each.state for each in found] == expected
    if expected == ["note"]:
        assert found[0].sentence.startswith("WARMXFER_WEBHOOK_PUBLIC_KEY is not set: ")


async def test_doctor_says_them_of_a_running_broker(tmp_path: Path) -> None:
    tls = Authority(tmp_path).server_tls(mutual=False)
    env = PROVIDER | {"WARMXFER_WEBHOOK_PORT": "0"}
    async with EmbeddedServer() as plain, EmbeddedServer(tls=tls) as encrypted:
        for server, state in ((plain, "note"), (encrypted, "ok")):
            own = {"NATS_URL": server.url} | (
                {"NATS_CA": f"{tmp_path}/warmxfer-ca.pem"} if state == "ok" else {}
            )
            about = {found.about: found.state for found in await examine(env | own)}
            assert (about["tls"], about["users"], about["store"]) == (state, "note", "note")
            assert about["webhooks"] == "note"
