"""The framework's room handler, with events and audio by participant id.

The framework listens to each participant whose name does not contain "agent", and does not report who spoke.
This handler reports who joins, leaves and enables audio. It feeds the audio of one participant to the
pipeline. So each transcript is that participant's, whatever their name is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog

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
from .framework import ParticipantHandler, VideoSDKHandler
from .server_lookup import prefetch_servers

AUDIO: Final = "audio"
CONNECTION_LOST: Final = "Internal socket Error"
"""The only error of the library after which its connection is lost (videosdk 0.4.1)."""

log = structlog.get_logger(__name__)


class FrameworkRoom(VideoSDKHandler):
    """Passes events to `on_event` and the audio of `listens_to` to the pipeline.

    `options` are the handler's own. Written against `VideoSDKHandler` of 1.0.30, of which it uses `_left`,
    `audio_listener_tasks` and `add_audio_listener`.
    """

    def __init__(
        self,
        *,
        on_event: Callable[[RoomEvent], None],
        listens_to: str | None,
        token: str,
        host: str,
        **options: Any,
    ) -> None:
        super().__init__(auth_token=token, signaling_base_url=host, **options)
        self.entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the agent has joined; fails with `RetryableError` if it cannot join."""
        self._on_event = on_event
        self._listens_to = listens_to
        self._cloud = (token, host)

    async def connect(self) -> None:
        await prefetch_servers(self.meeting_id, *self._cloud)
        await super().connect()

    def on_meeting_joined(self, data: Any) -> None:
        super().on_meeting_joined(data)
        if not self.entered.done():
            self.entered.set_result(None)

    def on_participant_joined(self, participant: Any) -> None:
        self._emit(ParticipantJoinedRoom(RoomParticipant(participant.id, participant.display_name or "")))

        def enabled(stream: Any) -> None:
            if stream.kind == AUDIO:
                self._emit(AudioStarted(participant.id))
                self._feed_pipeline(participant.id, stream)

        def disabled(stream: Any) -> None:
            if stream.kind == AUDIO:
                self._feed_pipeline(participant.id, None)

        participant.add_event_listener(ParticipantHandler(participant.id, enabled, disabled))

    def on_participant_left(self, participant: Any) -> None:
        self._feed_pipeline(participant.id, None)
        self._emit(ParticipantLeftRoom(participant.id))

    def on_meeting_left(self, data: Any) -> None:
        """End with REPLACED: the cloud gives no reason, and what follows REPLACED is right for any reason."""
        self._end(DisconnectReason.REPLACED)

    def on_error(self, data: Any) -> None:
        if data == CONNECTION_LOST or not self.entered.done():
            self._end(DisconnectReason.LOST)
        else:
            log.warning("room_error", room=self.meeting_id)

    def _end(self, reason: DisconnectReason) -> None:
        if self.entered.done():
            self._emit(Disconnected(reason))
        else:
            self.entered.set_exception(RetryableError(f"Room {self.meeting_id} could not be entered"))

    def _emit(self, event: RoomEvent) -> None:
        if not self._left:
            self._on_event(event)

    def _feed_pipeline(self, participant_id: str, stream: Any) -> None:
        """Feed the pipeline from `stream` from now on; None: from nothing. Ignores other participants."""
        if participant_id != self._listens_to:
            return
        listening = self.audio_listener_tasks.pop(participant_id, None)
        if listening is not None:
            listening.cancel()
        if stream is not None:
            self.audio_listener_tasks[participant_id] = asyncio.create_task(self.add_audio_listener(stream))
