"""Relays events of a session's room to its attachment: a participant left, audio enabled, session closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from warmxfer.actors.primary import Attachment
from warmxfer.adapters.rooms.videosdk.framework import events_of, pipeline_of, room_of

from .participants import id_if_in_room

CLOSING = "closing"


@contextmanager
def relay_room_events(session: Any, attachment: Attachment) -> Iterator[None]:
    """Relay the events while entered. Thread/loop: the framework emits them on the session's loop."""
    events = events_of(session)

    def on_left(payload: dict[str, Any]) -> None:
        if id := id_if_in_room(room_of(session), payload.get("participant")):
            attachment.participant_left(id)

    def on_audio(payload: dict[str, Any]) -> None:
        if id := id_if_in_room(room_of(session), payload.get("participant")):
            attachment.audio_enabled(id)

    def on_state(payload: dict[str, Any]) -> None:
        if payload.get("state") == CLOSING:
            attachment.closed()

    handlers = (
        (events, "PARTICIPANT_LEFT", on_left),
        (events, "AUDIO_STREAM_ENABLED", on_audio),
        (session, "agent_state_changed", on_state),
    )
    for emitter, event, handler in handlers:
        emitter.on(event, handler)
    try:
        if pipeline_of(session) is None:
            attachment.closed()
        yield
    finally:
        for emitter, event, handler in handlers:
            emitter.off(event, handler)
