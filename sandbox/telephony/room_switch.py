"""Room switches of live calls: accepted at once, completed or failed later.

A later switch of the same call replaces a pending one. Between two rooms the caller hears nothing.
"""

from functools import partial
from typing import Final

from ..clock import Clock
from ..errors import HttpError
from ..faults import FaultRegistry
from ..ledger import About, Ledger
from ..rooms.room_activity import RoomActivity
from ..rooms.room_events import ParticipantMoved
from ..rooms.rooms import Room
from .call_status import CallStatus
from .calls import Call, Calls

SWITCH_S: Final = 0.3
"""Delay between the acceptance of a switch and the call's leaving of its room."""
AUDIO_S: Final = 0.2
"""Delay between the arrival in the new room and the time when the caller can be heard there."""


class RoomSwitch:
    """Moves calls between rooms."""

    def __init__(
        self,
        clock: Clock,
        ledger: Ledger,
        faults: FaultRegistry,
        presence: RoomActivity,
        calls: Calls,
        news: CallStatus,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._faults = faults
        self._presence = presence
        self._calls = calls
        self._news = news

    def switch(self, call: Call, room: Room, participant_id: str) -> None:
        """Start to move an active call into `room` as `participant_id`. Raises HttpError 400."""
        if not call.active:
            raise HttpError(400, f"Call is not active but {call.status}: only answered calls switch rooms.")
        if room.session is None:
            raise HttpError(400, "Room has no active session: somebody must have joined it first.")
        here = call.participant.room if call.participant else None
        about = About(call.id, room.id, participant_id, call.metadata or None)
        self._ledger.record("switch", "api", about, fromRoomId=here.id if here else None)
        if call.moving is not None:
            call.moving.cancel()
        self._news.status(call, "switch-room-initiated", room)
        fault = self._faults.for_switch(call.id, room.id)
        match fault.kind if fault else None:
            case "fails":
                step = partial(self._fail, call, room, "refused")
            case "never_arrives":
                step = partial(self._depart, call, room, participant_id, None)
            case _:
                step = partial(self._depart, call, room, participant_id, fault.delay_s if fault else 0.0)
        call.moving = self._clock.later(SWITCH_S, step)

    def _depart(self, call: Call, room: Room, participant_id: str, travel_s: float | None) -> None:
        """Leave the old room, and enter the new one `travel_s` later (None: never)."""
        call.moving = None
        who = call.participant
        if who is None or room.session is None:
            self._fail(call, room, "room is empty")
        elif who.room is room and who.id == participant_id:
            self._complete(call, room)
        else:
            self._presence.leave(who, "user-left", "cloud")
            if travel_s:
                call.moving = self._clock.later(travel_s, partial(self._land, call, room, participant_id))
            elif travel_s is not None:
                self._land(call, room, participant_id)

    def _land(self, call: Call, room: Room, participant_id: str) -> None:
        call.moving = None
        before = call.participant
        if before is None or room.disabled:
            self._fail(call, room, "room is closed")
            return
        who = self._presence.newcomer(participant_id, before.name, before.listener, before.sip, call.metadata)
        try:
            self._presence.enter(room, who, "cloud")
        except HttpError as full:
            self._fail(call, room, full.message)
            return
        call.participant, call.participant_id = who, participant_id
        call.session_id = room.session.id if room.session else None
        self._calls.move(call, room.id)
        call.after(self._clock, AUDIO_S, partial(self._presence.enable_audio, who))
        self._complete(call, room)
        who.listener.notice(ParticipantMoved())

    def _complete(self, call: Call, room: Room) -> None:
        self._ledger.record("switch_completed", "cloud", call.about)
        self._news.status(call, "switch-room-completed", room)
        self._news.update(call)

    def _fail(self, call: Call, room: Room, reason: str) -> None:
        call.moving = None
        about = About(call.id, room.id, call.participant_id, call.metadata or None)
        self._ledger.record("switch_failed", "cloud", about, reason=reason)
        self._news.status(call, "switch-room-failed", room, reason=reason)
