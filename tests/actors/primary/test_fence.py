"""Which level command still counts."""

from __future__ import annotations

import pytest

from warmxfer.actors.primary.fence import MAX_TRANSFERS, Fences, Standing
from warmxfer.schemas import CallerHeld, HoldCaller, ReleaseCaller


def hold(fence: int, command_id: str | None = None) -> HoldCaller:
    return HoldCaller(command_id=command_id or f"c{fence}", deadline_at=0.0, fence=fence, line="Hold.")


@pytest.mark.parametrize(
    ("acted_on", "asked", "standing"),
    [
        (None, hold(1), Standing.NEW),
        (hold(1), hold(2), Standing.NEW),
        (hold(3), hold(2), Standing.OLD),
        (hold(3), hold(3), Standing.REPEAT),
        (hold(3, "first"), hold(3, "second"), Standing.OLD),
        (hold(3), ReleaseCaller(command_id="c2", deadline_at=0.0, fence=2, line=None), Standing.OLD),
    ],
)
def test_stands_as(acted_on: HoldCaller | None, asked: HoldCaller, standing: Standing) -> None:
    fences = Fences()
    if acted_on:
        fences.pass_by("t", acted_on)
    assert fences.judge("t", asked) is standing


def test_transfers_do_not_share_a_fence() -> None:
    fences = Fences()
    fences.pass_by("a", hold(9))
    assert fences.judge("b", hold(1)) is Standing.NEW


def test_a_new_command_has_no_answer_until_it_was_given() -> None:
    fences = Fences()
    fences.pass_by("t", hold(1))
    fences.answered("t", CallerHeld(command_id="c1"))
    fences.pass_by("t", hold(2))
    assert fences.answer("t") is None


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    fences = Fences()
    for number in range(MAX_TRANSFERS + 1):
        fences.pass_by(f"t{number}", hold(5))
    assert fences.judge("t0", hold(1)) is Standing.NEW
    assert fences.judge("t1", hold(1)) is Standing.OLD
