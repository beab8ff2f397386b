"""`warmxfer doctor` says each weakness of a set-up in one sentence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.testkit.certificates import Authority
from warmxfer.bus import Bus, BusSettings, EmbeddedServer
from warmxfer.cli.doctor import examine
from warmxfer.cli.doctor.actors import dial_findings, gateway_findings
from warmxfer.cli.doctor.broker import user_finding
from warmxfer.cli.doctor.weaknesses import store_finding, tls_finding

from .test_doctor import broker_report

HERE, ELSEWHERE = BusSettings(), BusSettings(url="nats://nats.example:4222")


@pytest.mark.parametrize(("settings", "state"), [(HERE, "note"), (ELSEWHERE, "wrong")])
def test_a_connection_that_can_be_read(settings: BusSettings, state: str) -> None:
    found = tls_finding(dataclasses.replace(broker_report(), encrypted=False), settings)
    assert (found.about, found.state) == ("tls", state)
    assert found.sentence.startswith("The connection to the broker is not encrypted")
    assert "write tls:// into NATS_URL" in found.sentence
    assert tls_finding(broker_report(), settings).state == "ok"


@pytest.mark.parametrize(("settings", "state"), [(HERE, "note"), (ELSEWHERE, "wrong")])
def test_a_broker_that_lets_in_every_client(settings: BusSettings, state: str) -> None:
    found = user_finding(dataclasses.replace(broker_report(), authenticated=False), settings)
    assert (found.about, found.state) == ("users", state)
    assert "lets in every client without credentials" in found.sentence


def test_a_store_that_may_be_readable() -> None:
    assert "`cipher` and `key` must stand in its block `jetstream`" in store_finding().sentence


def test_regions_that_are_not_set_and_webhooks_that_are_not_signed() -> None:
    facts = {
        "dial_policy": "1",
        "dial_regions": "",
        "webhooks": "unsigned",
        "deployment": "",
        "provider_rate": "0",
    }
    report = dataclasses.replace(broker_report(), facts=(("warmxfer-gateway", facts),))
    (regions,) = dial_findings(report)
    assert regions.sentence.startswith("WARMXFER_DIAL_REGIONS is not set: every region may be dialled")
    (webhooks,) = [each for each in gateway_findings(report) if each.about == "webhooks"]
    assert "takes unsigned webhooks" in webhooks.sentence


async def test_doctor_says_them_of_a_running_broker(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.server_tls(mutual=False)
    async with EmbeddedServer() as plain, EmbeddedServer(tls=tls) as encrypted:
        for server, env, state in ((plain, {}, "note"), (encrypted, {"NATS_CA": authority.ca}, "ok")):
            own = {"NATS_URL": server.url, **env}
            async with await Bus.connect(BusSettings.from_env(own), name="deploy") as bus:
                await bus.ensure()
            about = {found.about: found.state for found in await examine(own)}
            assert (about["tls"], about["users"], about["store"]) == (state, "note", "note")
