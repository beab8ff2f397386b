"""Storage of the broker: what a client can read of its limits, and which limits of a stream are refused.

Without `check_limits` in `bus/stream_limits.py` the last tests fail: a stream deletes logs without an error.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.testkit.nats_server import ConfiguredServer
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, InvalidRequest, Unavailable, subjects
from warmxfer.bus.errors import StreamMissing
from warmxfer.bus.storage import account_limit
from warmxfer.bus.stream import stream_definition
from warmxfer.bus.subjects import CORE, EVENTS, IN

ACCOUNT_BYTES = 4_000_000
ACCOUNT = f"""
accounts {{ a {{ users: [{{user: a, password: a}}], jetstream {{ max_file: {ACCOUNT_BYTES} }} }} }}
no_auth_user: a
"""
WITHOUT_INFO = """
authorization { users: [{user: u, password: u, permissions: {publish: {deny: ["$JS.API.INFO"]}}}] }
no_auth_user: u
"""


async def test_the_limit_of_the_account_is_read(fresh_bus: Bus) -> None:
    use = await fresh_bus.storage()
    assert (use.limit_bytes, use.replicas) == (None, 1)
    async with (
        ConfiguredServer(extra=ACCOUNT) as server,
        await Bus.connect(BusSettings(url=server.url), name="test") as bus,
    ):
        await bus.ensure()
        assert (await bus.storage()).used_bytes == 0
        await bus.publish(subjects.dead_letter("a"), b"x" * 100_000)
        use = await bus.storage()
    assert use.limit_bytes == ACCOUNT_BYTES
    assert 100_000 < use.used_bytes == use.stream_bytes < 101_000


async def test_a_missing_stream_is_an_error_of_ours(fresh_bus: Bus) -> None:
    """Before, it left the bus as an error of JetStream, and the next request ended as broken."""
    await fresh_bus._connection.api("STREAM.DELETE.WARMXFER_PUBLIC", None, 5.0)
    with pytest.raises(StreamMissing, match="has no stream WARMXFER_PUBLIC"):
        await fresh_bus.storage()


async def test_requests_never_reserve_all_that_an_account_has() -> None:
    """The account has the size of a `WARMXFER_IN` that fits. Another stream can still be created after it."""
    async with (
        ConfiguredServer(extra=ACCOUNT) as server,
        await Bus.connect(BusSettings(url=server.url), name="test") as bus,
    ):
        await bus.ensure()
        reserved = (await bus._connection.api(f"STREAM.INFO.{IN}"))["config"]["max_bytes"]
        assert reserved == ACCOUNT_BYTES - 1
        await bus._connection.api(f"STREAM.DELETE.{CORE}")
        await bus.ensure()


async def test_a_full_account_refuses_and_keeps_what_it_has() -> None:
    async with (
        ConfiguredServer(extra=ACCOUNT) as server,
        await Bus.connect(BusSettings(url=server.url), name="test") as bus,
    ):
        await bus.ensure()
        first = await bus.publish(subjects.log("first"), b"kept")
        filling = asyncio.gather(
            *(bus.publish(subjects.dead_letter("a"), b"x" * 100_000, deadline_s=0.5) for _ in range(50))
        )
        with pytest.raises(Unavailable, match="resource limits exceeded"):
            await filling
        kept = await bus.get_last(subjects.log("first"))
        assert kept is not None
        assert kept.seq == first
        use = await bus.storage()
    assert use.limit_bytes is not None
    assert use.used_bytes > 0.9 * use.limit_bytes


async def test_a_user_who_may_not_query_the_account_is_told_the_bytes_of_the_stream() -> None:
    async with (
        ConfiguredServer(extra=WITHOUT_INFO) as server,
        await Bus.connect(BusSettings(url=server.url), name="test") as bus,
    ):
        await bus.ensure()
        await bus.publish(subjects.dead_letter("a"), b"x" * 100_000)
        for _ in range(2):
            use = await bus.storage()
            assert use.limit_bytes is None
            assert use.stream_bytes == use.used_bytes > 100_000


def test_a_tier_counts_every_replica_and_limits_one() -> None:
    """So the server does: nats-server scales the limit of a tier by the replicas, and its use not."""
    tiers = {"R1": {"storage": 5, "limits": {"max_storage": 7}}, "R3": {"storage": 30, "limits": {}}}
    account = {"storage": 35, "limits": {"max_storage": 0}, "tiers": tiers}
    assert account_limit(account, 1) == (5, 7)
    assert account_limit(account, 2) == (35, 0)
    assert account_limit(account, 3) == (30, None)
    tiers["R3"]["limits"] = {"max_storage": 20}
    assert account_limit(account, 3) == (30, 60)
    assert account_limit({"storage": 8, "limits": {"max_storage": 9}}, 3) == (8, 9)
    assert account_limit({"storage": 8, "limits": {"max_storage": -1}}, 3) == (8, None)


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("max_bytes", 1_000_000, "--max-bytes=-1"),
        ("max_msgs", 1_000, "--max-msgs=-1"),
        ("max_msgs_per_subject", 5, "--max-msgs-per-subject=-1"),
    ],
)
@pytest.mark.parametrize("layout", ["2", "99"], ids=["ours", "newer"])
@pytest.mark.parametrize("stream", [EVENTS, CORE])
async def test_a_stream_that_would_delete_live_transfers_is_refused(
    fresh_server: EmbeddedServer, stream: str, field: str, value: int, remedy: str, layout: str
) -> None:
    async with await Bus.connect(BusSettings(url=fresh_server.url), name="test") as bus:
        wanted: dict[str, Any] = {**stream_definition(stream, bus.settings), field: value}
        wanted["metadata"] = {"warmxfer.layout": layout}
        await bus._connection.api(f"STREAM.CREATE.{stream}", wanted)
        with pytest.raises(InvalidRequest) as refused:
            await bus.ensure()
    assert str(refused.value) == (
        f"{field} of stream {stream} is {value}, at which the stream deletes messages of running "
        f"transfers; remove it (nats stream edit {stream} {remedy}) and limit the storage of the account "
        "instead"
    )


async def test_a_stream_that_acknowledges_before_it_writes_is_refused(fresh_server: EmbeddedServer) -> None:
    async with await Bus.connect(BusSettings(url=fresh_server.url), name="test") as bus:
        wanted = {**stream_definition(EVENTS, bus.settings), "persist_mode": "async"}
        await bus._connection.api(f"STREAM.CREATE.{EVENTS}", wanted)
        with pytest.raises(InvalidRequest, match="persist_mode of stream WARMXFER_EVENTS is 'async'"):
            await bus.ensure()


async def test_the_stream_of_requests_may_be_limited_but_not_per_subject(
    fresh_server: EmbeddedServer,
) -> None:
    """It refuses at a limit, and with a limit for each subject it would forget the first request of an id."""
    async with await Bus.connect(BusSettings(url=fresh_server.url), name="test") as bus:
        wanted = {**stream_definition(IN, bus.settings), "max_bytes": 5_000_000, "max_msgs": 1_000}
        await bus._connection.api(f"STREAM.CREATE.{IN}", wanted)
        await bus.ensure()
        await bus._connection.api(f"STREAM.UPDATE.{IN}", {**wanted, "max_msgs_per_subject": 1})
        with pytest.raises(InvalidRequest, match="max_msgs_per_subject of stream WARMXFER_IN is 1"):
            await bus.ensure()


async def test_discard_new_is_changed_to_old_or_refused(fresh_server: EmbeddedServer) -> None:
    """The broker excludes it together with message schedules, so an earlier set-up cannot have it."""
    async with await Bus.connect(BusSettings(url=fresh_server.url), name="test") as bus:
        older = {**stream_definition(CORE, bus.settings), "discard": "new"}
        older.pop("allow_msg_schedules")
        await bus._connection.api(f"STREAM.CREATE.{CORE}", older)
        await bus.ensure()
        config = (await bus._connection.api(f"STREAM.INFO.{CORE}"))["config"]
    assert (config["discard"], config["allow_msg_schedules"]) == ("old", True)
