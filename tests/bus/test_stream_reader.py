"""A read from the stream leader includes every acknowledged write, although a replica is slow."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.chaos.cluster import NODES, three_brokers
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, Outgoing, Unavailable, stream_reader, subjects
from warmxfer.bus.nats_client import ArrivedMessage
from warmxfer.bus.subjects import CORE

STALL_S, RUN_S = 0.1, 0.02
STALE_READS = 10
MAX_WRITES = 2_000
"""A new replica answers direct gets some seconds after the stream was created. Then some hundred suffice."""


async def test_with_one_broker_both_reads_agree(bus: Bus, transfer_id: str) -> None:
    subject = subjects.event(transfer_id, "gateway")
    assert await bus.get_last_from_leader(subject) is None
    await bus.publish(subject, b"one", headers={"X-A": "b: c"})
    seq = await bus.publish(subject, b"\x00two", msg_id=f"{transfer_id}.2")
    found = await bus.get_last_from_leader(subject)
    assert found is not None
    assert found == await bus.get_last(subject) == await bus.get_last_from_leader(subject)
    assert (found.seq, found.data, found.msg_id) == (seq, b"\x00two", f"{transfer_id}.2")
    await bus.publish(subject, b"", headers={"X-A": "b: c"})
    assert await bus.get_last_from_leader(subject) == await bus.get_last(subject)


async def test_both_kinds_of_wildcard_find_the_newest_message(bus: Bus, transfer_id: str) -> None:
    dial, brief = (subjects.work_queue(transfer_id, role) for role in ("gateway", "briefing"))
    await bus.publish(dial, b"dial")
    await bus.publish(brief, b"brief")
    of_all_roles = brief.removesuffix("briefing")
    for wildcard in (f"{of_all_roles}*", f"{of_all_roles}>"):
        found = await bus.get_last(wildcard)
        assert found is not None
        assert (found.subject, found.data) == (brief, b"brief")


@pytest.mark.parametrize(
    ("subject", "asked"),
    [
        ("wx.3.t.log", ("wx.3.t.log", None)),
        ("warmxfer.t.result", ("warmxfer.t.result", None)),
        ("wx.3.t.do.*", (None, "wx.3.t.do.*")),
        ("wx.*.*.do.gateway", (None, "wx.*.*.do.gateway")),
        ("wx.3.t.do.>", (None, "wx.3.t.do.>")),
    ],
)
async def test_a_read_of_one_subject_names_it_where_a_permission_sees_it(
    subject: str, asked: tuple[str | None, str | None]
) -> None:
    """A permission sees the subject of the request, and not its body. A wildcard must be in the body."""
    sent: list[tuple[str, bytes]] = []

    async def call(
        subject: str, data: bytes, headers: Mapping[str, str] | None, timeout_s: float
    ) -> ArrivedMessage:
        sent.append((subject, data))
        return ArrivedMessage("_INBOX.1", "", b"", {"Status": "404"})

    connection = SimpleNamespace(inbox=SimpleNamespace(call=call), connected=True)
    assert await stream_reader.get_last(cast(Any, connection), subject, 5) is None
    [(requested, body)] = sent
    stream = subjects.place_of(subject).stream
    literal, in_body = asked
    assert requested == f"$JS.API.DIRECT.GET.{stream}" + (f".{literal}" if literal else "")
    assert (json.loads(body)["last_by_subj"] if body else None) == in_body


async def test_without_the_stream_each_call_says_that_it_is_missing(fresh_bus: Bus) -> None:
    await fresh_bus._connection.api(f"STREAM.DELETE.{CORE}")
    url = fresh_bus.settings.shown_url
    with pytest.raises(Unavailable) as read:
        await fresh_bus.get_last_from_leader(subjects.log("a"), deadline_s=0.5)
    assert str(read.value) == (
        f"The broker at {url} has no stream {CORE}; start a coordinator, which creates it"
    )
    silent = (
        f"{CORE} does not exist, has other subjects, or has no leader yet; "
        "start a coordinator, which creates it"
    )
    for call in (
        fresh_bus.get_last(subjects.log("a"), deadline_s=0.3),
        fresh_bus.history(subjects.log("a"), 5, deadline_s=0.3),
    ):
        with pytest.raises(Unavailable) as read:
            await call
        assert str(read.value) == f"The broker at {url} has no stream that answers reads: {silent}"
    for call in (
        fresh_bus.publish(subjects.log("a"), b"", deadline_s=0.3),
        fresh_bus.publish_all([Outgoing(subjects.log("a"), b"")], deadline_s=0.3),
    ):
        with pytest.raises(Unavailable) as written:
            await call
        assert str(written.value) == (
            f"The broker at {url} has no stream that stores {subjects.log('a')}: {silent}"
        )


async def test_while_a_replica_stalls_a_leader_read_is_never_stale() -> None:
    """Direct gets are stale meanwhile: each of the three brokers answers a share of them."""
    async with three_brokers() as cluster:
        async with await Bus.connect(BusSettings(url=cluster.url, replicas=NODES), name="test") as bus:
            await bus.ensure()
            await cluster.wait_in_sync()
        leader, follower, _ = sorted(cluster.servers, key=[await cluster.leader()].count, reverse=True)
        at_leader = BusSettings(url=cluster.servers[leader].url, replicas=NODES)
        async with await Bus.connect(at_leader, name="test") as bus, _stalling(cluster.servers[follower]):
            stale_direct, stale_leader = await _count_stale_reads(bus, subjects.log("a"))
    assert stale_leader == 0
    assert stale_direct == STALE_READS, "no replica lagged: this has shown nothing"


async def _count_stale_reads(bus: Bus, subject: str) -> tuple[int, int]:
    """Count the reads of either kind that miss the write acknowledged just before, until there are enough."""
    stale_direct = stale_leader = seq = 0
    for _ in range(MAX_WRITES):
        if stale_direct == STALE_READS:
            break
        seq = await bus.publish(subject, b"x" * 300, expect_last=seq)
        direct, leader = await asyncio.gather(bus.get_last(subject), bus.get_last_from_leader(subject))
        stale_direct += direct is None or direct.seq < seq
        stale_leader += leader is None or leader.seq < seq
    return stale_direct, stale_leader


@asynccontextmanager
async def _stalling(server: EmbeddedServer) -> AsyncIterator[None]:
    """Stop `server` most of the time."""

    async def stall() -> None:
        while True:
            os.killpg(server.pid, signal.SIGSTOP)
            await asyncio.sleep(STALL_S)
            os.killpg(server.pid, signal.SIGCONT)
            await asyncio.sleep(RUN_S)

    stalling = asyncio.create_task(stall())
    try:
        yield
    finally:
        stalling.cancel()
        await asyncio.gather(stalling, return_exceptions=True)
        os.killpg(server.pid, signal.SIGCONT)
