"""Mapping of notices to events, and the round trip of call metadata."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.actors.gateway import call_marks
from warmxfer.actors.gateway.webhook_events import TransferEvent, to_event
from warmxfer.adapters.telephony import (
    CallEndedNotice,
    CallUpNotice,
    Notice,
    ParticipantJoinedNotice,
    ParticipantLeftNotice,
)
from warmxfer.schemas import (
    CallCause,
    CallerCallEnded,
    ParticipantJoined,
    ParticipantLeft,
    SupervisorCallEnded,
)
from warmxfer.schemas.participant_ids import ParticipantId

METADATA = {"warmxferId": "t1", "attempt": "2", "attemptKey": "t1-2"}


def ended_notice(
    participant_id: str | None, metadata: dict[str, object], direction: str = "outbound"
) -> CallEndedNotice:
    return CallEndedNotice("c1", participant_id, direction, metadata, CallCause.BUSY, 486)  # pyright: ignore[reportArgumentType]


ENDED = SupervisorCallEnded(attempt=2, call_id="c1", cause=CallCause.BUSY, sip_code=486)


@pytest.mark.parametrize(
    ("notice", "event"),
    [
        (ended_notice(None, METADATA), TransferEvent("t1", ENDED)),
        (ended_notice("wxs-t1-2", {}), TransferEvent("t1", ENDED)),
        (ended_notice("wxs-t1-2", {"warmxferId": "../x", "attempt": "1"}), TransferEvent("t1", ENDED)),
        (ended_notice("wxc-t1", {}, "inbound"), TransferEvent("t1", CallerCallEnded(call_id="c1"))),
        (ended_notice("wxr-t1", {}, "inbound"), TransferEvent("t1", CallerCallEnded(call_id="c1"))),
        (ended_notice("wxc-t1", METADATA, "inbound"), TransferEvent("t1", CallerCallEnded(call_id="c1"))),
        (ended_notice("wxa-t1", {}), None),
        (ended_notice("dana", {}), None),
        (ended_notice(None, {"warmxferId": "t1"}), None),
        (ended_notice(None, {"warmxferId": "t1", "attempt": 2}), None),
        (ended_notice(None, {"warmxferId": "t.>", "attempt": "2"}), None),
        (ended_notice(None, {"warmxferId": "t1", "attempt": "0"}), None),
        (
            ParticipantJoinedNotice("r1", "wxs-t1-2"),
            TransferEvent("t1", ParticipantJoined(room_id="r1", participant_id="wxs-t1-2")),
        ),
        (
            ParticipantJoinedNotice("r1", "wxr-t1"),
            TransferEvent("t1", ParticipantJoined(room_id="r1", participant_id="wxr-t1")),
        ),
        (
            ParticipantLeftNotice("r1", "wxs-t1-2", "user-left"),
            TransferEvent("t1", ParticipantLeft(room_id="r1", participant_id="wxs-t1-2", reason="user-left")),
        ),
        (ParticipantJoinedNotice("r1", "agent"), None),
        (ParticipantJoinedNotice("r1", "wxa-t1"), None),
        (ParticipantJoinedNotice("r1", "wxc-t.1"), None),
        (ParticipantJoinedNotice("r1", "wxs-t1"), None),
        (
            ParticipantLeftNotice("r1", "wxa-t1", "user-left"),
            None,
        ),
    ],
)
def test_a_notice_maps_to_its_event(notice: Notice, event: TransferEvent | None) -> None:
    assert to_event(notice) == event


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.integers(1, 999))
def test_call_metadata_round_trips(transfer_id: str, attempt: int) -> None:
    supervisor = ParticipantId("supervisor", transfer_id, attempt)
    assert call_marks.parse_call_metadata(call_marks.call_metadata(transfer_id, attempt)) == supervisor


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_metadata_of_a_rescue_round_trips_and_is_no_attempt(transfer_id: str) -> None:
    marks = call_marks.rescue_metadata(transfer_id, "deployment-1")
    assert call_marks.parse_call_metadata(marks) == ParticipantId("rescuer", transfer_id)
    assert marks.items() >= call_marks.deployment_metadata("deployment-1").items()


def test_the_end_of_a_rescue_is_no_event_of_the_supervisor_or_the_caller() -> None:
    marks = call_marks.rescue_metadata("t1")
    for participant_id in ("wxh-t1", "+14155550114", None):
        notice = CallEndedNotice("call-9", participant_id, "outbound", marks, CallCause.HUNG_UP, None)
        assert to_event(notice) is None


def test_a_leg_that_is_up_gives_no_event() -> None:
    assert to_event(CallUpNotice("c1"), lambda _: "t1") is None


def test_a_caller_whose_call_was_looked_up_is_known_without_a_participant_id() -> None:
    """Before the move the provider knows the caller's leg by a participant id that is not ours."""
    hung_up = ended_notice("sip-4711", {}, "inbound")
    assert to_event(hung_up) is None
    assert to_event(hung_up, {"c1": "t1"}.get) == TransferEvent("t1", CallerCallEnded(call_id="c1"))
    assert to_event(ended_notice(None, METADATA), {"c1": "t9"}.get) == TransferEvent("t1", ENDED)
