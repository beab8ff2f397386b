"""Durable timers fire once at their time, can be replaced and cancelled, and survive a crash."""

from __future__ import annotations

import asyncio
import time

import pytest

from warmxfer.bus import Bus, EmbeddedServer, InvalidRequest, Stored, subjects, timers

SOON_S = 15.0


async def fired(bus: Bus, id: str, within_s: float = 20.0) -> list[Stored]:
    """Return the timers that fired for `id`, as soon as there is one, or [] after `within_s`."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = await bus.history(subjects.timeout(id), 10)
        if found:
            return found
        await asyncio.sleep(0.02)
    return []


async def test_a_timer_fires_once_at_its_time_and_not_before(bus: Bus, transfer_id: str) -> None:
    at_s = time.time() + 0.5
    await bus.publish_all([timers.schedule(transfer_id, "ring", at_s, b"due", msg_id=f"{transfer_id}.ring")])
    (stored,) = await fired(bus, transfer_id)
    assert stored.data == b"due"
    assert 0 <= stored.at - at_s < SOON_S
    assert await bus.get_last(subjects.timer(transfer_id, "ring")) is None
    await asyncio.sleep(0.5)
    assert len(await bus.history(subjects.timeout(transfer_id), 10)) == 1


async def test_a_timer_in_the_past_fires_at_once(bus: Bus, transfer_id: str) -> None:
    started = time.time()
    await bus.publish_all([timers.schedule(transfer_id, "ring", started - 3600, b"past")])
    (stored,) = await fired(bus, transfer_id)
    assert stored.data == b"past"
    assert stored.at - started < SOON_S


async def test_publishing_again_replaces_the_timer(bus: Bus, transfer_id: str) -> None:
    now = time.time()
    await bus.publish_all([timers.schedule(transfer_id, "ring", now + 60, b"first")])
    await bus.publish_all([timers.schedule(transfer_id, "ring", now + 0.5, b"second")])
    (stored,) = await fired(bus, transfer_id)
    assert stored.data == b"second"
    assert stored.at >= now + 0.5
    assert await bus.get_last(subjects.timer(transfer_id, "ring")) is None


async def test_timers_of_other_names_and_transfers_are_not_changed(bus: Bus, transfer_id: str) -> None:
    now = time.time()
    await bus.publish_all(
        [
            timers.schedule(transfer_id, "ring", now + 60, b"ring"),
            timers.schedule(transfer_id, "brief", now + 0.4, b"brief"),
            timers.schedule(f"{transfer_id}-2", "ring", now + 0.4, b"other"),
        ]
    )
    cancel = timers.cancel_headers(subjects.timer(transfer_id, "ring"))
    await bus.publish(subjects.log(transfer_id), b"", headers=cancel)
    assert await bus.get_last(subjects.timer(transfer_id, "ring")) is None
    (stored,) = await fired(bus, transfer_id)
    assert stored.data == b"brief"
    (other,) = await fired(bus, f"{transfer_id}-2")
    assert other.data == b"other"
    assert len(await bus.history(subjects.timeout(transfer_id), 10)) == 1


async def test_a_timer_survives_a_killed_broker(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str
) -> None:
    at_s = time.time() + 0.8
    await fresh_bus.publish_all(
        [
            timers.schedule(transfer_id, "ring", at_s, b"due"),
            timers.schedule(f"{transfer_id}-2", "ring", time.time() + 0.1, b"overdue"),
        ]
    )
    await fresh_server.stop(kill=True)
    await asyncio.sleep(0.3)
    await fresh_server.start()
    (overdue,) = await fired(fresh_bus, f"{transfer_id}-2")
    (due,) = await fired(fresh_bus, transfer_id)
    assert (overdue.data, due.data) == (b"overdue", b"due")
    assert due.at >= at_s


@pytest.mark.parametrize("at_s", [float("nan"), float("inf"), -1.0, 1_795_383_138_535.8])
def test_an_invalid_time_is_rejected(at_s: float) -> None:
    with pytest.raises(InvalidRequest, match=r"^at_s is .*; give epoch seconds$"):
        timers.schedule("a", "ring", at_s, b"")


async def test_pending_timers_are_counted(fresh_bus: Bus) -> None:
    """The number of running transfers is counted from the pending timers."""
    far = time.time() + 60.0
    await fresh_bus.publish_all([timers.schedule(id, "deadline", far, b"{}") for id in ("t-a", "t-b")])
    await fresh_bus.publish_all([timers.schedule("t-c", "another", far, b"{}")])
    assert await fresh_bus.count(subjects.any_timer("deadline")) == 2
    cancel = timers.cancel_headers(subjects.timer("t-a", "deadline"))
    await fresh_bus.publish(subjects.log("t-a"), b"{}", headers=cancel)
    assert await fresh_bus.count(subjects.any_timer("deadline")) == 1
