"""Fencing tokens: which command is new, a repeat or old."""

from __future__ import annotations

import pytest

from warmxfer.actors.primary.fencing import MAX_TRANSFERS, FencingTokens, Freshness
from warmxfer.schemas import CallerHeld, HoldCaller, ReleaseCaller


def hold(fence: int, command_id: str | None = None) -> HoldCaller:
    return HoldCaller(command_id=command_id or f"c{fence}", deadline_at=0.0, fence=fence, line="Hold.")


@pytest.mark.parametrize(
    ("last", "command", "freshness"),
    [
        (None, hold(1), Freshness.NEW),
        (hold(1), hold(2), Freshness.NEW),
        (hold(3), hold(2), Freshness.OLD),
        (hold(3), hold(3), Freshness.REPEAT),
        (hold(3, "first"), hold(3, "second"), Freshness.OLD),
        (hold(3), ReleaseCaller(command_id="c2", deadline_at=0.0, fence=2, line=None), Freshness.OLD),
    ],
)
def test_check_compares_a_command_with_the_last_one(
    last: HoldCaller | None, command: HoldCaller, freshness: Freshness
) -> None:
    fences = FencingTokens()
    if last:
        fences.advance("t", last)
    assert fences.check("t", command) is freshness


def test_each_transfer_has_its_own_fencing_token() -> None:
    fences = FencingTokens()
    fences.advance("a", hold(9))
    assert fences.check("b", hold(1)) is Freshness.NEW


def test_a_new_command_has_no_reply_until_one_is_recorded() -> None:
    fences = FencingTokens()
    fences.advance("t", hold(1))
    fences.record_reply("t", CallerHeld(command_id="c1"))
    fences.advance("t", hold(2))
    assert fences.reply_to("t") is None


def test_the_oldest_transfer_is_evicted_at_the_limit() -> None:
    fences = FencingTokens()
    for number in range(MAX_TRANSFERS + 1):
        fences.advance(f"t{number}", hold(5))
    assert fences.check("t0", hold(1)) is Freshness.NEW
    assert fences.check("t1", hold(1)) is Freshness.OLD
