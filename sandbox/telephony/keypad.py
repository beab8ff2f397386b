"""The keys of a person's phone, and their faults: a key that is lost, reported twice, or late."""

from ..clock import Clock
from ..faults import FaultRegistry
from ..rooms.room_activity import RoomActivity
from .calls import Call


class Keypad:
    """Reports pressed keys to the room of the call."""

    def __init__(self, clock: Clock, faults: FaultRegistry, activity: RoomActivity) -> None:
        self._clock = clock
        self._faults = faults
        self._activity = activity

    def press(self, call: Call, digit: str) -> None:
        """Press one key. No effect outside a room."""
        participant = call.participant
        if participant is None:
            return
        fault = self._faults.for_key(call.participant_id, digit)
        kind = fault.kind if fault else None
        if kind == "drop":
            return
        if fault is not None and kind == "delay":
            call.call_later(self._clock, fault.delay_s, lambda: self._activity.press_key(participant, digit))
            return
        for _ in range(2 if kind == "duplicate" else 1):
            self._activity.press_key(participant, digit)
