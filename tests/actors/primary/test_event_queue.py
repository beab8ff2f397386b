"""The queue of a session's events: one that cannot be published does not stop those behind it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from structlog.testing import capture_logs

from warmxfer.actors.primary.event_queue import EventQueue
from warmxfer.bus import Bus, subjects
from warmxfer.schemas import CallerReleased, ParticipantLeft, decode_event


async def test_an_event_that_cannot_be_encoded_does_not_stop_those_behind_it(
    bus: Bus, transfer_id: str
) -> None:
    """Python reads half a surrogate pair from a framework's JSON. Before, this ended the queue's task."""
    queue = EventQueue(bus)
    running = asyncio.create_task(queue.run())
    with capture_logs() as logs:
        queue.enqueue(transfer_id, ParticipantLeft(room_id="r", participant_id="p", reason="\ud800"), "one")
        queue.enqueue(transfer_id, CallerReleased(command_id="c"), "two")
        await queue.drain(5.0)
    assert [each["event"] for each in logs] == ["event_refused"]
    stored = await bus.history(subjects.event(transfer_id, "primary"), 10)
    assert [decode_event(each.data) for each in stored] == [CallerReleased(command_id="c")]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
