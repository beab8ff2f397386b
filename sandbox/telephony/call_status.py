"""A call's new status: into its record, and out to everybody who wants to know."""

from typing import Final

from ..rooms.rooms import Room, Rooms
from ..webhooks import WebhookSender
from .calls import Call

_WEBHOOKS: Final = {
    "initiated": "call-started",
    "incoming": "call-started",
    "ringing": "call-ringing",
    "answered": "call-answered",
    "not-answered": "call-missed",
    "switch-room-initiated": "switch-room-initiated",
    "switch-room-completed": "switch-room-completed",
    "switch-room-failed": "switch-room-failed",
}
_ANY_OTHER_END: Final = "call-hangup"


class CallStatus:
    """Marks statuses and sends the webhooks that go with them."""

    def __init__(self, outbox: WebhookSender, rooms: Rooms) -> None:
        self._outbox = outbox
        self._rooms = rooms

    def status(self, call: Call, status: str, room: Room | None = None, **details: str | int) -> None:
        """The call now has this status; `room` is the one it is about when that is not the call's own."""
        call.mark(status, **details)
        self._send(call, _WEBHOOKS.get(status, _ANY_OTHER_END), room)

    def update(self, call: Call) -> None:
        """Something else in the call's record has changed."""
        self._send(call, "call-update", None)

    def _send(self, call: Call, kind: str, room: Room | None) -> None:
        data = {
            **call.summary(),
            "type": call.direction,
            "sessionId": call.session_id,
            "participantId": call.participant_id,
        }
        if room is not None:
            data["roomId"] = room.id
        self._outbox.call_event(call.id, room or self._rooms.find(call.room_id), kind, data)
