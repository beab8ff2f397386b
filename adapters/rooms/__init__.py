"""An agent inside a room: join, speak, listen. One protocol, and one folder for each cloud.

    options = JoinOptions(room_id, participant_id, "Ava", token_source(bus, room_id, participant_id))
    room = open_room_client(RoomSettings.from_env(os.environ), options)
    snapshot = await room.join()
    interrupted = await room.say("Hello.")

Invariant: actors use only what `room_client.py` defines. Only the folder of a cloud knows its protocol.
"""

from __future__ import annotations

from .room_client import (
    MAX_UTTERANCE_CHARS,
    AudioStarted,
    Disconnected,
    DisconnectReason,
    JoinOptions,
    KeyPressed,
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
    "KeyPressed",
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
    """Return a client that has not joined yet."""
    if settings.client is not None:
        return settings.client(options)
    if settings.pipeline is None:
        return SandboxRoomClient(options)
    # Imported here because the framework is an optional extra, and takes seconds to import.
    from .videosdk.client import VideoSDKRoomClient

    return VideoSDKRoomClient(options, settings.pipeline)
