"""Room switches of live calls: accepted at once, completed or failed later.

A later switch of the same call replaces a pending one. Between two rooms the caller hears nothing.
"""

from functools import partial
from typing import Final

from ..clock import Clock
from ..errors import HttpError
from ..faults import FaultRegistry
from ..ledger import Ledger, LedgerRef
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
        activity: RoomActivity,
        calls: Calls,
        call_status: CallStatus,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._faults = faults
        self._activity = activity
        self._calls = calls
        self._call_status = call_status

    def switch(self, call: Call, room: Room, participant_id: str) -> None:
        """Start to move an active call into `room` as `participant_id`. Raises HttpError 400."""
        if not call.active:
            raise HttpError(400, f"Call is not active but {call.status}: only answered calls switch rooms.")
        if room.session is None:
            raise HttpError(400, "Room has no active session: a participant must join it first.")
        current_room = call.participant.room if call.participant else None
        ref = LedgerRef(call.id, room.id, participant_id, call.metadata or None)
        self._ledger.record("switch", "api", ref, fromRoomId=current_room.id if current_room else None)
        if call.pending_switch is not None:
            call.pending_switch.cancel()
        self._call_status.set_status(call, "switch-room-initiated", room)
        fault = self._faults.for_switch(call.id, room.id)
        match fault.kind if fault else None:
            case "fails":
                next_step = partial(self._fail, call, room, "refused")
            case "never_arrives":
                next_step = partial(self._leave_room, call, room, participant_id, None)
            case _:
                next_step = partial(
                    self._leave_room, call, room, participant_id, fault.delay_s if fault else 0.0
                )
        call.pending_switch = self._clock.call_later(SWITCH_S, next_step)

    def _leave_room(self, call: Call, room: Room, participant_id: str, delay_s: float | None) -> None:
        """Leave the old room, and enter the new one `delay_s` later (None: never)."""
        call.pending_switch = None
        participant = call.participant
        if participant is None or room.session is None:
            self._fail(call, room, "room is empty")
        elif participant.room is room and participant.id == participant_id:
            self._complete(call, room)
        else:
            self._activity.leave(participant, "user-left", "cloud")
            if delay_s:
                call.pending_switch = self._clock.call_later(
                    delay_s, partial(self._enter_room, call, room, participant_id)
                )
            elif delay_s is not None:
                self._enter_room(call, room, participant_id)

    def _enter_room(self, call: Call, room: Room, participant_id: str) -> None:
        call.pending_switch = None
        previous = call.participant
        if previous is None or room.disabled:
            self._fail(call, room, "room is closed")
            return
        participant = self._activity.create_participant(
            participant_id, previous.name, previous.observer, previous.sip, call.metadata
        )
        try:
            self._activity.enter(room, participant, "cloud")
        except HttpError as error:
            self._fail(call, room, error.message)
            return
        call.participant = participant
        call.session_id = room.session.id if room.session else None
        self._calls.move(call, room.id, participant_id)
        # Without a minimum in real time: at time scale 0 the caller's first words would end before it.
        call.call_later(self._clock, AUDIO_S, partial(self._activity.enable_audio, participant), 0.0)
        self._complete(call, room)
        participant.observer.on_event(ParticipantMoved())

    def _complete(self, call: Call, room: Room) -> None:
        self._ledger.record("switch_completed", "cloud", call.ledger_ref)
        self._call_status.set_status(call, "switch-room-completed", room)
        self._call_status.send_update(call)

    def _fail(self, call: Call, room: Room, reason: str) -> None:
        call.pending_switch = None
        ref = LedgerRef(call.id, room.id, call.participant_id, call.metadata or None)
        self._ledger.record("switch_failed", "cloud", ref, reason=reason)
        self._call_status.set_status(call, "switch-room-failed", room, reason=reason)
