"""What a transfer waits for, by its phases."""

from __future__ import annotations

import pytest

from warmxfer.cli.board.step import Step, Wait, current_wait
from warmxfer.schemas import WarmTransferPhase
from warmxfer.schemas.timeline import TimeLimits

LIMITS = TimeLimits(
    preparation_s=70.0, ring_s=30.0, briefing_s=60.0, switch_s=21.0, arrival_s=15.0, cleanup_s=66.0
)


def wait_after(*phases: str, resolution: str = "", limits: TimeLimits | None = LIMITS) -> Wait:
    return current_wait(
        {WarmTransferPhase(phase): float(at) for at, phase in enumerate(phases, 1)}, resolution, limits
    )


PREPARED = ("started", "summary_generating", "summary_ready", "caller_on_hold", "consultation_room_created")
RINGING = (*PREPARED, "supervisor_dialed")
BRIEFING = (*RINGING, "supervisor_joined", "briefing_started")


@pytest.mark.parametrize(
    ("phases", "resolution", "expected"),
    [
        (("started",), "", Wait(Step.PREPARING, "the hold, the room, the dial", 1.0, 70.0)),
        (PREPARED, "", Wait(Step.PREPARING, "the dial", 1.0, 70.0)),
        (RINGING, "", Wait(Step.RINGING, "{supervisor} to answer", 6.0, 30.0)),
        (BRIEFING[:-1], "", Wait(Step.BRIEFING, "the briefing agent", 7.0, 70.0)),
        (BRIEFING, "", Wait(Step.BRIEFING, "{supervisor} to accept or decline", 8.0, 60.0)),
        (
            (*BRIEFING, "briefing_complete"),
            "ready",
            Wait(Step.MOVING, "the provider to move the caller", 9.0, 21.0),
        ),
        ((*BRIEFING, "briefing_complete"), "declined", Wait(Step.CLEANING_UP, "the legs to end", 9.0, 66.0)),
        (
            (*BRIEFING, "briefing_complete", "call_switched"),
            "timeout",
            Wait(Step.MOVING, "the caller to arrive", 10.0, 15.0),
        ),
        ((*BRIEFING, "transfer_cancelled"), "", Wait(Step.ENDED, "", 9.0, None)),
        (("transfer_failed",), "", Wait(Step.ENDED, "", 1.0, None)),
    ],
)
def test_the_newest_step_is_waited_for(phases: tuple[str, ...], resolution: str, expected: Wait) -> None:
    assert wait_after(*phases, resolution=resolution) == expected


def test_a_late_summary_is_what_a_briefing_waits_for() -> None:
    wait = wait_after(
        "started",
        "caller_on_hold",
        "consultation_room_created",
        "supervisor_dialed",
        "supervisor_joined",
    )
    assert (wait.step, wait.on) == (Step.BRIEFING, "the summary")


def test_without_an_outline_the_limit_is_unknown() -> None:
    assert wait_after(*RINGING, limits=None).limit_s is None


def test_each_phase_alone_has_a_step() -> None:
    for phase in WarmTransferPhase:
        assert wait_after(phase.value).since == 1.0
