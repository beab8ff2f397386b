"""The stream and its consumers: created once by many processes, updated, and never damaged."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from warmxfer.bus import (
    Bus,
    BusSettings,
    EmbeddedServer,
    InternalError,
    InvalidRequest,
    Unavailable,
    subjects,
)
from warmxfer.bus.connection import JetStreamApiError
from warmxfer.bus.consumer_table import CONSUMERS
from warmxfer.bus.errors import StreamMissing
from warmxfer.bus.partition import partition_of
from warmxfer.bus.stream import changes_needed, stream_definition
from warmxfer.bus.subjects import CORE, EVENTS, IN, STREAMS, WORKING_STREAMS, stored_filters


async def api(bus: Bus, verb: str, body: Any = None) -> Any:
    return await bus._connection.api(verb, body)


async def config(bus: Bus, stream: str = CORE) -> dict[str, Any]:
    return (await api(bus, f"STREAM.INFO.{stream}"))["config"]


async def connect(server: EmbeddedServer, **changed: Any) -> Bus:
    return await Bus.connect(replace(BusSettings(url=server.url), **changed), name="test")


async def test_concurrent_ensure_calls_succeed_and_create_the_defined_stream(
    fresh_server: EmbeddedServer,
) -> None:
    buses = [await connect(fresh_server) for _ in range(5)]
    await asyncio.gather(*(bus.ensure() for bus in buses))
    for stream in STREAMS:
        found = await config(buses[0], stream)
        for name, value in stream_definition(stream, buses[0].settings).items():
            if name != "metadata":
                assert found[name] == value, name
        names = (await api(buses[0], f"CONSUMER.NAMES.{stream}"))["consumers"]
        assert sorted(names) == sorted(name for name, spec in CONSUMERS.items() if spec.stream == stream)
    for bus in buses:
        await bus.drain()


async def test_concurrent_ensure_calls_with_different_settings_succeed(fresh_server: EmbeddedServer) -> None:
    buses = [await connect(fresh_server, max_age_s=3600.0 * (n + 1)) for n in range(4)]
    await asyncio.gather(*(bus.ensure() for bus in buses))
    assert (await config(buses[0]))["max_age"] in [3600 * (n + 1) * 10**9 for n in range(4)]
    for bus in buses:
        await bus.drain()


async def test_a_changed_setting_is_updated_and_logged_once(fresh_server: EmbeddedServer) -> None:
    async with await connect(fresh_server) as bus:
        await bus.ensure()
    with capture_logs() as logs:
        async with await connect(fresh_server, max_age_s=7200.0, ack_wait_s=9.0) as bus:
            await bus.ensure()
            await bus.ensure()
            assert (await config(bus))["max_age"] == 7200 * 10**9
            info = await api(bus, f"CONSUMER.INFO.{CORE}.gateway")
            assert info["config"]["ack_wait"] == 9 * 10**9
    updates = [entry for entry in logs if entry["event"] == "stream_updated"]
    assert sorted(entry["stream"] for entry in updates) == sorted(WORKING_STREAMS)
    assert [entry["fields"] for entry in updates] == len(WORKING_STREAMS) * [["max_age"]]


async def test_messages_survive_an_update(fresh_server: EmbeddedServer) -> None:
    async with await connect(fresh_server) as bus:
        await bus.ensure()
        await bus.publish(subjects.log("a"), b"kept")
    async with await connect(fresh_server, max_age_s=7200.0) as bus:
        await bus.ensure()
        stored = await bus.get_last(subjects.log("a"))
        assert stored is not None
        assert stored.data == b"kept"


async def test_new_subjects_are_added_and_old_ones_stay(
    fresh_server: EmbeddedServer,
) -> None:
    async with await connect(fresh_server) as bus:
        older = {**stream_definition(CORE, bus.settings), "subjects": ["wx.*.*.log", "warmxfer.*.old"]}
        await api(bus, f"STREAM.CREATE.{CORE}", older)
        await bus.ensure()
        assert set((await config(bus))["subjects"]) == {*stored_filters(CORE), "warmxfer.*.old"}


async def test_a_stream_of_a_newer_release_is_not_changed(fresh_server: EmbeddedServer) -> None:
    async with await connect(fresh_server) as bus:
        newer = {**stream_definition(CORE, bus.settings), "max_age": 0, "metadata": {"warmxfer.layout": "99"}}
        await api(bus, f"STREAM.CREATE.{CORE}", newer)
        with capture_logs() as logs:
            await bus.ensure()
        assert (await config(bus))["max_age"] == 0
        kept = [entry["stream"] for entry in logs if entry["event"] == "newer_stream_kept"]
        assert kept == [CORE]
        assert (await api(bus, f"CONSUMER.NAMES.{EVENTS}"))["consumers"] == []


async def test_the_stream_of_an_older_release_is_one_sentence_with_the_remedy(
    fresh_server: EmbeddedServer,
) -> None:
    """Layout 1 kept everything in one stream, whose subjects overlap with ours."""
    async with await connect(fresh_server) as bus:
        older = ["warmxfer.*.request", "warmxfer.*.phase", "warmxfer.*.dead"]
        await api(bus, "STREAM.CREATE.WARMXFER", {"name": "WARMXFER", "subjects": older})
        with pytest.raises(
            InvalidRequest,
            match=r"^Stream WARMXFER_\w+ cannot be created, because WARMXFER stores its subjects, as an "
            r"older release did; let the transfers of that release end, "
            r"delete it \(nats stream rm WARMXFER\) and start again$",
        ):
            await bus.ensure()


async def test_only_the_stream_of_the_coordinator_takes_headers_that_delete_or_replace(
    fresh_bus: Bus,
) -> None:
    """With one stream for all, a user could wipe it, or write a command, by such a header."""
    hostile = (
        {"Nats-Rollup": "all"},
        {"Nats-TTL": "1s"},
        {"Nats-Schedule": "@at 2030-01-01T00:00:00Z", "Nats-Schedule-Target": subjects.log("a")},
        {"Nats-Schedule-Next": "purge", "Nats-Scheduler": subjects.timer("a", "deadline")},
    )
    for subject in (subjects.request("a"), subjects.cancel("a"), subjects.event("a", "gateway")):
        for headers in hostile:
            with pytest.raises(InternalError, match=r"disabled|not permitted"):
                await fresh_bus.publish(subject, b"", headers=headers)


async def test_a_flood_of_requests_is_refused_and_fills_nothing_else(fresh_server: EmbeddedServer) -> None:
    async with await connect(fresh_server, requests_mb=1) as bus:
        await bus.ensure()
        await bus.publish(subjects.request("first"), b"kept", expect_last=0)
        flood = asyncio.gather(
            *(bus.publish(subjects.request(f"t{n}"), b"x" * 50_000, deadline_s=0.3) for n in range(40))
        )
        with pytest.raises(Unavailable, match="maximum bytes exceeded"):
            await flood
        first = await bus.get_last(subjects.request("first"))
        assert first is not None
        assert first.data == b"kept"
        await bus.publish(subjects.log("a"), b"")
        await bus.publish(subjects.event("a", "gateway"), b"")


async def test_the_limit_of_requests_is_changed_by_its_setting_alone(fresh_server: EmbeddedServer) -> None:
    for setting, limit in ((None, 256), (100, 100), (None, 100), (300, 300)):
        async with await connect(fresh_server, requests_mb=setting) as bus:
            await bus.ensure()
            assert (await config(bus, IN))["max_bytes"] == limit * 1_000_000 - 1


async def test_a_stream_that_cannot_be_changed_is_one_sentence_with_the_remedy(
    fresh_server: EmbeddedServer,
) -> None:
    async with await connect(fresh_server) as bus:
        wrong = {**stream_definition(CORE, bus.settings), "storage": "memory"}
        await api(bus, f"STREAM.CREATE.{CORE}", wrong)
        with pytest.raises(
            InvalidRequest, match=r"has storage='memory' and cannot be changed .*nats stream rm"
        ):
            await bus.ensure()


async def test_a_consumer_that_cannot_be_changed_is_one_sentence_with_the_remedy(
    fresh_server: EmbeddedServer,
) -> None:
    async with await connect(fresh_server) as bus:
        await bus.ensure()
        await api(bus, f"CONSUMER.DELETE.{CORE}.gateway")
        other = {"name": "gateway", "durable_name": "gateway", "ack_policy": "all", "max_waiting": 7}
        await api(bus, f"CONSUMER.CREATE.{CORE}.gateway", {"stream_name": CORE, "config": other})
        with pytest.raises(
            InvalidRequest, match=r"^Consumer gateway .*\(nats consumer rm WARMXFER_CORE gateway\)"
        ):
            await bus.ensure()


async def test_each_consumer_receives_only_its_own_subjects(fresh_bus: Bus) -> None:
    for build in (subjects.request, subjects.cancel, subjects.timeout):
        await fresh_bus.publish(build("a"), b"")
    for role in subjects.WRITERS:
        await fresh_bus.publish(subjects.event("a", role), b"")
    await fresh_bus.publish(subjects.effect_claim("a", "dial-1"), b"")
    for build in (subjects.log, subjects.phase, subjects.consult):
        await fresh_bus.publish(build("a"), b"")
    await fresh_bus.publish(subjects.session_commands("s"), b"")
    await fresh_bus.publish(subjects.session_briefing("s"), b"")
    for role in subjects.ROLES:
        await fresh_bus.publish(subjects.work_queue("a", role), b"")
    pending = {
        name: (await api(fresh_bus, f"CONSUMER.INFO.{spec.stream}.{name}"))["num_pending"]
        for name, spec in CONSUMERS.items()
    }
    p = partition_of("a")
    assert {name: number for name, number in pending.items() if number} == {
        f"requests-{p}": 2,
        f"events-{p}": 4,
        f"timeouts-{p}": 1,
        "summarizer": 1,
        "gateway": 1,
        "briefing": 1,
    }


def test_replicas_are_raised_and_never_lowered() -> None:
    one, three = (stream_definition(CORE, BusSettings(replicas=n)) for n in (1, 3))
    assert changes_needed(one, three) == {"num_replicas": 3}
    assert changes_needed(three, one) == {}
    assert json.dumps(one)


async def test_a_role_creates_its_own_consumers_and_nothing_else(fresh_server: EmbeddedServer) -> None:
    async with await Bus.connect(BusSettings(url=fresh_server.url), name="gateway") as bus:
        with pytest.raises(StreamMissing, match=f"has no stream {CORE}"):
            await bus.ensure("gateway")
        await bus.ensure()
        for name in ("gateway", "briefing"):
            await api(bus, f"CONSUMER.DELETE.{CORE}.{name}")
        await bus.ensure("gateway")
        assert (await api(bus, f"CONSUMER.INFO.{CORE}.gateway"))["name"] == "gateway"
        with pytest.raises(JetStreamApiError, match="consumer not found"):
            await api(bus, f"CONSUMER.INFO.{CORE}.briefing")
