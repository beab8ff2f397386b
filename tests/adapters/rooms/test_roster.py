"""The texts of a room come in here: what is too long for a message is left out or cut."""

from __future__ import annotations

from warmxfer.adapters.rooms.room_client import (
    AudioStarted,
    ParticipantJoinedRoom,
    ParticipantLeftRoom,
    RoomEvent,
    RoomParticipant,
)
from warmxfer.adapters.rooms.roster import Roster
from warmxfer.schemas.fields import PROVIDER_ID_MAX_CHARS, REASON_MAX_CHARS, WORD_MAX_CHARS

LONGEST = "p" * PROVIDER_ID_MAX_CHARS
TOO_LONG = LONGEST + "p"


def applied(*events: RoomEvent) -> tuple[Roster, list[RoomEvent]]:
    roster = Roster()
    return roster, [change for event in events for change in roster.apply(event)]


def test_a_participant_whose_id_is_too_long_is_left_out() -> None:
    joined = [ParticipantJoinedRoom(RoomParticipant(id)) for id in (LONGEST, TOO_LONG)]
    roster, changes = applied(*joined, AudioStarted(TOO_LONG), ParticipantLeftRoom(TOO_LONG))
    assert changes == joined[:1]
    assert [each.id for each in roster.others] == [LONGEST]


def test_a_snapshot_leaves_them_out_too() -> None:
    roster = Roster()
    changes = roster.replace_all(RoomParticipant(id) for id in (TOO_LONG, LONGEST))
    assert changes == [ParticipantJoinedRoom(RoomParticipant(LONGEST))]


def test_the_reason_of_a_leave_and_the_kind_of_a_stream_are_cut() -> None:
    text = "a" * 100_000
    _, changes = applied(
        ParticipantJoinedRoom(RoomParticipant("p")), AudioStarted("p", text), ParticipantLeftRoom("p", text)
    )
    assert changes[1:] == [
        AudioStarted("p", "a" * WORD_MAX_CHARS),
        ParticipantLeftRoom("p", "a" * REASON_MAX_CHARS),
    ]
