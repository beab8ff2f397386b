"""Status changes of a call: written to its record and sent as webhooks."""

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
_DEFAULT_WEBHOOK: Final = "call-hangup"


class CallStatus:
    """Sets the status of calls and sends the matching webhooks."""

    def __init__(self, webhooks: WebhookSender, rooms: Rooms) -> None:
        self._webhooks = webhooks
        self._rooms = rooms

    def set_status(self, call: Call, status: str, room: Room | None = None, **details: str | int) -> None:
        """Set the status and send its webhook. `room` replaces the call's own room in the webhook."""
        call.add_status(status, **details)
        self._send(call, _WEBHOOKS.get(status, _DEFAULT_WEBHOOK), room)

    def send_update(self, call: Call) -> None:
        """Send the webhook for a change of the record other than the status."""
        self._send(call, "call-update", None)

    def _send(self, call: Call, kind: str, room: Room | None) -> None:
        own_room = room or self._rooms.find(call.room_id)
        if not self._webhooks.wants_call_event(own_room, kind):
            return
        data = {
            **call.summary(),
            "type": call.direction,
            "sessionId": call.session_id,
            "participantId": call.participant_id,
        }
        if room is not None:
            data["roomId"] = room.id
        self._webhooks.call_event(call.id, own_room, kind, data)
