"""A room of VideoSDK as the framework's own handler holds it, seen by participant id.

The framework listens to everybody whose name has no "agent" in it and cannot say who it was that spoke. Here
the framework is asked about nobody: who comes, goes and is heard is told as it happens, and only the audio
of the one we are there for reaches the pipeline. What the pipeline hears, that one said, whatever their name
and whoever else is in the room.
"""

# pyright: reportMissingImports=false
# The extra is not installed where the rest of the house is type-checked.

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from videosdk.agents.room.participant_event_handler import ParticipantHandler
from videosdk.agents.room.room import VideoSDKHandler

from warmxfer.schemas import RetryableError

from ..room_client import (
    AudioStarted,
    Disconnected,
    DisconnectReason,
    ParticipantJoinedRoom,
    ParticipantLeftRoom,
    RoomEvent,
    RoomParticipant,
)
from .server_lookup import prefetch_servers

AUDIO: Final = "audio"
CONNECTION_LOST: Final = "Internal socket Error"
"""The one error of the library's after which its connection is gone."""

log = structlog.get_logger(__name__)


class FrameworkRoom(VideoSDKHandler):
    """Tells `notice` what happens; feeds `listens_to` to the pipeline. `options`: the handler's own."""

    def __init__(
        self, *, notice: Callable[[RoomEvent], None], listens_to: str | None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once we are in; fails with `Retry` when we will not be."""
        self._notice = notice
        self._listens_to = listens_to

    async def connect(self) -> None:
        await prefetch_servers(self.meeting_id, self.auth_token, self.signaling_base_url)
        await super().connect()

    def on_meeting_joined(self, data: Any) -> None:
        super().on_meeting_joined(data)
        if not self.entered.done():
            self.entered.set_result(None)

    def on_participant_joined(self, participant: Any) -> None:
        self._tell(ParticipantJoinedRoom(RoomParticipant(participant.id, participant.display_name or "")))

        def enabled(stream: Any) -> None:
            if stream.kind == AUDIO:
                self._tell(AudioStarted(participant.id))
                self._hear(participant.id, stream)

        def disabled(stream: Any) -> None:
            if stream.kind == AUDIO:
                self._hear(participant.id, None)

        participant.add_event_listener(ParticipantHandler(participant.id, enabled, disabled))

    def on_participant_left(self, participant: Any) -> None:
        self._hear(participant.id, None)
        self._tell(ParticipantLeftRoom(participant.id))

    def on_meeting_left(self, data: Any) -> None:
        """Put out, and not told why: what is right when the seat was taken is right in every case."""
        self._over(DisconnectReason.REPLACED)

    def on_error(self, data: Any) -> None:
        if data == CONNECTION_LOST or not self.entered.done():
            self._over(DisconnectReason.LOST)
        else:
            log.warning("room_error", room=self.meeting_id)

    def _over(self, reason: DisconnectReason) -> None:
        if self.entered.done():
            self._tell(Disconnected(reason))
        else:
            self.entered.set_exception(RetryableError(f"Room {self.meeting_id} could not be entered"))

    def _tell(self, event: RoomEvent) -> None:
        if not self._left:
            self._notice(event)

    def _hear(self, participant_id: str, stream: Any) -> None:
        """Feed the pipeline from `stream` from now on, if it is the one we listen to."""
        if participant_id != self._listens_to:
            return
        hearing = self.audio_listener_tasks.pop(participant_id, None)
        if hearing is not None:
            hearing.cancel()
        if stream is not None:
            self.audio_listener_tasks[participant_id] = asyncio.create_task(self.add_audio_listener(stream))
