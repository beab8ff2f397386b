"""How an agent is present in a room: the port, and one file for each cloud that has rooms.

    ticket = ticket_from(bus, room_id, participant_id)
    voice = open_voice(VoiceSettings.from_env(os.environ), Seat(room_id, participant_id, "Briefing", ticket))
    presence = await voice.join()
    interrupted = await voice.say("Hello.")

The law of this room: what an actor wants of a room is in `port.py`; a cloud's protocol is known to its own
files and to nobody else.
"""

from __future__ import annotations

from .port import (
    MAX_UTTERANCE_CHARS,
    AudioEnabled,
    Closed,
    Closing,
    Heard,
    NoSuchRoom,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    Presence,
    RoomEvent,
    Seat,
    SpeechEnded,
    Ticket,
    Utterance,
    Voice,
    VoicemailNoticed,
)
from .sandbox import SandboxVoice
from .settings import VOICE, VOICE_KINDS, PipelineFactory, VoiceSettings, voice_kind
from .token import ticket_from

__all__ = [
    "MAX_UTTERANCE_CHARS",
    "VOICE",
    "VOICE_KINDS",
    "AudioEnabled",
    "Closed",
    "Closing",
    "Heard",
    "NoSuchRoom",
    "Participant",
    "ParticipantJoined",
    "ParticipantLeft",
    "PipelineFactory",
    "Presence",
    "RoomEvent",
    "Seat",
    "SpeechEnded",
    "Ticket",
    "Utterance",
    "Voice",
    "VoiceSettings",
    "VoicemailNoticed",
    "open_voice",
    "ticket_from",
    "voice_kind",
]


def open_voice(settings: VoiceSettings, seat: Seat) -> Voice:
    """A presence that has yet to `join`."""
    if settings.pipeline is None:
        return SandboxVoice(seat)
    # Only now: the framework takes seconds to import, and is an extra.
    from .videosdk import VideoSDKVoice

    return VideoSDKVoice(seat, settings.pipeline)
