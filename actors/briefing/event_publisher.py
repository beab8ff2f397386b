"""Publishes the events of one consultation. Each event is stored once, however many workers saw it.

Invariant: the Msg-Id of an event is built from its content: the consultation, the participant, and how often
that participant had left before. Two workers that saw the same event publish the same id. Held by
`test_another_worker_briefs_again_with_the_same_id_when_a_worker_dies`.
"""

from __future__ import annotations

import hashlib
from typing import Final

import structlog

from warmxfer.adapters import rooms
from warmxfer.bus import AccessDenied, Bus, Stored, subjects
from warmxfer.schemas import (
    AnyEvent,
    AudioStreamEnabled,
    CommandFailed,
    CommandReply,
    ConsultationJoined,
    ConsultationLeft,
    DecodeError,
    Event,
    FailureKind,
    JoinConsultation,
    ParticipantJoined,
    ParticipantLeft,
    SupervisorDeclined,
    SupervisorReady,
    VoicemailDetected,
    decode_event,
    encode,
)
from warmxfer.schemas.fields import provider_id

from ..common.command_replies import reply_msg_id
from ..common.private_numbers import mask
from .dialogue_actions import Decide
from .history import HISTORY_EVENTS, ConsultationHistory, from_events
from .reply.rules import ReplyIntent

PUBLISH_DEADLINE_S: Final = 30.0
"""How long a publish waits for an unreachable broker; then another worker takes over."""

MAX_EVENTS_READ: Final = 1_000
MAX_EVENTS_KEPT: Final = 64
"""Events kept to be published again. A consultation publishes about ten."""
MAX_REASON_CHARS: Final = 500
MAX_DETAIL_CHARS: Final = 300
LEFT_UNSEEN: Final = "left while no agent was in the room"

log = structlog.get_logger(__name__)


