"""What the room shows and what was decided, told on the bus: each fact once, however many workers saw it.

The law of this file: a fact's Msg-Id is made of what it says: the consultation, the participant, and how
often that one had left before. Two workers that saw the same thing write the same id.
"""

from __future__ import annotations

import hashlib
from typing import Final

import structlog

from warmxfer.adapters import rooms
from warmxfer.bus import Bus, subjects
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

from ..common.command_replies import reply_msg_id
from .dialogue import Decide
from .history import ConsultationHistory, from_events
from .reply.rules import ReplyIntent

PUBLISH_DEADLINE_S: Final = 30.0
"""An outage of the broker is waited out this long; then another worker takes over."""

MAX_EVENTS_READ: Final = 1_000
MAX_REASON_CHARS: Final = 500
MAX_DETAIL_CHARS: Final = 300
UNWATCHED: Final = "left while nobody watched"

log = structlog.get_logger(__name__)


class ConsultationEvents:
    """Speaks for one consultation. Every method raises `Unavailable` after `REPORT_DEADLINE_S`."""

    def __init__(self, bus: Bus, transfer_id: str, join: JoinConsultation) -> None:
        self._bus = bus
        self._transfer_id = transfer_id
        self._subject = subjects.event(transfer_id)
        self._join = join
        self._ours = (join.supervisor_participant_id, join.caller_participant_id)
        self._past = ConsultationHistory()
        self._events: list[tuple[int, AnyEvent]] = []
        self._read_to = 0

    async def load_history(self, since_seq: int) -> ConsultationHistory:
        """What is known by now; a second call reads only what has come since the first."""
        for message in await self._bus.history(self._subject, MAX_EVENTS_READ, after=self._read_to):
            self._read_to = message.seq
            try:
                self._events.append((message.seq, decode_event(message.data)))
            except DecodeError:
                continue
        self._past = from_events(self._events, self._join.room_id, since_seq)
        return self._past

    async def joined(self, presence: rooms.RoomSnapshot, before: ConsultationHistory) -> None:
        """We are in, and these are here. Who was here `before` we entered, and is not, has left unseen."""
        command_id = self._join.command_id
        await self._reply(ConsultationJoined(command_id=command_id, session_id=presence.session_id))
        here = {participant.id for participant in presence.participants}
        unseen = before.present & self._past.present
        for gone in unseen.intersection(self._ours) - here:
            await self.room_event(rooms.ParticipantLeftRoom(gone, UNWATCHED))
        for participant in presence.participants:
            await self.room_event(rooms.ParticipantJoinedRoom(participant))

    async def room_event(self, event: rooms.RoomEvent) -> None:
        """Tell what concerns others than us; our own speech and hearing does not."""
        room_id = self._join.room_id
        match event:
            case rooms.ParticipantJoinedRoom(other):
                fact = ParticipantJoined(room_id=room_id, participant_id=other.id)
                await self._publish_participant_event(other.id, "joined", fact)
                if other.audible:
                    await self.room_event(rooms.AudioStarted(other.id))
            case rooms.AudioStarted(who, kind) if who in self._ours:
                fact = AudioStreamEnabled(room_id=room_id, participant_id=who, kind=kind)
                await self._publish_participant_event(who, kind, fact)
            case rooms.ParticipantLeftRoom(who, reason):
                fact = ParticipantLeft(room_id=room_id, participant_id=who, reason=reason)
                await self._publish_participant_event(who, "left", fact)
                self._past.departures[who] += 1
            case _:
                pass

    async def decided(self, decision: Decide) -> None:
        """The one decision of this consultation: a second one has the same id, and is dropped."""
        fact: Event
        match decision.intent:
            case ReplyIntent.READY:
                fact = SupervisorReady()
            case ReplyIntent.DECLINED:
                fact = SupervisorDeclined(reason=decision.reason[:MAX_REASON_CHARS])
            case _:
                fact = VoicemailDetected()
        await self._publish(fact, f"{self._join.command_id}:decision")
        log.info("supervisor_decided", transfer_id=self._transfer_id, verdict=decision.intent.value)

    async def failed(self, detail: str) -> None:
        """We are not in, and will not be."""
        failure = CommandFailed(
            command_id=self._join.command_id, failure=FailureKind.REFUSED, detail=detail[:MAX_DETAIL_CHARS]
        )
        await self._reply(failure)

    async def left(self, command_id: str) -> None:
        """We are out."""
        await self._reply(ConsultationLeft(command_id=command_id))

    async def _publish_participant_event(self, who: str, what: str, fact: Event) -> None:
        # A stranger's id is the stranger's choice: it does not go into a header as it is.
        name = who if who in self._ours else hashlib.blake2s(who.encode(), digest_size=8).hexdigest()
        await self._publish(fact, f"{self._join.command_id}:{what}:{name}:{self._past.departures[who]}")

    async def _reply(self, answer: CommandReply) -> None:
        await self._publish(answer, reply_msg_id(answer))

    async def _publish(self, fact: Event, msg_id: str) -> None:
        await self._bus.publish(self._subject, encode(fact), msg_id=msg_id, deadline_s=PUBLISH_DEADLINE_S)
