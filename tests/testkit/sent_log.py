"""A log that has sent commands, for tests that send commands without a coordinator."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec

from warmxfer.bus import Bus, StaleWrite, subjects
from warmxfer.schemas import Command


async def store_in_log(
    bus: Bus,
    transfer_id: str,
    *commands: Command | bytes,
    session: str = "room",
    goes_on: bool = False,
    **state: Any,
) -> None:
    """Append a record that has sent `commands`, as structs or as JSON, beside those of the record before it.

    `goes_on`: without those. `state`: further fields of the state, such as `stage` and `room_id`.
    """
    before = await bus.get_last(subjects.log(transfer_id))
    record: dict[str, Any] = {"state": {"id": transfer_id, "stage": "preparing", "commands": 0}, "outbox": []}
    if before is not None:
        record = json.loads(before.data) | ({"outbox": []} if goes_on else {})
    expected = before.seq if before else 0
    record["at"] = time.time()
    record["state"] |= {"request": {"room_id": session, "config": {}}} | state
    record["outbox"] += [
        json.loads(each) if isinstance(each, bytes) else msgspec.to_builtins(each) for each in commands
    ]
    try:
        await bus.publish(subjects.log(transfer_id), json.dumps(record).encode(), expect_last=expected)
    except StaleWrite:  # commands that are sent at the same time
        await store_in_log(bus, transfer_id, *commands, session=session, goes_on=goes_on, **state)


async def log_awaits_summary(bus: Bus, transfer_id: str, session: str, by: str = "summarizer") -> None:
    """Store a log whose newest record waits for the summary of a call of `session`."""
    await store_in_log(
        bus,
        transfer_id,
        request={"room_id": session, "config": {"summarize_by": by}},
        begun=["hold", "find", "room", "summary"],
        pending={f"{transfer_id}-2": {"kind": "summarize", "due_at": time.time() + 8}},
    )
