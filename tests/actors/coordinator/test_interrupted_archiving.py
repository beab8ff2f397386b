"""Archiving that is interrupted at any point: another coordinator goes on, also when it comes late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from warmxfer.actors.coordinator.archive import Archive
from warmxfer.actors.coordinator.state_machine import decode_record
from warmxfer.bus import Bus, Outgoing, Stored, subjects
from warmxfer.bus.archive import log_of, read_archived

from .coordinator_fixture import (
    SimulatedCrash,
    last_delivery,
    records,
)
from .test_archive import ID, archive, archived, archiving_trigger, coordinator, expire, left_of, run_transfer


class CrashingBus:
    """A bus that dies before, or after, its call number `at` of those that write or remove something."""

    def __init__(self, bus: Bus, at: int, *, after: bool) -> None:
        self._bus = bus
        self._at = at
        self._after = after
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._bus, name)
        return self._counted(name, method) if name in WRITING else method

    def _counted(self, name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            dies = len(self.calls) == self._at
            if dies and not self._after:
                raise SimulatedCrash
            result = await method(*args, **options)
            if dies:
                raise SimulatedCrash
            return result

        return call


WRITING = ("publish", "publish_all", "purge", "delete")


WRITES = 7
"""Calls of one archiving: the archived record, the last record, and five purges."""


async def test_the_crash_test_below_covers_every_call(fresh_bus: Bus) -> None:
    await run_transfer(fresh_bus)
    counting = CrashingBus(fresh_bus, 0, after=False)
    await coordinator(counting).handle(await archiving_trigger(fresh_bus))  # type: ignore[arg-type]
    assert counting.calls == ["publish", "publish", *5 * ["purge"]]
    assert len(counting.calls) == WRITES


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, WRITES + 1))
async def test_another_coordinator_continues_after_a_crash_at_any_point(
    fresh_bus: Bus, at: int, after: bool
) -> None:
    await run_transfer(fresh_bus)
    before = [each.data for each in await fresh_bus.history(subjects.log(ID), 100)]
    trigger = await archiving_trigger(fresh_bus)
    dying = coordinator(CrashingBus(fresh_bus, at, after=after))  # type: ignore[arg-type]
    with pytest.raises(SimulatedCrash):
        await dying.handle(trigger)
    await asyncio.sleep(0.05)
    log = await fresh_bus.history(subjects.log(ID), 100)
    assert len(log) == len(before) or await read_archived(fresh_bus, ID) is not None
    over = await fresh_bus.get_last(subjects.timeout(ID)) is None
    assert over is (at == WRITES and after)
    if not over:
        again = await last_delivery(fresh_bus, subjects.timeout(ID), 2)
        await coordinator(fresh_bus).handle(again)
    assert await left_of(fresh_bus) == [subjects.log(ID)]
    assert [each.data for each in log_of((await archived(fresh_bus)).data).stored_records()][:-1] == before


async def test_two_coordinators_archive_one_transfer_once(fresh_bus: Bus) -> None:
    await run_transfer(fresh_bus)
    before = await records(fresh_bus, ID)
    trigger = await archiving_trigger(fresh_bus)
    await asyncio.gather(*(coordinator(fresh_bus).handle(trigger) for _ in range(2)))
    assert await left_of(fresh_bus) == [subjects.log(ID)]
    log = [decode_record(each.data) for each in log_of((await archived(fresh_bus)).data).stored_records()]
    assert log[:-1] == before
    assert log[-1].state.archived
    assert len(log) == len(before) + 1


# ── the last record has expired before another coordinator comes ─────────────────────────────────────


COMMITTED = 2
"""Calls until the last record is appended."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(COMMITTED + 1, WRITES + 1))
async def test_the_removal_goes_on_after_the_last_record_has_expired(
    fresh_bus: Bus, at: int, after: bool
) -> None:
    """Before, the trigger alone was removed, and the rest stayed for `WARMXFER_MAX_AGE_S`."""
    await run_transfer(fresh_bus)
    trigger = await archiving_trigger(fresh_bus)
    with pytest.raises(SimulatedCrash):
        await coordinator(CrashingBus(fresh_bus, at, after=after)).handle(trigger)  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    whole = await archived(fresh_bus)
    await expire(fresh_bus, "expired")
    if await fresh_bus.get_last(subjects.timeout(ID)) is not None:
        await coordinator(fresh_bus).handle(await last_delivery(fresh_bus, subjects.timeout(ID), 2))
    assert await left_of(fresh_bus) == []
    assert await archived(fresh_bus) == whole


@pytest.mark.parametrize("removed", [0, 5])
async def test_an_archived_record_is_not_replaced_by_what_an_interrupted_overwriting_left(
    fresh_bus: Bus, removed: int
) -> None:
    """Overwriting takes the request and the oldest records first. What it leaves is not the log."""
    await archive(fresh_bus)
    whole = await archived(fresh_bus)
    left = [each.data for each in log_of(whole.data).stored_records()][removed:]
    await expire(fresh_bus, "expired")
    *numbers, newest = await fresh_bus.publish_all([Outgoing(subjects.log(ID), each) for each in left])
    last = Stored(subjects.log(ID), newest + 1, whole.at, left[-1], {})
    await Archive(fresh_bus).store(ID, numbers[-1], last)
    assert await archived(fresh_bus) == whole
    await Archive(fresh_bus).store(ID, newest, last)
    assert (await archived(fresh_bus) == whole) is (removed > 0)  # a longer log takes its place
