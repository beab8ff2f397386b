"""How an agent is present in a room: the port, and one file for each cloud that has rooms.

    ticket = ticket_from(bus, room_id, participant_id)
    voice = open_voice(VoiceSettings.from_env(os.environ), Seat(room_id, participant_id, "Briefing", ticket))
    presence = await voice.join()
    interrupted = await voice.say("Hello.")

The law of this room: what an actor wants of a room is in `port.py`; a cloud's protocol is known to its own
files and to nobody else.
"""

from __future__ import annotations

from .room_client import (
    MAX_UTTERANCE_CHARS,
    AudioStarted,
    Disconnected,
    DisconnectReason,
    JoinOptions,
    NoSuchRoom,
    ParticipantJoinedRoom,
    ParticipantLeftRoom,
    QueuedUtterance,
    RoomClient,
    RoomEvent,
    RoomParticipant,
    RoomSnapshot,
    SpeechEnded,
    TokenSource,
    UtteranceHeard,
    VoicemailSuspected,
    token_source,
)
from .sandbox.client import SandboxRoomClient
from .settings import ROOM_KIND_VARIABLE, ROOM_KINDS, PipelineFactory, RoomSettings, room_kind

__all__ = [
    "MAX_UTTERANCE_CHARS",
    "ROOM_KINDS",
    "ROOM_KIND_VARIABLE",
    "AudioStarted",
    "DisconnectReason",
    "Disconnected",
    "JoinOptions",
    "NoSuchRoom",
    "ParticipantJoinedRoom",
    "ParticipantLeftRoom",
    "PipelineFactory",
    "QueuedUtterance",
    "RoomClient",
    "RoomEvent",
    "RoomParticipant",
    "RoomSettings",
    "RoomSnapshot",
    "SpeechEnded",
    "TokenSource",
    "UtteranceHeard",
    "VoicemailSuspected",
    "open_room_client",
    "room_kind",
    "token_source",
]


def open_room_client(settings: RoomSettings, options: JoinOptions) -> RoomClient:
    """A presence that has yet to `join`."""
    if settings.pipeline is None:
        return SandboxRoomClient(options)
    # Only now: the framework takes seconds to import, and is an extra.
    from .videosdk.client import VideoSDKRoomClient

    return VideoSDKRoomClient(options, settings.pipeline)
