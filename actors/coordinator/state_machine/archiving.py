"""Archiving: a transfer that is over leaves the working streams, some time after its last output.

The wait gives every actor the time to carry out what the transfer has sent, and to be restarted meanwhile.
What is in the streams until then also answers late messages. `actors/coordinator/archive.py` does the work.

- Invariant: no command of an archived transfer could still be carried out in time. The wait is longer than
  the time that a command may take.
- Invariant: what is not confirmed stays for a day. A gateway that comes back within it ends the leg and
  closes the room.
- Invariant: an outage uses up no wait. A timer that fires late begins the wait again.
"""

from __future__ import annotations

from msgspec.structs import replace

from warmxfer.schemas import DeadlinePassed, ReleaseCaller

from . import timeouts
from .cleanup import has_leftovers
from .record import ArchiveTransfer, Record
from .state import LAST_STAGES, Stage, Transfer
from .step_context import StepContext


def schedule_archive(ctx: StepContext) -> None:
    """Set when the transfer is archived. Each output after its end moves that later."""
    state = ctx.state
    if state.archive_after_s is None or state.stage not in LAST_STAGES or state.archived:
        return
    if state.archive_due_at is None or ctx.outbox:
        state.archive_due_at = max(state.archive_due_at or 0.0, ctx.now + _wait_s(ctx))


def archive_if_due(ctx: StepContext, event: DeadlinePassed) -> None:
    """Archive the transfer if its wait is over, and if nothing has to be checked."""
    due_at = ctx.state.archive_due_at
    if due_at is None or ctx.now < due_at or not ctx.state.waits_for_archive:
        return
    if ctx.now > event.due_at + timeouts.ARCHIVE_LATE_S:
        ctx.state.archive_due_at = ctx.now + _wait_s(ctx)
        return
    ctx.state.archive_due_at, ctx.state.archived = None, True
    session = "" if ctx.state.request is None else ctx.state.request.session_name
    ctx.outbox.append(ArchiveTransfer(session=session))


def last_record(record: Record) -> Record:
    """Return what the log of an archived transfer keeps of `record`, its last one: no personal data.

    The archive has `record` itself.
    """
    state = record.state
    kept = Transfer(
        id=state.id,
        stage=state.stage,
        started_at=state.started_at,
        seq=state.seq,
        phases=state.phases,
        commands=state.commands,
        attempt=state.attempt,
        archived=True,
    )
    return replace(record, state=kept)


def _wait_s(ctx: StepContext) -> float:
    """Return how long what was sent just now may still be needed."""
    state = ctx.state
    wait_s = timeouts.UNCONFIRMED_KEPT_S if _is_unconfirmed(ctx) else state.archive_after_s or 0.0
    if state.request is not None:
        wait_s += timeouts.effect_s(state.request.config)
    return wait_s + max((each.stay_s for each in ctx.outbox if isinstance(each, ReleaseCaller)), default=0.0)


def _is_unconfirmed(ctx: StepContext) -> bool:
    """Return whether a leg or the room may be up. The caller of a complete transfer is in that room."""
    if ctx.state.stage is not Stage.COMPLETED:
        return has_leftovers(ctx)
    return ctx.state.supervisor_leg.may_be_up or ctx.state.room.may_be_open
