"""Activity inside rooms: joins and leaves, speech, and listening.

Invariant: an event reaches only participants of its own room (`tests/sandbox/test_websocket.py`).
"""

import secrets
from functools import partial
from typing import Any

from ..clock import Clock, iso, now_s
from ..errors import HttpError
from ..ledger import By, Ledger
from ..limits import MAX_LEDGER_TEXT_CHARS, MAX_PARTICIPANTS_PER_ROOM
from ..webhooks import WebhookSender
from .observer import RoomEvent, RoomObserver
from .recordings import Recordings
from .room_events import (
    AudioEnabled,
    Joined,
    Left,
    ListenChanged,
    SpeechBegan,
    Spoke,
)
from .rooms import Participant, Room, RoomSession, SipTag
from .speech_queue import SpeechQueue, Utterance


class RoomActivity:
    """Adds and removes participants, and delivers events and speech inside each room."""

    def __init__(self, clock: Clock, ledger: Ledger, outbox: WebhookSender, recordings: Recordings) -> None:
        self._clock = clock
        self._ledger = ledger
        self._outbox = outbox
        self._recordings = recordings

    def newcomer(
        self,
        participant_id: str,
        name: str,
        listener: RoomObserver,
        sip: SipTag | None,
        metadata: dict[str, Any] | None = None,
    ) -> Participant:
        """Create a participant that is not yet in a room. An agent has audio at once, a phone later."""
        who = Participant(participant_id, name, listener, sip, metadata, audio=sip is None)
        who.speech = SpeechQueue(self._clock, partial(self._began, who), partial(self._ended, who))
        return who

    def enter(self, room: Room, who: Participant, by: By) -> None:
        """Add a participant and remove the one with the same id. Raises HttpError 403 if the room is full."""
        double = room.participants.get(who.id)
        if double is None and len(room.participants) >= MAX_PARTICIPANTS_PER_ROOM:
            raise HttpError(403, f"Room holds {MAX_PARTICIPANTS_PER_ROOM} participants and is full.")
        if room.session is None:
            self._open_session(room)
        if double is not None:
            self._remove(room, double, "replaced", "cloud")
            double.listener.dismiss("replaced")
        room.participants[who.id] = who
        who.room = room
        self._ledger.record("joined", by, who.about(room), name=who.name, agent=who.is_agent)
        self._recordings.entered(who)
        self._notify(room, Joined(who), but=who)
        self._outbox.room_event(room, "participant-joined", _webhook_data(room, who))

    def leave(self, who: Participant, reason: str, by: By) -> None:
        """Remove a participant, and end the session if the room is then empty. No effect outside a room."""
        room = who.room
        if room is None:
            return
        self._remove(room, who, reason, by)
        if not room.participants:
            self._close_session(room)

    def enable_audio(self, who: Participant) -> None:
        """Make a participant audible. No effect outside a room or if it is audible already."""
        if who.room is None or who.audio:
            return
        who.audio = True
        self._notify(who.room, AudioEnabled(who), but=who)

    def set_listening(self, who: Participant, listening: bool) -> None:
        """Set whether a participant receives speech. No effect without a change."""
        if who.room is None or who.listening == listening:
            return
        who.listening = listening
        self._ledger.record("listen", "api", who.about(who.room), enabled=listening)
        self._notify(who.room, ListenChanged(who), but=who)

    def _remove(self, room: Room, who: Participant, reason: str, by: By) -> None:
        who.speech.silence()
        self._recordings.left(room, who, by)
        del room.participants[who.id]
        who.room = None
        self._ledger.record("left", by, who.about(room), reason=reason)
        self._notify(room, Left(who, reason))
        self._outbox.room_event(room, "participant-left", {**_webhook_data(room, who), "reason": reason})

    def _open_session(self, room: Room) -> None:
        room.session = RoomSession(secrets.token_hex(12), now_s())
        started = {
            "sessionId": room.session.id,
            "meetingId": room.id,
            "start": iso(room.session.started_at_s),
        }
        self._outbox.room_event(room, "session-started", started)

    def _close_session(self, room: Room) -> None:
        session, room.session = room.session, None
        if session is None:
            return
        ended = {
            "sessionId": session.id,
            "meetingId": room.id,
            "start": iso(session.started_at_s),
            "end": iso(now_s()),
            "error": None,
            "reason": "Meeting Ended.",
        }
        self._outbox.room_event(room, "session-ended", ended)

    def _began(self, who: Participant, utterance: Utterance) -> None:
        if who.room is not None and who.audio:
            self._notify(who.room, SpeechBegan(who), but=who, only=utterance.to)

    def _ended(self, who: Participant, utterance: Utterance, heard: str, interrupted: bool) -> None:
        if who.room is not None and who.audio and heard:
            hearers = self._notify(who.room, Spoke(who, heard), but=who, only=utterance.to)
            by: By = "api" if who.is_agent else "person"
            said = heard[:MAX_LEDGER_TEXT_CHARS]
            self._ledger.record("speech", by, who.about(who.room), text=said, heardBy=hearers)
        who.listener.utterance_ended(utterance.id, interrupted)

    def _notify(
        self, room: Room, happening: RoomEvent, *, but: Participant | None = None, only: str | None = None
    ) -> list[str]:
        """Send an event to the participants of a room and return the ids of the receivers."""
        deaf_to_it = isinstance(happening, Spoke | SpeechBegan)
        told = [
            who
            for who in room.participants.values()
            if who is not but and only in (None, who.id) and not (deaf_to_it and not who.listening)
        ]
        for who in told:
            who.listener.notice(happening)
        return [who.id for who in told]


def _webhook_data(room: Room, who: Participant) -> dict[str, str | None]:
    return {
        "meetingId": room.id,
        "sessionId": room.session.id if room.session else None,
        "participantId": who.id,
        "participantName": who.name,
    }
