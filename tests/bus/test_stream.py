"""The stream and its consumers: created once by many processes, updated, and never damaged."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from warmxfer.bus import Bus, BusSettings, EmbeddedServer, InvalidRequest, subjects
from warmxfer.bus.stream import CONSUMERS, STREAM, stream_definition


async def api(bus: Bus, verb: str, body: Any = None) -> Any:
    return await bus._connection.api(verb, body)


async def config(bus: Bus) -> dict[str, Any]:
    return (await api(bus, f"STREAM.INFO.{STREAM}"))["config"]


async def connect(server: EmbeddedServer, **changed: Any) -> Bus:
    return await Bus.connect(replace(BusSettings(url=server.url), **changed), name="test")


async def test_concurrent_ensure_calls_succeed_and_create_the_defined_stream(
    fresh_server: EmbeddedServer,
) -> None:
    buses = [await connect(fresh_server) for _ in range(5)]
    await asyncio.gather(*(bus.ensure() for bus in buses))
    found = await config(buses[0])
    for name, value in stream_definition(buses[0].settings).items():
        if name != "metadata":
            assert found[name] == value, name
    assert sorted((await api(buses[0], f"CONSUMER.NAMES.{STREAM}"))["consumers"]) == sorted(CONSUMERS)
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
            info = await api(bus, f"CONSUMER.INFO.{STREAM}.gateway")
            assert info["config"]["ack_wait"] == 9 * 10**9
    updates = [entry for entry in logs if entry["event"] == "stream_updated"]
    assert [entry["fields"] for entry in updates] == [["max_age"]]


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
        older = {**stream_definition(bus.settings), "subjects": ["warmxfer.*.request", "warmxfer.*.old"]}
        await api(bus, f"STREAM.CREATE.{STREAM}", older)
        await bus.ensure()
        assert set((await config(bus))["subjects"]) == {*subjects.STREAM_SUBJECTS, "warmxfer.*.old"}


async def test_a_stream_of_a_newer_release_is_not_changed(fresh_server: EmbeddedServer) -> None:
    async with await connect(fresh_server) as bus:
        newer = {**stream_definition(bus.settings), "max_age": 0, "metadata": {"warmxfer.layout": "99"}}
        await api(bus, f"STREAM.CREATE.{STREAM}", newer)
        with capture_logs() as logs:
            await bus.ensure()
        assert (await config(bus))["max_age"] == 0
        assert [entry["event"] for entry in logs] == ["newer_stream_kept"]


async def test_a_stream_that_cannot_be_changed_is_one_sentence_with_the_remedy(
    fresh_server: EmbeddedServer,
) -> None:
    async with await connect(fresh_server) as bus:
        wrong = {**stream_definition(bus.settings), "storage": "memory"}
        await api(bus, f"STREAM.CREATE.{STREAM}", wrong)
        with pytest.raises(
            InvalidRequest, match=r"has storage='memory' and cannot be changed .*nats stream rm"
        ):
            await bus.ensure()


async def test_a_consumer_that_cannot_be_changed_is_one_sentence_with_the_remedy(
    fresh_server: EmbeddedServer,
) -> None:
    async with await connect(fresh_server) as bus:
        await bus.ensure()
        await api(bus, f"CONSUMER.DELETE.{STREAM}.gateway")
        other = {"name": "gateway", "durable_name": "gateway", "ack_policy": "all", "max_waiting": 7}
        await api(bus, f"CONSUMER.CREATE.{STREAM}.gateway", {"stream_name": STREAM, "config": other})
        with pytest.raises(
            InvalidRequest, match=r"^Consumer gateway .*\(nats consumer rm WARMXFER gateway\)"
        ):
            await bus.ensure()


async def test_each_consumer_receives_only_its_own_subjects(fresh_bus: Bus) -> None:
    for build in (subjects.request, subjects.cancel, subjects.event, subjects.timeout):
        await fresh_bus.publish(build("a"), b"")
    for build in (subjects.log, subjects.phase, subjects.consult):
        await fresh_bus.publish(build("a"), b"")
    await fresh_bus.publish(subjects.primary("a", "s"), b"")
    await fresh_bus.publish(subjects.session_briefing("a", "s"), b"")
    for role in subjects.ROLES:
        await fresh_bus.publish(subjects.work_queue("a", role), b"")
    pending = {
        name: (await api(fresh_bus, f"CONSUMER.INFO.{STREAM}.{name}"))["num_pending"] for name in CONSUMERS
    }
    assert pending == {"coordinator": 4, "summarizer": 1, "gateway": 1, "briefing": 1}


def test_replicas_are_raised_and_never_lowered() -> None:
    from warmxfer.bus.stream import changes_needed

    one, three = (stream_definition(BusSettings(replicas=n)) for n in (1, 3))
    assert changes_needed(one, three) == {"num_replicas": 3}
    assert changes_needed(three, one) == {}
    assert json.dumps(one)
