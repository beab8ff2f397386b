"""Whose a notice is, and what it means: tables, and names that survive the way there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.actors.gateway import call_marks
from warmxfer.actors.gateway.webhook_events import TransferEvent, to_event
from warmxfer.adapters.telephony import (
    CallEndedNotice,
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

MARKS = {"warmxferId": "t1", "attempt": "2", "attemptKey": "t1-2"}


def down(
    participant_id: str | None, metadata: dict[str, object], direction: str = "outbound"
) -> CallEndedNotice:
    return CallEndedNotice("c1", participant_id, direction, metadata, CallCause.BUSY, 486)  # pyright: ignore[reportArgumentType]


ENDED = SupervisorCallEnded(attempt=2, call_id="c1", cause=CallCause.BUSY, sip_code=486)


@pytest.mark.parametrize(
    ("notice", "fact"),
    [
        (down(None, MARKS), TransferEvent("t1", ENDED)),
        (down("wxs-t1-2", {}), TransferEvent("t1", ENDED)),
        (down("wxs-t1-2", {"warmxferId": "../x", "attempt": "1"}), TransferEvent("t1", ENDED)),
        (down("wxc-t1", {}, "inbound"), TransferEvent("t1", CallerCallEnded(call_id="c1"))),
        (down("wxr-t1", {}, "inbound"), TransferEvent("t1", CallerCallEnded(call_id="c1"))),
        (down("wxc-t1", MARKS, "inbound"), TransferEvent("t1", CallerCallEnded(call_id="c1"))),
        (down("wxa-t1", {}), None),
        (down("dana", {}), None),
        (down(None, {"warmxferId": "t1"}), None),
        (down(None, {"warmxferId": "t1", "attempt": 2}), None),
        (down(None, {"warmxferId": "t.>", "attempt": "2"}), None),
        (down(None, {"warmxferId": "t1", "attempt": "0"}), None),
        (
            ParticipantJoinedNotice("r1", "wxs-t1-2"),
            TransferEvent("t1", ParticipantJoined(room_id="r1", participant_id="wxs-t1-2")),
        ),
        (
            ParticipantJoinedNotice("r1", "wxr-t1"),
            TransferEvent("t1", ParticipantJoined(room_id="r1", participant_id="wxr-t1")),
        ),
        (ParticipantJoinedNotice("r1", "agent"), None),
        (ParticipantJoinedNotice("r1", "wxc-t.1"), None),
        (ParticipantJoinedNotice("r1", "wxs-t1"), None),
        (
            ParticipantLeftNotice("r1", "wxa-t1", "user-left"),
            TransferEvent("t1", ParticipantLeft(room_id="r1", participant_id="wxa-t1", reason="user-left")),
        ),
    ],
)
def test_what_a_notice_means(notice: Notice, fact: TransferEvent | None) -> None:
    assert to_event(notice) == fact


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.integers(1, 999))
def test_marks_come_back_as_they_went(transfer_id: str, attempt: int) -> None:
    supervisor = ParticipantId("supervisor", transfer_id, attempt)
    assert call_marks.parse_call_metadata(call_marks.call_metadata(transfer_id, attempt)) == supervisor
