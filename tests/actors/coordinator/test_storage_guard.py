"""A broker that is nearly full: new transfers are refused, running ones end. Nothing is lost.

Without the call of `why_full` in `admission.py` the last test fails: the request starts a transfer.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.nats_server import ConfiguredServer
from warmxfer.actors.coordinator import CoordinatorSettings, run
from warmxfer.actors.coordinator.admission import Admission
from warmxfer.actors.coordinator.storage_guard import FULL_SHARE, TRANSFER_BYTES, why_full
from warmxfer.bus import BrokerClock, Bus, BusSettings, StorageUse, subjects
from warmxfer.schemas import AnyCommand, AnyEvent, DialSupervisor, InvalidRequest, Outcome, read_request

from .coordinator_fixture import request, until_stored
from .fake_actors import FakeActors, answers

MB = 1_000_000
ACCOUNT_BYTES = 10 * MB
ACCOUNT = f"""
accounts {{ a {{ users: [{{user: a, password: a}}], jetstream {{ max_file: {ACCOUNT_BYTES} }} }} }}
no_auth_user: a
"""


@pytest.mark.parametrize(
    ("use", "max_store_bytes", "running", "refused"),
    [
        (StorageUse(79 * MB, 100 * MB, 0, 1), 0, 0, False),
        (StorageUse(80 * MB, 100 * MB, 0, 1), 0, 0, True),
        (StorageUse(80 * MB, None, 0, 1), 0, 10_000, False),
        (StorageUse(10 * MB, None, 79 * MB, 1), 100 * MB, 0, False),
        (StorageUse(10 * MB, None, 80 * MB, 1), 100 * MB, 0, True),
        (StorageUse(10 * MB, 1_000 * MB, 80 * MB, 1), 100 * MB, 0, True),
        (StorageUse(90 * MB, 100 * MB, 10 * MB, 1), 1_000 * MB, 0, True),
        (StorageUse(0, 100 * TRANSFER_BYTES, 0, 1), 0, 99, False),
        (StorageUse(0, 100 * TRANSFER_BYTES, 0, 1), 0, 100, True),
        (StorageUse(0, 300 * TRANSFER_BYTES, 0, 3), 0, 99, False),
        (StorageUse(0, 300 * TRANSFER_BYTES, 0, 3), 0, 100, True),
        (StorageUse(0, 0, 0, 1), 0, 10_000, False),
    ],
)
def test_a_share_of_either_limit_and_the_need_of_running_transfers_refuse(
    use: StorageUse, max_store_bytes: int, running: int, refused: bool
) -> None:
    assert (why_full(use, max_store_bytes, running) is not None) is refused


def test_the_variable_is_checked() -> None:
    assert CoordinatorSettings.from_env({"WARMXFER_MAX_STORE_MB": "10"}).max_store_mb == 10
    assert CoordinatorSettings.from_env({}).max_store_mb == 0
    with pytest.raises(InvalidRequest, match="WARMXFER_MAX_STORE_MB is '1GB'; give a whole number from"):
        CoordinatorSettings.from_env({"WARMXFER_MAX_STORE_MB": "1GB"})


async def fill(bus: Bus, share: float) -> None:
    """Store messages until the account uses `share` of its limit."""
    while (use := await bus.storage()).used_bytes < share * ACCOUNT_BYTES:
        room = share * ACCOUNT_BYTES - use.used_bytes
        await bus.publish(subjects.dead_letter("filling"), b"x" * int(min(100_000, max(1_000, room))))


async def test_at_80_percent_a_request_is_refused_and_a_running_transfer_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("warmxfer.actors.coordinator.admission.COUNT_EVERY_S", 0.0)
    dialled, answered = asyncio.Event(), asyncio.Event()

    def wait_at_the_dial(command: AnyCommand) -> list[AnyEvent]:
        if isinstance(command, DialSupervisor):
            held.append(command)
            dialled.set()
            return []
        return answers(command)

    held: list[AnyCommand] = []
    async with (
        ConfiguredServer(extra=ACCOUNT) as server,
        await Bus.connect(BusSettings(url=server.url), name="test") as bus,
    ):
        await bus.ensure()
        coordinator = asyncio.create_task(run(bus, CoordinatorSettings(), ready=answered.set))
        actors = FakeActors(bus, "t-running", wait_at_the_dial)
        running = asyncio.create_task(actors.run_transfer(request("room-a")))
        await asyncio.wait_for(dialled.wait(), 20)
        await fill(bus, FULL_SHARE)
        refused = await asyncio.wait_for(FakeActors(bus, "t-refused").run_transfer(request("room-b")), 20)
        for event in answers(held[0]):
            await actors.publish(event)
        result = await asyncio.wait_for(running, 20)
        await bus._connection.api("STREAM.PURGE.WARMXFER_EVENTS", {"filter": subjects.dead_letter("filling")})
        later = await asyncio.wait_for(FakeActors(bus, "t-later").run_transfer(request("room-b")), 20)
        coordinator.cancel()
        await asyncio.gather(coordinator, return_exceptions=True)
    assert refused.outcome is Outcome.TOO_BUSY
    assert refused.evidence == {"retry_after_s": 5.0, "limit": "storage"}
    assert refused.detail is not None
    assert refused.detail.startswith("The broker stores 8.0 MB, the account allows 10.0 MB; ask again in 5 s")
    assert refused.detail.endswith("or give the broker more storage.")
    assert result.success
    assert later.success


async def test_the_operators_limit_refuses_too(fresh_bus: Bus) -> None:
    for _ in range(9):
        await fresh_bus.publish(subjects.dead_letter("filling"), b"x" * 100_000)
    settings = CoordinatorSettings(max_store_mb=1)
    coordinator = asyncio.create_task(run(fresh_bus, settings))
    actors = FakeActors(fresh_bus, "t-refused")
    refused = await asyncio.wait_for(actors.run_transfer(request("room-b")), 20)
    await until_stored(fresh_bus, subjects.result("t-refused"))
    coordinator.cancel()
    await asyncio.gather(coordinator, return_exceptions=True)
    assert refused.outcome is Outcome.TOO_BUSY
    assert "The broker stores 0.9 MB, WARMXFER_MAX_STORE_MB allows 1.0 MB" in (refused.detail or "")
    assert actors.command_names == []


async def test_requests_that_arrive_during_a_count_wait_for_it(fresh_bus: Bus) -> None:
    """They used to be admitted by the count before, which a slow broker made seconds old."""
    counting, go_on = asyncio.Event(), asyncio.Event()

    class SlowBus(Bus):
        async def storage(self, *, deadline_s: float = 5.0) -> StorageUse:
            counting.set()
            await go_on.wait()
            return StorageUse(90 * MB, 100 * MB, 0, 1)

    admission = Admission(SlowBus(fresh_bus._connection), 10, BrokerClock())
    config = read_request(request("room-a")).config
    first = asyncio.create_task(admission.admit("t-1", 0.0, config))
    await asyncio.wait_for(counting.wait(), 30)
    second = asyncio.create_task(admission.admit("t-2", 0.0, config))
    await asyncio.sleep(0)
    go_on.set()
    for rejection in await asyncio.gather(first, second):
        assert rejection is not None
        assert rejection.detail.startswith("The broker stores 90.0 MB, the account allows 100.0 MB; ")
