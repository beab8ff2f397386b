"""Connecting says in one sentence what is wrong; a connected bus writes, reads and comes back by itself."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time

import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from warmxfer.bus import (
    AccessDenied,
    Broken,
    Bus,
    BusSettings,
    EmbeddedServer,
    Outgoing,
    Refused,
    StaleWrite,
    Unavailable,
    UnfitServer,
    subjects,
)


async def fake_server(greeting: str) -> asyncio.Server:
    """A server that greets as an old nats-server would, and answers a ping."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"INFO {greeting}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def test_nothing_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"nats://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(
            Unavailable, match=rf"^No NATS server answers at {url} \(.*refused.*\); start one"
        ):
            await Bus.connect(BusSettings(url=url), name="test", patience_s=0.4)


async def test_a_broker_that_comes_up_late_is_waited_for() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    connecting = asyncio.create_task(
        Bus.connect(BusSettings(url=f"nats://127.0.0.1:{port}"), name="test", patience_s=10)
    )
    await asyncio.sleep(0.3)
    async with EmbeddedServer(port=port), await connecting as bus:
        assert bus.connected


async def test_wrong_credentials_are_told_at_once_and_not_repeated_back() -> None:
    async with EmbeddedServer(extra="authorization { user: me, password: right }") as server:
        started = time.monotonic()
        with pytest.raises(AccessDenied, match="refused the credentials; check NATS_CREDS") as caught:
            await Bus.connect(BusSettings(url=server.url, user="me", password="wr0ng"), name="test")
        assert time.monotonic() - started < 2
        assert "wr0ng" not in str(caught.value)
        async with await Bus.connect(
            BusSettings(url=server.url, user="me", password="right"), name="test"
        ) as bus:
            assert bus.connected


async def test_a_forbidden_subject_is_told_at_once() -> None:
    users = (
        'authorization { users: [{ user: u, password: p, permissions: { publish: { deny: "*.*.log" } } }] }'
    )
    async with (
        EmbeddedServer(extra=users) as server,
        await Bus.connect(BusSettings(url=server.url, user="u", password="p"), name="test") as bus,
    ):
        await bus.ensure()
        await bus.publish(subjects.event("a"), b"{}")
        with pytest.raises(AccessDenied, match=r"^This user may not publish warmxfer\.a\.log$"):
            await bus.publish(subjects.log("a"), b"{}", deadline_s=3)


async def test_an_old_server_is_named_with_its_version() -> None:
    server = await fake_server('{"version":"2.10.22","headers":true,"max_payload":1048576}')
    async with server:
        url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(
            UnfitServer, match=rf"^The NATS server at {url} is version 2\.10; .* 2\.14 or newer"
        ):
            await Bus.connect(BusSettings(url=url), name="test")


async def test_jetstream_off_is_one_sentence() -> None:
    async with EmbeddedServer(jetstream=False) as server:
        with pytest.raises(UnfitServer, match="runs without JetStream; start it with -js"):
            await Bus.connect(BusSettings(url=server.url), name="test")


async def test_what_is_published_is_read_back(bus: Bus, transfer_id: str) -> None:
    subject = subjects.event(transfer_id)
    assert await bus.last(subject) is None
    seq = await bus.publish(subject, b"one", msg_id=f"{transfer_id}.1", headers={"X-A": "b"})
    stored = await bus.last(subject)
    assert stored is not None
    assert (stored.subject, stored.seq, stored.data) == (subject, seq, b"one")
    assert (stored.msg_id, stored.headers["X-A"]) == (f"{transfer_id}.1", "b")
    assert abs(stored.at - time.time()) < 5


async def test_a_repeat_is_stored_once(bus: Bus, transfer_id: str) -> None:
    subject = subjects.event(transfer_id)
    first = await bus.publish(subject, b"one", msg_id=f"{transfer_id}.1")
    assert await bus.publish(subject, b"one", msg_id=f"{transfer_id}.1") == first
    assert len(await bus.history(subject, 10)) == 1


