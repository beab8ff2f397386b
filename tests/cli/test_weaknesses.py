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


@pytest.mark.parametrize(
    ("env", "settings", "state", "says"),
    [
        ({}, ELSEWHERE, "note", "`cipher` and `key` must stand in its block `jetstream`"),
        ({"WARMXFER_STORE_ENCRYPTED": "yes"}, ELSEWHERE, "ok", "WARMXFER_STORE_ENCRYPTED says that"),
        ({"WARMXFER_STORE_ENCRYPTED": "no"}, ELSEWHERE, "wrong", "so a reader of its disk reads numbers"),
        ({"WARMXFER_STORE_ENCRYPTED": "no"}, HERE, "note", "so a reader of its disk reads numbers"),
        ({"WARMXFER_STORE_ENCRYPTED": "aes"}, HERE, "wrong", "is 'aes'; write yes or no"),
        ({"WARMXFER_STORE_DIR": "/nowhere"}, HERE, "wrong", "'/nowhere', where this user finds no stream"),
    ],
)
def test_a_store_whose_files_are_not_here(
    env: dict[str, str], settings: BusSettings, state: str, says: str
) -> None:
    """The sentence is true in each case: it repeats what was said, or says that nothing is known."""
    found = store_finding(env, settings)
    assert (found.about, found.state) == ("store", state)
    assert says in found.sentence


@pytest.mark.parametrize("key", [None, "a-key-of-the-store-for-this-test"])
async def test_a_store_whose_files_are_here_is_looked_at(tmp_path: Path, key: str | None) -> None:
    async with EmbeddedServer(store_dir=tmp_path, store_key=key) as server:
        own = {"NATS_URL": server.url, "WARMXFER_STORE_DIR": str(tmp_path), "WARMXFER_STORE_ENCRYPTED": "yes"}
        async with await Bus.connect(BusSettings.from_env(own), name="deploy") as bus:
            await bus.ensure()
        (found,) = [each for each in await examine(own) if each.about == "store"]
    assert found.state == ("ok" if key else "note")
    assert ("are encrypted" in found.sentence) == bool(key)
    assert ("$G/WARMXFER_CORE" in found.sentence) != bool(key)


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
