"""Logs that are longer than one read, or larger than one message, are archived without their middle."""

from __future__ import annotations

import json
import random

import pytest

from warmxfer.actors.coordinator.state_machine import decode_record
from warmxfer.bus import Bus, Outgoing, Stored, subjects
from warmxfer.bus.archive import MAX_ARCHIVED_BYTES, compact, line_of, log_of
from warmxfer.schemas import decode_as
from warmxfer.schemas.archived import ArchivedTransfer

from .test_archive import ID, archived, archiving_trigger, coordinator, left_of, run_transfer


@pytest.mark.parametrize("count", [1_000, 1_001, 2_500])
async def test_a_log_of_more_records_than_one_read_is_archived(fresh_bus: Bus, count: int) -> None:
    """Before, one of more than 1,000 records was never archived, because the newest were not read."""
    await run_transfer(fresh_bus)
    trigger = await archiving_trigger(fresh_bus)
    before = await fresh_bus.history(subjects.log(ID), 100)
    again = [Outgoing(subjects.log(ID), before[-1].data)] * (count - len(before))
    for start in range(0, len(again), 500):
        await fresh_bus.publish_all(again[start : start + 500])
    await coordinator(fresh_bus).handle(trigger)
    assert await left_of(fresh_bus) == [subjects.log(ID)]
    found = await archived(fresh_bus)
    line, kept = decode_as(ArchivedTransfer, line_of(found.data)), log_of(found.data).stored_records()
    assert (line.records, len(kept)) == (count + 1, count + 1 - line.left_out)
    assert (line.left_out > 0) is (count == 2_500)
    assert (kept[0].seq, kept[0].data) == (before[0].seq, before[0].data)
    assert decode_record(kept[-1].data).state.archived


async def test_an_archived_record_is_no_larger_than_a_message_with_a_long_line(fresh_bus: Bus) -> None:
    """Before, only its compressed part was limited, and a long summary made it too large to be stored."""
    await run_transfer(fresh_bus)
    trigger = await archiving_trigger(fresh_bus)
    log = await fresh_bus.history(subjects.log(ID), 100)
    ended = json.loads(next(each.data for each in log if b"warm_transfer_result" in each.data))
    (result,) = (each for each in ended["outbox"] if each["type"] == "warm_transfer_result")
    result["summary"] = 4_000 * "\u6f22"
    rng = random.Random(20261130)
    noise = list[bytes]()
    size = 0
    while size < MAX_ARCHIVED_BYTES - 8_000:
        noise.append(json.dumps({"noise": rng.randbytes(1_000).hex()}).encode())
        records = [Stored(subjects.log(ID), n, 0.0, data, {}) for n, data in enumerate(noise)]
        size = len(compact(ID, b"", records, [])[0])
    bodies = [*noise, json.dumps(ended, ensure_ascii=False).encode()]
    await fresh_bus.publish_all([Outgoing(subjects.log(ID), body) for body in bodies])
    await coordinator(fresh_bus).handle(trigger)
    assert await left_of(fresh_bus) == [subjects.log(ID)]
    found = await archived(fresh_bus)
    line = decode_as(ArchivedTransfer, line_of(found.data))
    assert len(found.data) <= MAX_ARCHIVED_BYTES
    assert line.left_out > 0
    assert line.result is not None
    assert line.result.summary == result["summary"]
