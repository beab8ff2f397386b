"""`close_log`: a record that cannot be continued, of a transfer whose result is published.

Without the fixes the AI left a caller who was alone, and the clean-up of a failed transfer stopped.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from warmxfer.actors.coordinator.state_machine import (
    Applied,
    Record,
    SetTimer,
    Stage,
    close_log,
    decode_record,
    encode_record,
    obstacle,
    salvage,
)
from warmxfer.actors.coordinator.state_machine.record import StoredTransfer
from warmxfer.schemas import (
    CheckLegs,
    CloseRoom,
    EndCall,
    FailureKind,
    LeaveCall,
    NoticeKind,
    ReleaseCaller,
    ReturnCaller,
    TransferBroken,
    TransferNotice,
)

from .test_guard_rescue import alone, back
from .transfer_builder import CONSULTATION, TransferBuilder

BROKEN = TransferBroken(transfer_id="t1", kind="timeout", cause="It is too new.")


def close(transfer: TransferBuilder, after_s: float = 30.0, **changes: Any) -> Applied:
    """Close the log of `transfer` after its newest record was written by a newer version, with `changes`."""
    written = msgspec.json.decode(
        encode_record(
            Record(
                trigger=1,
                at=transfer.now,
                event=BROKEN,
                state=transfer.state,
                outbox=[],
                min_machine_version=1_000,
            )
        )
    )
    written["state"] |= changes
    newest = msgspec.json.encode(written)
    now = transfer.now + after_s
    applied = close_log(salvage("t1", [newest], b"", now), transfer.result, newest, now)
    record = Record(trigger=2, at=now, event=BROKEN, state=applied.state, outbox=[*applied.outbox])
    read = decode_record(encode_record(record))
    assert read == record
    assert obstacle(read) is None
    return applied


def sent(applied: Applied) -> list[str]:
    return [type(each).__name__ for each in applied.outbox]


def fire_timers_until_ended(transfer: TransferBuilder) -> TransferBuilder:
    while not transfer.stage.ended:
        transfer.fire_timer()
    return transfer


def test_a_completed_transfer_is_only_closed() -> None:
    transfer = TransferBuilder().until(Stage.COMPLETED)
    applied = close(transfer)
    assert (applied.state.stage, applied.outbox, applied.state.timer_due_at) == (Stage.COMPLETED, [], None)


@pytest.mark.parametrize("stage", ["guarding", "monitoring", "handing_over"])
def test_the_ai_leaves_a_caller_who_is_with_the_supervisor(stage: str) -> None:
    applied = close(TransferBuilder().until(Stage.GUARDING), stage=stage)
    assert sent(applied) == ["LeaveCall"]
    assert applied.state.stage is Stage.COMPLETED


def test_a_caller_who_is_being_moved_back_is_released_and_returned() -> None:
    transfer = alone()
    applied = close(transfer)
    assert sent(applied) == ["ReleaseCaller", "ReturnCaller", "TransferNotice"]
    released, returned, notice = applied.outbox
    assert isinstance(released, ReleaseCaller)
    assert isinstance(returned, ReturnCaller)
    assert isinstance(notice, TransferNotice)
    assert released.stay_s > 0
    assert released.line == transfer.state.request.config.lines.supervisor_left  # type: ignore[union-attr]
    assert returned.from_room_id == CONSULTATION
    assert notice.notice is NoticeKind.CALLER_ALONE
    assert (applied.state.stage, applied.state.timer_due_at) == (Stage.COMPLETED, None)


def test_a_caller_who_is_back_is_released_and_not_left() -> None:
    transfer = back()
    assert transfer.stage is Stage.GUARDING, "the release is awaited"
    applied = close(transfer)
    assert sent(applied) == ["ReleaseCaller", "ReturnCaller", "TransferNotice"]
    assert [each.notice for each in applied.outbox if isinstance(each, TransferNotice)] == [
        NoticeKind.CALLER_RETURNED
    ]


@pytest.mark.parametrize("value", [None, -1, "word", [], {}, 7])
@pytest.mark.parametrize("field", ["caller_moved", "caller_arrived", "caller_gone"])
def test_a_guard_whose_caller_is_unknown_moves_no_caller(field: str, value: Any) -> None:
    """They may be with the supervisor."""
    applied = close(TransferBuilder().until(Stage.GUARDING), **{field: value})
    assert sent(applied) == ["LeaveCall"]


def failed_with_leftovers() -> TransferBuilder:
    """Return a failed transfer whose leg and room may be up."""
    transfer = fire_timers_until_ended(TransferBuilder().until(Stage.BRIEFING))
    assert transfer.state.supervisor_leg.may_be_up
    assert transfer.state.room.may_be_open
    return transfer


def test_the_clean_up_of_a_failed_transfer_goes_on() -> None:
    transfer = failed_with_leftovers()
    applied = close(transfer)
    assert sent(applied) == ["EndCall", "CloseRoom", "SetTimer"]
    assert applied.state.stage is transfer.stage
    assert applied.state.check_due_at == applied.state.timer_due_at
    (timer,) = (each for each in applied.outbox if isinstance(each, SetTimer))
    assert timer.due_at == applied.state.check_due_at
    for kind in (EndCall, CloseRoom):
        before, after = transfer.sent(kind)[-1], next(each for each in applied.outbox if type(each) is kind)
        assert after == msgspec.structs.replace(
            before, command_id=after.command_id, deadline_at=after.deadline_at
        )


def test_the_clean_up_goes_on_for_as_long_as_it_would_have() -> None:
    """The repeated end does not start the time for checks again."""
    transfer = failed_with_leftovers()
    assert close(transfer, 1.0).state.ended_at == transfer.state.ended_at
    while transfer.state.timer_due_at is not None:
        transfer.fire_timer()
    applied = close(transfer)
    assert applied.state.timer_due_at is None


def test_a_failed_transfer_without_leftovers_is_only_closed() -> None:
    transfer = TransferBuilder().until(Stage.BRIEFING)
    transfer.fail("brief_supervisor", FailureKind.REFUSED)
    transfer.finish_cleanup()
    applied = close(transfer)
    assert (applied.state.stage, applied.outbox) == (transfer.stage, [])


def test_the_legs_of_a_caller_who_was_not_returned_are_checked() -> None:
    """A caller who is with the supervisor stays there; one who is alone is returned."""
    transfer = fire_timers_until_ended(TransferBuilder().until(Stage.RETURNING))
    assert transfer.state.caller.may_be_in_consultation
    applied = close(transfer)
    assert CheckLegs.__name__ in sent(applied)
    assert applied.state.timer_due_at is not None
    check = next(each for each in applied.outbox if isinstance(each, CheckLegs))
    assert applied.state.last_leg_check_id == check.command_id
    assert LeaveCall.__name__ not in sent(applied)


@pytest.mark.parametrize("value", [None, -1, "word", [], {}, [None], {"a": 1}, 10**30, 1e300])
@pytest.mark.parametrize("field", [each.encode_name for each in msgspec.structs.fields(StoredTransfer)])
def test_any_field_may_be_anything(field: str, value: Any) -> None:
    """The last record can be written and read. `close` checks that."""
    for transfer in (failed_with_leftovers(), alone()):
        assert close(transfer, **{field: value}).state.stage in (transfer.stage, Stage.COMPLETED)
