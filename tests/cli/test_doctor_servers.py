"""What `warmxfer doctor` says of several servers if the broker does not answer."""

from __future__ import annotations

import socket

import pytest

from warmxfer.bus import BusSettings
from warmxfer.cli.doctor.command import examine
from warmxfer.cli.doctor.servers import server_findings

UNUSED = ("127.0.0.1", 1)


@pytest.fixture
def listening() -> object:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.mark.parametrize(
    ("up", "down", "excerpt"),
    [
        (2, 1, "2 of 3 servers take connections, and 127.0.0.1:1 does not; a cluster that has just lost"),
        (1, 1, "1 of 2 servers take connections, which is no majority; start 127.0.0.1:1."),
        (0, 3, "None of the 3 servers takes connections; start them."),
        (3, 0, "All 3 servers take connections; a cluster that has just lost"),
    ],
)
async def test_the_servers_that_take_no_connection_are_named(
    listening: tuple[str, int], up: int, down: int, excerpt: str
) -> None:
    (found,) = await server_findings([listening] * up + [UNUSED] * down)
    assert (found.state, found.code) == ("wrong", 3)
    assert found.sentence.startswith(excerpt)


async def test_one_server_adds_no_finding(listening: tuple[str, int]) -> None:
    assert await server_findings([listening]) == []


async def test_doctor_names_them_if_no_server_answers() -> None:
    found = await examine({"NATS_URL": "nats://127.0.0.1:1,nats://127.0.0.1:2"})
    assert [each.about for each in found][:2] == ["nats", "nats"]
    assert found[1].sentence == "None of the 2 servers takes connections; start them."


def test_each_server_has_an_address() -> None:
    settings = BusSettings.from_env({"NATS_URL": "tls://u:p@broker-1,broker-2:4333"})
    assert settings.addresses == [("broker-1", 4222), ("broker-2", 4333)]
