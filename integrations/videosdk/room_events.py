"""What happens in a session's room, passed on to its place on the bus: who left, who is heard, the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from warmxfer.actors.primary import Attachment
from warmxfer.adapters.rooms.videosdk.framework import events_of, pipeline_of, room_of

from .participants import id_if_here

CLOSING = "closing"


@contextmanager
def relay_room_events(session: Any, attachment: Attachment) -> Iterator[None]:
    """Tell `attachment` what the framework tells us. It does so on its own loop."""
    events = events_of(session)

    def on_left(told: dict[str, Any]) -> None:
        if id := id_if_here(room_of(session), told.get("participant")):
            attachment.participant_left(id)

    def on_audio(told: dict[str, Any]) -> None:
        if id := id_if_here(room_of(session), told.get("participant")):
            attachment.audio_enabled(id)

    def on_state(told: dict[str, Any]) -> None:
        if told.get("state") == CLOSING:
            attachment.closed()

    heard = (
        (events, "PARTICIPANT_LEFT", on_left),
        (events, "AUDIO_STREAM_ENABLED", on_audio),
        (session, "agent_state_changed", on_state),
    )
    for emitter, event, handler in heard:
        emitter.on(event, handler)
    try:
        if pipeline_of(session) is None:
            attachment.closed()
        yield
    finally:
        for emitter, event, handler in heard:
            emitter.off(event, handler)
