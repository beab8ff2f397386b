"""Mapping from a provider's webhook notice to the event of one transfer. Pure.

A provider reports every call that it carries. A notice that names no participant of a transfer is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from warmxfer.adapters.telephony import (
    CallEndedNotice,
    CallUpNotice,
    Notice,
    ParticipantJoinedNotice,
    ParticipantLeftNotice,
)
from warmxfer.schemas import (
    CallerCallEnded,
    Event,
    ParticipantJoined,
    ParticipantLeft,
    SupervisorCallEnded,
    participant_ids,
)

from . import call_marks


class TransferEvent(NamedTuple):
    """An event, and the transfer that it belongs to."""

    transfer_id: str
    event: Event


def to_event(notice: Notice, caller_of: Callable[[str], str | None] = lambda _: None) -> TransferEvent | None:
    """Return the event to publish for `notice`, or None.

    `caller_of` returns the transfer whose caller has the given call, if that is known.
    """
    if isinstance(notice, CallUpNotice):
        return None
    if isinstance(notice, CallEndedNotice):
        return _call_ended(notice) or _caller_hung_up(notice.call_id, caller_of(notice.call_id))
    participant = participant_ids.parse(notice.participant_id)
    if participant is None or participant.role == "agent":
        return None  # The briefing agent publishes its own joins and leaves.
    match notice:
        case ParticipantJoinedNotice(room_id, participant_id):
            return TransferEvent(
                participant.transfer_id, ParticipantJoined(room_id=room_id, participant_id=participant_id)
            )
        case ParticipantLeftNotice(room_id, participant_id, reason):
            left = ParticipantLeft(room_id=room_id, participant_id=participant_id, reason=reason)
            return TransferEvent(participant.transfer_id, left)


def _caller_hung_up(call_id: str, transfer_id: str | None) -> TransferEvent | None:
    return None if transfer_id is None else TransferEvent(transfer_id, CallerCallEnded(call_id=call_id))


def _call_ended(notice: CallEndedNotice) -> TransferEvent | None:
    """Return the event of an ended call, or None.

    A dialled leg is identified by its metadata. The caller's leg has none: after a move it is identified by
    the participant id that the move gave it.
    """
    participant = call_marks.parse_call_metadata(notice.metadata) if notice.direction != "inbound" else None
    participant = participant or participant_ids.parse(notice.participant_id or "")
    if participant is None:
        return None
    if participant.role == "supervisor" and participant.attempt is not None:
        ended = SupervisorCallEnded(
            attempt=participant.attempt, call_id=notice.call_id, cause=notice.cause, sip_code=notice.sip_code
        )
        return TransferEvent(participant.transfer_id, ended)
    if participant.role == "caller":
        return TransferEvent(participant.transfer_id, CallerCallEnded(call_id=notice.call_id))
    return None
