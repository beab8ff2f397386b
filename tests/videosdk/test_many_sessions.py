"""Many live sessions of one process are transferred at once, and do not stall each other's loop."""

from __future__ import annotations

import pytest

from .many_sessions import LIMIT_S, MAX_WARMXFER_S, transfer_many

SESSIONS = 20


@pytest.mark.timeout(2 * LIMIT_S)
async def test_twenty_sessions_of_one_process_are_transferred_at_once() -> None:
    report = await transfer_many(SESSIONS)
    print(f"\n{report.row()}")
    assert (report.completed, report.failures) == (SESSIONS, set())
    assert report.worst_warmxfer.warmxfer_s <= MAX_WARMXFER_S, report.places
    assert (report.threads, report.pool) == ([], False)