class ConsultationEvents:
    """Publisher of one consultation. Every method raises Unavailable after `PUBLISH_DEADLINE_S`.

    `role` is the actor that says the events. Another process of that role may continue the consultation.
    """

    def __init__(self, bus: Bus, transfer_id: str, join: JoinConsultation, role: str) -> None:
        self._bus = bus
        self._transfer_id = transfer_id
        self._subject = subjects.event(transfer_id, role)
        self._join = join
        self._known_ids = (join.supervisor_participant_id, join.caller_participant_id)
        self._history = ConsultationHistory()
        self._events: list[tuple[float, AnyEvent]] = []
        self._last_seq = 0
        self._published: list[tuple[str, Event]] = []

    @property
    def none_stored(self) -> bool:
        """Whether no read has found an event of this role."""
        return self._last_seq == 0

    async def load_history(self, since: float) -> ConsultationHistory:
        """Return the published history; a second call reads only the events after the first call."""
        for message in await self._read():
            self._last_seq = message.seq
            try:
                event = decode_event(message.data)
            except DecodeError:
                continue
            if isinstance(event, HISTORY_EVENTS):
                self._events.append((message.at, event))
        self._history = from_events(self._events, self._join.room_id, since)
        return self._history

    async def _read(self) -> list[Stored]:
        """Return the events of this role that were not read yet. A session may read only the newest."""
        try:
            return await self._bus.history(self._subject, MAX_EVENTS_READ, after=self._last_seq)
        except AccessDenied:
            newest = await self._bus.get_last(self._subject)
            return [newest] if newest is not None and newest.seq > self._last_seq else []

    async def publish_joined(
        self, snapshot: rooms.RoomSnapshot, history_before_join: ConsultationHistory
    ) -> None:
        """Publish that the agent joined, and who is in the room.

        A participant who was present before and during the join, but is not in `snapshot`, left unseen.
        """
        command_id = self._join.command_id
        session_id = provider_id(snapshot.session_id)
        await self._reply(ConsultationJoined(command_id=command_id, session_id=session_id))
        present_ids = {participant.id for participant in snapshot.participants}
        recorded = history_before_join.present & self._history.present
        for participant_id in recorded.intersection(self._known_ids) - present_ids:
            await self.publish_room_event(rooms.ParticipantLeftRoom(participant_id, LEFT_UNSEEN))
        for participant in snapshot.participants:
            await self.publish_room_event(rooms.ParticipantJoinedRoom(participant))

    async def publish_room_event(self, room_event: rooms.RoomEvent) -> None:
        """Publish who joined, who left, and whose audio started. Other room events are ignored.

        A known participant who joins with audio is published once: the audio implies the join.
        """
        room_id = self._join.room_id
        match room_event:
            case rooms.ParticipantJoinedRoom(participant) if (
                participant.audible and participant.id in self._known_ids
            ):
                await self.publish_room_event(rooms.AudioStarted(participant.id))
            case rooms.ParticipantJoinedRoom(participant):
                event = ParticipantJoined(room_id=room_id, participant_id=participant.id)
                await self._publish_participant_event(participant.id, "joined", event)
            case rooms.AudioStarted(participant_id, kind) if participant_id in self._known_ids:
                event = AudioStreamEnabled(room_id=room_id, participant_id=participant_id, kind=kind)
                await self._publish_participant_event(participant_id, kind, event)
            case rooms.ParticipantLeftRoom(participant_id, reason):
                event = ParticipantLeft(room_id=room_id, participant_id=participant_id, reason=reason)
                await self._publish_participant_event(participant_id, "left", event)
                self._history.departures[participant_id] += 1
            case _:
                pass

    async def publish_decision(self, decision: Decide) -> None:
        """Publish the decision. A second decision has the same Msg-Id, and the broker drops it."""
        event: Event
        match decision.intent:
            case ReplyIntent.READY:
                by = "key" if decision.by == "key" else "voice"
                event = SupervisorReady(by=by, words=decision.words[:MAX_REASON_CHARS])
            case ReplyIntent.DECLINED:
                event = SupervisorDeclined(reason=mask(decision.reason)[:MAX_REASON_CHARS])
            case _:
                event = VoicemailDetected()
        await self._publish(event, f"{self._join.command_id}:decision")
        log.info("supervisor_decided", transfer_id=self._transfer_id, intent=decision.intent.value)

    async def publish_failed(self, detail: str) -> None:
        """Reply that the agent could not join."""
        failure = CommandFailed(
            command_id=self._join.command_id, failure=FailureKind.REFUSED, detail=detail[:MAX_DETAIL_CHARS]
        )
        await self._reply(failure)

    async def publish_left(self, command_id: str) -> None:
        """Reply that the agent has left."""
        await self._reply(ConsultationLeft(command_id=command_id))

    async def _publish_participant_event(self, participant_id: str, kind: str, event: Event) -> None:
        # An unknown participant chose its own id, so the id is hashed before it goes into a header.
        id_part = (
            participant_id
            if participant_id in self._known_ids
            else hashlib.blake2s(participant_id.encode(), digest_size=8).hexdigest()
        )
        await self._publish(
            event, f"{self._join.command_id}:{kind}:{id_part}:{self._history.departures[participant_id]}"
        )

    async def _reply(self, reply: CommandReply) -> None:
        await self._publish(reply, reply_msg_id(reply))

    async def publish_again(self) -> None:
        """Publish again what the stream does not have any more, as after an old copy was put back."""
        try:
            stored = {each.msg_id for each in await self._bus.history(self._subject, MAX_EVENTS_READ)}
        except AccessDenied:
            if await self._bus.get_last(self._subject) is not None:
                return  # This user may read only the newest event, and there is one.
            stored = set[str | None]()
        for msg_id, event in tuple(self._published):
            if msg_id not in stored:
                log.warning("event_published_again", transfer_id=self._transfer_id, kind=type(event).__name__)
                await self._store(event, msg_id)

    async def _publish(self, event: Event, msg_id: str) -> None:
        await self._store(event, msg_id)
        self._published = [*self._published, (msg_id, event)][-MAX_EVENTS_KEPT:]

    async def _store(self, event: Event, msg_id: str) -> None:
        await self._bus.publish(self._subject, encode(event), msg_id=msg_id, deadline_s=PUBLISH_DEADLINE_S)
