"""How an agent is present in a room: the port, and one file for each cloud that has rooms.

    ticket = ticket_from(bus, room_id, participant_id)
    voice = open_voice("sandbox", Seat(room_id, participant_id, "Briefing", ticket))
    presence = await voice.join()
    interrupted = await voice.say("Hello.")

The law of this room: what an actor wants of a room is in `port.py`; a cloud's protocol is known to its own
files and to nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from warmxfer.schemas import Refused

from .port import (
    MAX_UTTERANCE_CHARS,
    AudioEnabled,
    Closed,
    Closing,
    Heard,
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
)
from .sandbox import SandboxVoice
from .token import ticket_from

__all__ = [
    "MAX_UTTERANCE_CHARS",
    "VOICE_KINDS",
    "AudioEnabled",
    "Closed",
    "Closing",
    "Heard",
    "Participant",
    "ParticipantJoined",
    "ParticipantLeft",
    "Presence",
    "RoomEvent",
    "Seat",
    "SpeechEnded",
    "Ticket",
    "Utterance",
    "Voice",
    "open_voice",
    "ticket_from",
    "voice_kind",
]

_KINDS: Final[Mapping[str, Callable[[Seat], Voice]]] = {"sandbox": SandboxVoice}
VOICE_KINDS: Final = tuple(_KINDS)


def open_voice(kind: str, seat: Seat) -> Voice:
    """A presence of `kind` (one of `VOICE_KINDS`) that has yet to `join`."""
    return _KINDS[kind](seat)


def voice_kind(env: Mapping[str, str]) -> str:
    """`WARMXFER_VOICE`, "sandbox" when unset; raises `Refused` for one that nobody speaks."""
    kind = env.get("WARMXFER_VOICE") or "sandbox"
    if kind not in _KINDS:
        raise Refused(
            f"WARMXFER_VOICE is {kind[:40]!r}; use one of {', '.join(VOICE_KINDS)}", field="WARMXFER_VOICE"
        )
    return kind
