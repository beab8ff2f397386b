"""Many live sessions of one process ask at once: all get through, and none keeps the others' loop away."""

from __future__ import annotations

import pytest

from .crowd import LIMIT_S, MAX_OF_OURS_S, crowd

SESSIONS = 20


@pytest.mark.timeout(2 * LIMIT_S)
async def test_twenty_sessions_of_one_process_are_transferred_at_once() -> None:
    seen = await crowd(SESSIONS)
    print(f"\n{seen.row()}")
    assert (seen.completed, seen.troubles) == (SESSIONS, set())
    assert seen.worst_of_ours.ours_s <= MAX_OF_OURS_S, seen.places
    assert (seen.threads, seen.pool) == ([], False)