async def test_an_id_of_another_subject_loses_no_guarded_record_in_silence(
    bus: Bus, transfer_id: str
) -> None:
    await bus.publish(subjects.event(transfer_id), b"one", msg_id=transfer_id)
    with pytest.raises(Broken, match=r"was used on warmxfer\..*\.event before"):
        await bus.publish(subjects.log(transfer_id), b"two", msg_id=transfer_id, expect_last=0)


async def test_a_doubtful_write_that_was_stored_is_recognised(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The acknowledgement of the first attempt is lost; the second is refused by our own first."""
    subject, replies = subjects.log(transfer_id), bus._link.replies
    real_call, calls = replies.call, []

    async def lossy_call(to: str, *rest: object) -> object:
        reply = await real_call(to, *rest)  # type: ignore[arg-type]
        calls.append(to)
        if calls == [subject]:
            raise TimeoutError
        return reply

    monkeypatch.setattr(replies, "call", lossy_call)
    seq = await bus.publish(subject, b"mine", msg_id=f"{transfer_id}.1", expect_last=0)
    assert calls.count(subject) == 2
    assert [(s.seq, s.data) for s in await bus.history(subject, 10)] == [(seq, b"mine")]


async def test_a_doubtful_write_that_lost_its_race_is_stale(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, replies = subjects.log(transfer_id), bus._link.replies
    real_call, calls = replies.call, []

    async def lossy_call(to: str, *rest: object) -> object:
        calls.append(to)
        if calls == [subject]:
            await real_call(subject, b"theirs", {"Nats-Msg-Id": f"{transfer_id}.other"}, 2.0)
            raise TimeoutError
        return await real_call(to, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(replies, "call", lossy_call)
    with pytest.raises(StaleWrite):
        await bus.publish(subject, b"mine", msg_id=f"{transfer_id}.1", expect_last=0)
    assert [s.data for s in await bus.history(subject, 10)] == [b"theirs"]


async def test_many_are_stored_in_the_order_given(bus: Bus, transfer_id: str) -> None:
    subject = subjects.event(transfer_id)
    numbers = await bus.publish_all([Outgoing(subject, b"%d" % n) for n in range(300)])
    assert numbers == sorted(numbers)
    history = await bus.history(subject, 1_000)
    assert [stored.seq for stored in history] == numbers
    assert [stored.data for stored in history] == [b"%d" % n for n in range(300)]
    assert [stored.data for stored in await bus.history(subject, 3)] == [b"0", b"1", b"2"]


async def test_one_refused_message_does_not_hold_up_the_others(bus: Bus, transfer_id: str) -> None:
    subject = subjects.event(transfer_id)
    large = Outgoing(subject, b"x" * 200_000)
    with pytest.raises(Refused, match="too large; the stream takes 131072 bytes"):
        await bus.publish_all([Outgoing(subject, b"before"), large, Outgoing(subject, b"after")])
    assert [stored.data for stored in await bus.history(subject, 10)] == [b"before", b"after"]


async def test_a_long_history_of_large_messages_is_whole(bus: Bus, transfer_id: str) -> None:
    subject = subjects.event(transfer_id)
    body = b"x" * 100_000
    await bus.publish_all([Outgoing(subject, body) for _ in range(30)])
    assert [len(stored.data) for stored in await bus.history(subject, 100)] == [100_000] * 30


async def test_history_crosses_subjects_in_the_order_of_the_stream(bus: Bus, transfer_id: str) -> None:
    written = [subjects.request(transfer_id), subjects.log(transfer_id), subjects.event(transfer_id)]
    await bus.publish_all([Outgoing(subject, b"") for subject in written])
    assert [s.subject for s in await bus.history(subjects.everything(transfer_id), 10)] == written


async def test_a_subject_nobody_captures_is_unavailable_in_time(bus: Bus) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable, match="no stream captures the subject"):
        await bus.publish("warmxfer.ask.token", b"", deadline_s=0.3)
    assert time.monotonic() - started < 1


async def test_publishing_waits_out_a_killed_broker_and_stores_once(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str
) -> None:
    reconnects: list[float] = []

    async def note() -> None:
        reconnects.append(time.monotonic())

    fresh_bus.on_reconnect(note)
    await fresh_server.stop(kill=True)
    writing = asyncio.create_task(
        fresh_bus.publish(subjects.log(transfer_id), b"one", msg_id="m", expect_last=0, deadline_s=10)
    )
    together = asyncio.create_task(
        fresh_bus.publish_all(
            [Outgoing(subjects.event(transfer_id), b"%d" % n) for n in range(5)], deadline_s=10
        )
    )
    await asyncio.sleep(0.4)
    assert not fresh_bus.connected
    await fresh_server.start()
    await writing
    await together
    assert len(await fresh_bus.history(subjects.log(transfer_id), 10)) == 1
    assert [s.data for s in await fresh_bus.history(subjects.event(transfer_id), 10)] == [
        b"0",
        b"1",
        b"2",
        b"3",
        b"4",
    ]
    assert len(reconnects) == 1


async def test_a_broker_that_stays_away_is_unavailable_at_the_deadline(
    fresh_server: EmbeddedServer, fresh_bus: Bus
) -> None:
    await fresh_server.stop(kill=True)
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await fresh_bus.publish(subjects.log("a"), b"", deadline_s=0.5)
    with pytest.raises(Unavailable):
        await fresh_bus.last(subjects.log("a"), deadline_s=0.5)
    assert 0.9 < time.monotonic() - started < 3


async def test_nothing_acknowledged_is_lost_when_the_broker_is_killed_under_load(
    fresh_server: EmbeddedServer, fresh_bus: Bus
) -> None:
    acknowledged: list[str] = []
    stop = asyncio.Event()

    async def write(writer: int) -> None:
        n = 0
        while not stop.is_set():
            id = f"w{writer}-{n}"
            await fresh_bus.publish(subjects.request(id), id.encode(), msg_id=id, deadline_s=15)
            acknowledged.append(id)
            n += 1

    async with asyncio.TaskGroup() as group:
        for writer in range(8):
            group.create_task(write(writer))
        for _ in range(2):
            await asyncio.sleep(0.4)
            await fresh_server.restart(kill=True)
        await asyncio.sleep(0.6)
        stop.set()
    stored = [s.data.decode() for s in await fresh_bus.history("warmxfer.*.request", 100_000, deadline_s=20)]
    assert len(acknowledged) > 100
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))


async def test_no_credential_reaches_the_log() -> None:
    password = secrets.token_hex(8)
    async with EmbeddedServer(extra=f"authorization {{ user: me, password: {password} }}") as server:
        url = server.url.replace("//", f"//me:{password}@")
        with capture_logs() as logs:
            async with await Bus.connect(BusSettings(url=url), name="test") as bus:
                await bus.ensure()
                await server.restart(kill=True)
                await bus.publish(subjects.log("a"), b"")
    assert {"bus_disconnected", "bus_reconnected"} <= {entry["event"] for entry in logs}
    assert password not in repr(logs)


async def test_an_actor_shows_in_the_list_of_services(bus: Bus, nats_url: str) -> None:
    name = f"test-{secrets.token_hex(4)}"
    await bus.announce(name, "1.2.3", "a test")
    client = Client()
    await client.connect(nats_url)
    try:
        reply = await client.request(f"$SRV.PING.{name}", b"", timeout=2)
    finally:
        await client.close()
    assert f'"name": "{name}"'.encode() in reply.data
    assert b'"version": "1.2.3"' in reply.data


async def test_closing_ends_listeners_and_is_seen(nats_url: str) -> None:
    bus = await Bus.connect(BusSettings(url=nats_url), name="test")
    async with bus.listen("warmxfer.*.phase") as heard:
        await bus.drain()
        async with asyncio.timeout(2):
            assert [message async for message in heard] == []
            await bus.wait_closed()
    with pytest.raises(Unavailable):
        await bus.publish(subjects.log("a"), b"", deadline_s=0.2)
