"""Which waiting triggers may share a record, and which one ends the series."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.actors.coordinator.state_machine.transfer_builder import (
    CALLER,
    CONSULTATION,
    PRIMARY,
    TransferBuilder,
)
from warmxfer.actors.coordinator.folding import MAX_SPREAD_S, TOGETHER_MAX, Series, fold
from warmxfer.actors.coordinator.record_cache import CachedRecord
from warmxfer.actors.coordinator.state_machine import Record, Stage
from warmxfer.bus import Delivery, subjects
from warmxfer.bus.messages import NO_HEADERS
from warmxfer.bus.transfer_log import record_id
from warmxfer.schemas import (
    AnyEvent,
    AudioStreamEnabled,
    CallerCallEnded,
    CallerCallFound,
    CallerHeld,
    ParticipantJoined,
    RoomCreated,
    SummaryReady,
    SupervisorReady,
    TransferRequested,
    encode,
)
from warmxfer.schemas.fields import ID_MAX_CHARS

AT = 2_000_000_000.0
ID = "t1"


def cached(stage: Stage = Stage.PREPARING) -> CachedRecord:
    state = TransferBuilder().until(stage).state
    assert state is not None
    event = TransferRequested(transfer_id=ID, request=state.request)  # type: ignore[arg-type]
    record = Record(trigger=7, at=AT - 10.0, event=event, state=state, outbox=[])
    return CachedRecord(record, 3, sent=True, fresh=False)


def delivered(event: AnyEvent, seq: int, role: str = "gateway", *, at: float | None = None) -> Delivery:
    return Delivery(
        ID,
        "event",
        role,
        subjects.event(ID, role),
        encode(event),
        seq,
        AT + seq / 100 if at is None else at,
        1,
        NO_HEADERS,
        "events-0",
    )


def command_of(record: CachedRecord, kind: str) -> str:
    return next(id for id, each in record.record.state.pending.items() if each.kind == kind)


def found(record: CachedRecord, seq: int = 11) -> Delivery:
    id = command_of(record, "find_caller_call")
    return delivered(CallerCallFound(command_id=id, call_id="call-caller", participant_id=CALLER), seq)


def summary(record: CachedRecord, seq: int = 12) -> Delivery:
    event = SummaryReady(command_id=command_of(record, "summarize"), summary="text", source="model")
    return delivered(event, seq, "summarizer")


def held(record: CachedRecord, seq: int = 13) -> Delivery:
    event = CallerHeld(command_id=command_of(record, "hold_caller"), caller_participant_id=CALLER)
    return delivered(event, seq, "primary")


def seqs(series: Series | None) -> list[int]:
    return [] if series is None else [each.delivery.seq for each in series.triggers]


def test_events_that_wait_share_a_record_in_the_order_of_their_arrival() -> None:
    record = cached()
    deliveries = [held(record), found(record), summary(record)]
    series = fold(record, deliveries)
    assert seqs(series) == [13, 11, 12]
    assert series is not None
    assert series.ends == 3
    assert series.triggers[-1].applied.state.seq == record.record.state.seq + 3


def test_no_event_shares_a_record_whose_outputs_may_be_unpublished() -> None:
    record = cached()
    record.sent = False
    assert fold(record, [found(record), summary(record)]) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"delivery_count": 2},
        {"replayed": True},
        {"kind": "timeout"},
        {"kind": "cancel"},
        {"kind": "request"},
        {"data": b"{"},
        {"data": b'{"type":"moon_phase_changed"}'},
        {"rest": "primary", "subject": subjects.event(ID, "primary")},
        {"at": AT + MAX_SPREAD_S + 1.0},
        {"at": AT - 10.0, "seq": 7},
        {"at": AT - 20.0},
    ],
    ids=str,
)
def test_a_trigger_that_is_not_simple_ends_the_series_before_it(changes: dict[str, object]) -> None:
    """Redelivered, replayed, of another kind, unreadable, foreign, much later, applied, or in doubt."""
    record = cached()
    odd = replace(found(record, 12), **changes)
    series = fold(record, [summary(record, 11), odd, held(record)])
    assert seqs(series) == [11]
    assert series is not None
    assert series.ends == 1
    if changes.keys() != {"at"}:
        assert fold(record, [odd, summary(record, 11)]) is None


def test_the_same_message_twice_is_one_trigger() -> None:
    record = cached()
    assert seqs(fold(record, [found(record), found(record), summary(record)])) == [11]


def test_an_old_message_that_certainly_caused_no_record_shares_one() -> None:
    record = cached()
    record.others_until, record.triggers = AT - 100.0, ((AT - 10.0, 7),)
    assert seqs(fold(record, [replace(found(record), at=AT - 20.0), summary(record)])) == [11, 12]
    assert seqs(fold(record, [replace(found(record, 7), at=AT - 10.0), summary(record)])) == []


def test_an_event_without_effect_is_dropped_with_one_that_has_an_effect() -> None:
    record = cached()
    late = SupervisorReady()
    early = [delivered(late, 11, "briefing"), found(record, 12), delivered(late, 13, "briefing")]
    series = fold(record, early)
    assert seqs(series) == [12]
    assert series is not None
    assert series.ends == 3
    assert fold(record, early[:1]) is None, "no append proves that the record is the newest"


def test_a_record_withdraws_no_command_that_it_sends() -> None:
    """The caller hangs up when the dial is sent: the dial alone is in the newest record for a moment."""
    record = cached()
    room = RoomCreated(command_id=command_of(record, "create_room"), room_id=CONSULTATION)
    gone = delivered(CallerCallEnded(call_id="call-caller"), 15)
    deliveries = [found(record), held(record), delivered(room, 14), gone]
    series = fold(record, deliveries)
    assert seqs(series) == [11, 13, 14]
    assert series is not None
    sent = series.triggers[-1].applied.state.pending.values()
    assert "dial_supervisor" in {each.kind for each in sent}
    assert seqs(fold(record, [found(record), gone])) == [11, 15], "no command is sent before"


def test_an_event_whose_handler_raises_ends_the_series(monkeypatch: pytest.MonkeyPatch) -> None:
    from warmxfer.actors.coordinator.state_machine import transitions
    from warmxfer.actors.coordinator.state_machine.transitions import Transition

    record = cached()
    row = transitions.TRANSITIONS[Stage.PREPARING]
    monkeypatch.setitem(row, SummaryReady, Transition(row[SummaryReady].handler, frozenset()))  # type: ignore[arg-type]
    assert seqs(fold(record, [found(record), summary(record), held(record)])) == [11]


@pytest.mark.parametrize("stage", [Stage.GUARDING, Stage.COMPLETED, Stage.CANCELLED, Stage.FAILED])
def test_nothing_shares_a_record_after_the_end(stage: Stage) -> None:
    record = cached(stage)
    joined = ParticipantJoined(room_id=PRIMARY, participant_id=CALLER)
    assert fold(record, [delivered(joined, 11), delivered(joined, 12)]) is None


def test_a_record_has_a_bounded_number_of_triggers() -> None:
    record = cached(Stage.RINGING)
    supervisor = record.record.state.supervisor_participant_id
    many = [
        delivered(AudioStreamEnabled(room_id=CONSULTATION, participant_id=supervisor), 11),
        *(
            delivered(ParticipantJoined(room_id=CONSULTATION, participant_id=supervisor), seq)
            for seq in range(12, 40)
        ),
    ]
    series = fold(record, many)
    assert series is not None
    assert series.ends == TOGETHER_MAX


def test_the_message_id_of_a_record_has_a_bounded_length() -> None:
    """The archive keeps it, and reads no longer one."""
    longest = record_id("t" * 64, "event", [2**63] * TOGETHER_MAX)
    assert len(longest) <= ID_MAX_CHARS
