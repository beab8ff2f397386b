"""Liveness of a transfer whose newest record cannot be continued, or that cleans up after its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.liveness import OVERDUE_S, TransferLiveness
from warmxfer.bus import BrokerClock, Bus, DeadLetter, NewerVersionNeeded, Stored, subjects
from warmxfer.schemas import encode

from .coordinator_fixture import deliver
from .test_give_up import UNCONTINUABLE, append, run_until_briefing, stage

Json = dict[str, Any]


def liveness_after(bus: Bus, stored: Stored, seconds: float) -> TransferLiveness:
    """Return the liveness as it is read `seconds` after `stored`."""
    clock = BrokerClock(lambda: 0.0)
    clock.observe(stored.at + seconds)
    return TransferLiveness(bus, clock)


@pytest.mark.parametrize(
    ("change", "due_at"),
    [
        *((each, None) for each in UNCONTINUABLE),
        *((stage, due_at) for due_at in (1e300, 10**400, -1, "soon")),
    ],
)
async def test_a_record_that_cannot_be_continued_holds_the_caller_no_longer_than_its_timer(
    fresh_bus: Bus, change: Callable[[Json], None], due_at: object
) -> None:
    """Without the fix a record with an unknown stage and no timer locked its caller without limit."""
    await run_until_briefing(fresh_bus, "t-new")

    def without_timer(written: Json) -> None:
        change(written)
        written["state"]["armed_at"] = due_at

    stored = await append(fresh_bus, "t-new", without_timer)
    assert await liveness_after(fresh_bus, stored, OVERDUE_S - 1).holds_caller("t-new") is True
    late = liveness_after(fresh_bus, stored, OVERDUE_S + 1)
    assert await late.holds_caller("t-new") is False


async def test_a_record_that_cannot_be_continued_holds_the_caller_until_its_timer_is_overdue(
    fresh_bus: Bus,
) -> None:
    await run_until_briefing(fresh_bus, "t-new")

    def later_timer(written: Json) -> None:
        written["state"] |= {"stage": "conferencing", "armed_at": due_at}

    newest = await fresh_bus.get_last_from_leader(subjects.log("t-new"))
    assert newest is not None
    due_at = newest.at + 100
    await append(fresh_bus, "t-new", later_timer)
    for seconds, holds in ((100 + OVERDUE_S - 1, True), (100 + OVERDUE_S + 1, False)):
        assert await liveness_after(fresh_bus, newest, seconds).holds_caller("t-new") is holds


@pytest.mark.parametrize("final", ["failed", "cancelled"])
@pytest.mark.parametrize("min_machine_version", [1, 1_000], ids=["readable", "too new"])
async def test_an_event_of_an_unknown_type_waits_for_a_newer_version_while_its_transfer_cleans_up(
    fresh_bus: Bus, final: str, min_machine_version: int
) -> None:
    """Without the fix the event was removed at once, although a reply of a newer type may end a check."""
    await run_until_briefing(fresh_bus, "t-ended")

    def end(written: Json) -> None:
        written["state"] |= {"stage": final, "pending": {}}
        written["min_machine_version"] = min_machine_version

    cleans_up = await append(fresh_bus, "t-ended", end)
    assert json.loads(cleans_up.data)["state"]["armed_at"] is not None
    await fresh_bus.publish(subjects.event("t-ended", "gateway"), encode({"type": "supervisor_sneezed"}))
    with pytest.raises(NewerVersionNeeded):
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.event("t-ended", "gateway"), 1)
    await append(fresh_bus, "t-ended", lambda written: written["state"].update(armed_at=None))
    with pytest.raises(DeadLetter, match="its transfer is not running"):
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.event("t-ended", "gateway"), 1)
