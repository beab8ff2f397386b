"""JSON frames of the sandbox, parsed into room events. Pure. An unknown frame is no event."""

from __future__ import annotations

from typing import Any

import msgspec

from ..room_client import (
    AudioStarted,
    DisconnectReason,
    KeyPressed,
    ParticipantJoinedRoom,
    ParticipantLeftRoom,
    RoomEvent,
    RoomParticipant,
    RoomSnapshot,
    UtteranceHeard,
)

Frame = dict[str, Any]

_frame = msgspec.json.Decoder(Frame)


def parse(raw: str | bytes) -> Frame:
    """Return one frame; an empty one if `raw` is not a JSON object."""
    try:
        return _frame.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def snapshot(frame: Frame, own_id: str) -> RoomSnapshot | None:
    """Return the room of a welcome frame, without ourselves; None if `frame` is no welcome."""
    match frame:
        case {"type": "welcome", "roomId": str(room_id), "participants": list(entries)}:
            participants = tuple(
                participant
                for entry in entries
                if (participant := _participant(entry)) and participant.id != own_id
            )
            session_id = frame.get("sessionId")
            return RoomSnapshot(room_id, session_id if isinstance(session_id, str) else None, participants)
    return None


def event(frame: Frame) -> RoomEvent | None:
    """Return the event of `frame`, or None."""
    match frame:
        case {"type": "participant-joined", "participant": entry} if participant := _participant(entry):
            return ParticipantJoinedRoom(participant)
        case {"type": "participant-left", "participantId": str(participant_id)}:
            return ParticipantLeftRoom(participant_id, str(frame.get("reason") or ""))
        case {"type": "audio-stream-enabled", "participantId": str(participant_id)}:
            return AudioStarted(participant_id, str(frame.get("kind") or "audio"))
        case {"type": "speech", "participantId": str(participant_id), "text": str(text)}:
            return UtteranceHeard(participant_id, text)
        case {"type": "key", "participantId": str(participant_id), "digit": str(digit)}:
            return KeyPressed(participant_id, digit)
    return None


def disconnect_reason(frame: Frame) -> DisconnectReason:
    """Return why the room disconnected us. An unknown reason counts as KICKED."""
    reason = frame.get("reason")
    return (
        DisconnectReason(reason)
        if reason in (DisconnectReason.REPLACED, DisconnectReason.DEACTIVATED)
        else DisconnectReason.KICKED
    )


def _participant(entry: Any) -> RoomParticipant | None:
    match entry:
        case {"id": str(participant_id), "name": str(name), "audio": bool(audible)}:
            return RoomParticipant(participant_id, name, audible)
    return None
