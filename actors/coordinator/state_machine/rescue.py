"""Rescue: what is done for a caller whose session is lost. It did not answer the release, or was closed.

The gateway checks the legs before it dials or dispatches. So the coordinator may ask too early: a caller who
hung up, or who is with the supervisor, is left as they are.

Invariants (tests/model_check, I29 and I30):

- If the session is lost, the evidence says so, and whether a rescue was dialled or dispatched.
- The coordinator waits for one `RescueCaller` at most. The gateway dials or dispatches once per transfer.
- A rescue that has certainly not begun is requested again while clean-up or the guard lasts.
- A rescue changes no outcome.
"""

from __future__ import annotations

from msgspec import UNSET

from warmxfer.schemas import RescueCaller

from . import timeouts
from .state import CallerPlace, Stage
from .step_context import StepContext

NO_ANSWER = "no session answered the release"
REFUSED = "the session could not release the caller"
CLOSED = "the session was closed"
UNCONFIRMED = "unconfirmed"


def lose_session(ctx: StepContext) -> None:
    """Remember that no session talks to the caller.

    A recorded request that leaves `rescue` open is from an older version, and continues without it.
    """
    if ctx.config.rescue is not UNSET and ctx.state.caller is not CallerPlace.HUNG_UP:
        ctx.state.session_lost = True


def rescue_caller(ctx: StepContext) -> None:
    """Send `RescueCaller` if the session is lost, a rescue is configured, and none was requested yet."""
    if not ctx.state.session_lost or ctx.state.caller is CallerPlace.HUNG_UP or ctx.state.rescue_requested:
        return
    rescue, is_live = ctx.config.rescue, not ctx.state.stage.ended
    if is_live:
        add_caller_evidence(ctx, "may be alone")
    if not rescue:
        return
    ctx.state.rescue_requested = True
    if is_live:
        ctx.add_evidence(caller_rescued=UNCONFIRMED)
    may_be_there = ctx.state.caller.may_be_in_consultation
    ctx.send(
        RescueCaller,
        awaited=is_live or ctx.state.stage is Stage.GUARDING,
        room_id=ctx.request.room_id,
        caller_call_id=ctx.state.caller_call_id,
        supervisor_call_id=ctx.state.supervisor_call_id if may_be_there else None,
        consultation_room_id=ctx.state.room_id if may_be_there else None,
        participant_id=ctx.state.rescuer_participant_id,
        ringing_timeout_s=timeouts.ringing_s(ctx.config),
        rescue=rescue,
    )


def add_caller_evidence(ctx: StepContext, caller: str) -> None:
    """Say in the evidence where the caller of the lost session is, and how the session was lost."""
    evidence = ctx.state.decision.evidence if ctx.state.decision else {}
    refused = "release_caller_failed" in evidence
    cause = CLOSED if ctx.state.caller_released else REFUSED if refused else NO_ANSWER
    ctx.add_evidence(caller=f"{caller}: {cause}")
