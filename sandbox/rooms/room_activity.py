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
    KeyPressed,
    Left,
    ListenChanged,
    SpeechBegan,
    Spoke,
)
from .rooms import Participant, Room, Rooms, RoomSession, SipTag
from .speech_queue import SpeechQueue, Utterance


class RoomActivity:
    """Adds and removes participants, and delivers events and speech inside each room."""

    def __init__(
        self, clock: Clock, ledger: Ledger, rooms: Rooms, webhooks: WebhookSender, recordings: Recordings
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._webhooks = webhooks
        self._recordings = recordings
        self._rooms = rooms
        self._agents: dict[str, set[Participant]] = {}
        """The agents in all rooms, by participant id."""

    def create_participant(
        self,
        participant_id: str,
        name: str,
        observer: RoomObserver,
        sip: SipTag | None,
        metadata: dict[str, Any] | None = None,
    ) -> Participant:
        """Create a participant that is not yet in a room. An agent has audio at once, a phone later."""
        participant = Participant(participant_id, name, observer, sip, metadata, audio=sip is None)
        participant.speech = SpeechQueue(
            self._clock, partial(self._speech_began, participant), partial(self._speech_ended, participant)
        )
        return participant

    def enter(self, room: Room, participant: Participant, by: By) -> None:
        """Add a participant and remove the one with the same id. Raises HttpError 403 if the room is full."""
        previous = room.participants.get(participant.id)
        if previous is None and len(room.participants) >= MAX_PARTICIPANTS_PER_ROOM:
            raise HttpError(403, f"Room holds {MAX_PARTICIPANTS_PER_ROOM} participants and is full.")
        if room.session is None:
            self._open_session(room)
        if previous is not None:
            self._remove(room, previous, "replaced", "cloud")
            previous.observer.on_removed("replaced")
        room.participants[participant.id] = participant
        participant.room = room
        if participant.is_agent:
            self._agents.setdefault(participant.id, set()).add(participant)
        self._ledger.record(
            "joined", by, participant.ledger_ref(room), name=participant.name, agent=participant.is_agent
        )
        self._recordings.participant_entered(participant)
        self._notify(room, Joined(participant), exclude=participant)
        if self._webhooks.wants_room_event(room, "participant-joined"):
            self._webhooks.room_event(room, "participant-joined", _webhook_data(room, participant))

    def leave(self, participant: Participant, reason: str, by: By) -> None:
        """Remove a participant, and end the session if the room is then empty. No effect outside a room."""
        room = participant.room
        if room is None:
            return
        self._remove(room, participant, reason, by)
        if not room.participants:
            self._close_session(room)

    def enable_audio(self, participant: Participant) -> None:
        """Make a participant audible. No effect outside a room or if it is audible already."""
        if participant.room is None or participant.audio:
            return
        participant.audio = True
        self._notify(participant.room, AudioEnabled(participant), exclude=participant)

    def set_listening(self, participant: Participant, listening: bool) -> None:
        """Set whether a participant receives speech. No effect without a change."""
        if participant.room is None or participant.listening == listening:
            return
        participant.listening = listening
        self._ledger.record("listen", "api", participant.ledger_ref(participant.room), enabled=listening)
        self._notify(participant.room, ListenChanged(participant), exclude=participant)

    def press_key(self, participant: Participant, digit: str) -> None:
        """Report a key that a person pressed. No effect outside a room."""
        if participant.room is None:
            return
        self._ledger.record("key", "person", participant.ledger_ref(participant.room), digit=digit)
        self._notify(participant.room, KeyPressed(participant, digit), exclude=participant)

    def _remove(self, room: Room, participant: Participant, reason: str, by: By) -> None:
        participant.speech.stop_all()
        self._recordings.participant_left(room, participant, by)
        del room.participants[participant.id]
        participant.room = None
        if participant.is_agent:
            self._remove_agent(participant)
        self._ledger.record("left", by, participant.ledger_ref(room), reason=reason)
        self._notify(room, Left(participant, reason))
        if self._webhooks.wants_room_event(room, "participant-left"):
            data = {**_webhook_data(room, participant), "reason": reason}
            self._webhooks.room_event(room, "participant-left", data)

    def agents_with_id(self, participant_id: str) -> list[Participant]:
        """Return the agents with this participant id, in all rooms."""
        return list(self._agents.get(participant_id, ()))

    def _remove_agent(self, agent: Participant) -> None:
        agents = self._agents[agent.id]
        agents.discard(agent)
        if not agents:
            del self._agents[agent.id]

    def _open_session(self, room: Room) -> None:
        room.session = RoomSession(secrets.token_hex(12), now_s())
        self._rooms.mark_used(room)
        data = {
            "sessionId": room.session.id,
            "meetingId": room.id,
            "start": iso(room.session.started_at_s),
        }
        self._webhooks.room_event(room, "session-started", data)

    def _close_session(self, room: Room) -> None:
        session, room.session = room.session, None
        if session is None:
            return
        self._rooms.mark_empty(room)
        data = {
            "sessionId": session.id,
            "meetingId": room.id,
            "start": iso(session.started_at_s),
            "end": iso(now_s()),
            "error": None,
            "reason": "Meeting Ended.",
        }
        self._webhooks.room_event(room, "session-ended", data)

    def _speech_began(self, participant: Participant, utterance: Utterance) -> None:
        """Tell the people in the room. The protocol of sockets has no frame for it."""
        if participant.room is None or not participant.audio:
            return
        event = SpeechBegan(participant)
        for person in participant.room.people:
            if person is not participant and utterance.to in (None, person.id):
                person.observer.on_event(event)

    def _speech_ended(
        self, participant: Participant, utterance: Utterance, spoken_text: str, interrupted: bool
    ) -> None:
        if participant.room is not None and participant.audio and spoken_text:
            heard_by = self._notify(
                participant.room, Spoke(participant, spoken_text), exclude=participant, only_to=utterance.to
            )
            by: By = "api" if participant.is_agent else "person"
            text = spoken_text[:MAX_LEDGER_TEXT_CHARS]
            self._ledger.record(
                "speech", by, participant.ledger_ref(participant.room), text=text, heardBy=heard_by
            )
        participant.observer.on_utterance_ended(utterance.id, interrupted)

    def _notify(
        self, room: Room, event: RoomEvent, *, exclude: Participant | None = None, only_to: str | None = None
    ) -> tuple[str, ...]:
        """Send an event to the participants of a room and return the ids of the receivers."""
        is_speech = isinstance(event, Spoke | SpeechBegan)
        receivers = [
            participant
            for participant in room.participants.values()
            if participant is not exclude
            and (participant.listening or not is_speech)
            and (only_to is None or only_to == participant.id)
        ]
        for participant in receivers:
            participant.observer.on_event(event)
        return tuple(participant.id for participant in receivers)


def _webhook_data(room: Room, participant: Participant) -> dict[str, str | None]:
    return {
        "meetingId": room.id,
        "sessionId": room.session.id if room.session else None,
        "participantId": participant.id,
        "participantName": participant.name,
    }
