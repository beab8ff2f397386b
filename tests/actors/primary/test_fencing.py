"""Which level command still counts."""

from __future__ import annotations

import pytest

from warmxfer.actors.primary.fencing import MAX_TRANSFERS, FencingTokens, Freshness
from warmxfer.schemas import CallerHeld, HoldCaller, ReleaseCaller


def hold(fence: int, command_id: str | None = None) -> HoldCaller:
    return HoldCaller(command_id=command_id or f"c{fence}", deadline_at=0.0, fence=fence, line="Hold.")


@pytest.mark.parametrize(
    ("acted_on", "asked", "standing"),
    [
        (None, hold(1), Freshness.NEW),
        (hold(1), hold(2), Freshness.NEW),
        (hold(3), hold(2), Freshness.OLD),
        (hold(3), hold(3), Freshness.REPEAT),
        (hold(3, "first"), hold(3, "second"), Freshness.OLD),
        (hold(3), ReleaseCaller(command_id="c2", deadline_at=0.0, fence=2, line=None), Freshness.OLD),
    ],
)
def test_stands_as(acted_on: HoldCaller | None, asked: HoldCaller, standing: Freshness) -> None:
    fences = FencingTokens()
    if acted_on:
        fences.skip("t", acted_on)
    assert fences.check("t", asked) is standing


def test_transfers_do_not_share_a_fence() -> None:
    fences = FencingTokens()
    fences.skip("a", hold(9))
    assert fences.check("b", hold(1)) is Freshness.NEW


def test_a_new_command_has_no_answer_until_it_was_given() -> None:
    fences = FencingTokens()
    fences.skip("t", hold(1))
    fences.reply_to("t", CallerHeld(command_id="c1"))
    fences.skip("t", hold(2))
    assert fences.record_reply("t") is None


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    fences = FencingTokens()
    for number in range(MAX_TRANSFERS + 1):
        fences.skip(f"t{number}", hold(5))
    assert fences.check("t0", hold(1)) is Freshness.NEW
    assert fences.check("t1", hold(1)) is Freshness.OLD
