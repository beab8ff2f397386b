"""Connecting names the fault in one sentence, and no credential is shown."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import time

import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from tests.testkit.nats_server import ConfiguredServer, restart
from warmxfer.bus import (
    AccessDenied,
    Bus,
    BusSettings,
    EmbeddedServer,
    Unavailable,
    UnsupportedServer,
    subjects,
)


async def fake_server(greeting: str) -> asyncio.Server:
    """Start a server that greets like an old nats-server and replies to a ping."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"INFO {greeting}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def test_no_server_at_the_address_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"nats://127.0.0.1:{unused.getsockname()[1]}"
        sentence = rf"^No NATS server answers at {url} \(connection refused\); start one, or set NATS_URL$"
        with pytest.raises(Unavailable, match=sentence):
            await Bus.connect(BusSettings(url=url), name="test", deadline_s=0.4)


async def test_connecting_waits_for_a_broker_that_starts_late() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    connecting = asyncio.create_task(
        Bus.connect(BusSettings(url=f"nats://127.0.0.1:{port}"), name="test", deadline_s=10)
    )
    await asyncio.sleep(0.3)
    async with EmbeddedServer(port=port), await connecting as bus:
        assert bus.connected


async def test_wrong_credentials_are_rejected_at_once_and_not_shown() -> None:
    async with ConfiguredServer(extra="authorization { user: me, password: right }") as server:
        started = time.monotonic()
        with pytest.raises(AccessDenied, match="refused the credentials; check NATS_CREDS") as caught:
            await Bus.connect(
                BusSettings(url=server.url, user="me", password="wr0ng"), name="test", deadline_s=30
            )
        assert time.monotonic() - started < 15
        assert "wr0ng" not in str(caught.value)
        async with await Bus.connect(
            BusSettings(url=server.url, user="me", password="right"), name="test"
        ) as bus:
            assert bus.connected


async def test_a_forbidden_subject_is_access_denied_at_once() -> None:
    users = (
        'authorization { users: [{ user: u, password: p, permissions: { publish: { deny: "*.*.*.log" } } }] }'
    )
    async with (
        ConfiguredServer(extra=users) as server,
        await Bus.connect(BusSettings(url=server.url, user="u", password="p"), name="test") as bus,
    ):
        await bus.ensure()
        await bus.publish(subjects.event("a", "gateway"), b"{}")
        with pytest.raises(AccessDenied, match=r"^This user may not publish wx\.\d+\.a\.log$"):
            await bus.publish(subjects.log("a"), b"{}", deadline_s=30)


async def test_a_user_who_may_not_create_the_stream_is_told_so_at_once() -> None:
    """nats-py reports the subject in lower case. So this used to wait for its deadline, and a worker did not
    leave the stream to the coordinator.
    """
    users = (
        "authorization { users: [{ user: u, password: p, "
        'permissions: { publish: { deny: "$JS.API.STREAM.CREATE.>" } } }] }'
    )
    async with (
        ConfiguredServer(extra=users) as server,
        await Bus.connect(BusSettings(url=server.url, user="u", password="p"), name="test") as bus,
    ):
        started = time.monotonic()
        with pytest.raises(
            AccessDenied, match=r"^This user may not publish \$JS\.API\.STREAM\.CREATE\.WARMXFER_\w+$"
        ):
            await bus.ensure()
        assert time.monotonic() - started < 5, "the deadline of an attempt is 10 s"


@pytest.mark.parametrize("version", ["1.4.1", "2.10.22", "2.13.9", "2.14.2"])
async def test_an_old_server_is_unsupported_and_its_version_shown(version: str) -> None:
    server = await fake_server(f'{{"version":"{version}","headers":true,"max_payload":1048576}}')
    async with server:
        url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        sentence = f"The NATS server at {url} is version {version}; warmxfer needs 2.14.3 or newer"
        with pytest.raises(UnsupportedServer, match=f"^{re.escape(sentence)}"):
            await Bus.connect(BusSettings(url=url), name="test")


async def test_a_server_without_jetstream_is_unsupported() -> None:
    async with ConfiguredServer(jetstream=False) as server:
        with pytest.raises(UnsupportedServer, match="runs without JetStream; start it with -js"):
            await Bus.connect(BusSettings(url=server.url), name="test")


async def test_no_credential_reaches_the_log() -> None:
    password = secrets.token_hex(8)
    async with ConfiguredServer(extra=f"authorization {{ user: me, password: {password} }}") as server:
        url = server.url.replace("//", f"//me:{password}@")
        with capture_logs() as logs:
            async with await Bus.connect(BusSettings(url=url), name="test") as bus:
                await bus.ensure()
                await restart(server, kill=True)
                await bus.publish(subjects.log("a"), b"")
    assert {"bus_disconnected", "bus_reconnected"} <= {entry["event"] for entry in logs}
    assert password not in repr(logs)


async def test_an_actor_shows_in_the_list_of_services(bus: Bus, nats_url: str) -> None:
    name = f"test-{secrets.token_hex(4)}"
    await bus.register_service(name, "1.2.3", "a test", {"fact": "one"})
    assert (name, {"fact": "one"}) in [(each, dict(facts)) for each, facts in (await bus.diagnose()).facts]
    client = Client()
    await client.connect(nats_url)
    try:
        reply = await client.request(f"$SRV.PING.{name}", b"", timeout=15)
    finally:
        await client.close()
    assert f'"name": "{name}"'.encode() in reply.data
    assert b'"version": "1.2.3"' in reply.data


async def test_closing_ends_subscriptions_and_wait_closed(nats_url: str) -> None:
    bus = await Bus.connect(BusSettings(url=nats_url), name="test")
    async with bus.subscribe("warmxfer.*.phase") as messages:
        await bus.drain()
        async with asyncio.timeout(15):
            assert [message async for message in messages] == []
            await bus.wait_closed()
    with pytest.raises(Unavailable):
        await bus.publish(subjects.log("a"), b"", deadline_s=0.2)
