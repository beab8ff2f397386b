"""The framework's room handler, with events and audio by participant id.

The framework listens to each participant whose name does not contain "agent", and does not report who spoke.
This handler reports who joins, leaves and enables audio. It feeds the audio of one participant to the
pipeline. So each transcript is that participant's, whatever their name is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

import structlog

from warmxfer.schemas import RetryableError

from ..room_client import (
    AudioStarted,
    Disconnected,
    DisconnectReason,
    KeyPressed,
    ParticipantJoinedRoom,
    ParticipantLeftRoom,
    RoomEvent,
    RoomParticipant,
)
from .framework import ParticipantHandler, VideoSDKHandler, signaling_socket_of
from .server_lookup import prefetch_servers

AUDIO: Final = "audio"
KEYS_TOPIC: Final = "DTMF_EVENT"
"""The pubsub topic of pressed keys (1.0.30). `senderId` is the participant, `payload.number` the digit."""
SUBSCRIBE_TIMEOUT_S: Final = 3.0
KEYS: Final = frozenset("0123456789*#")
CONNECTION_LOST: Final = "Internal socket Error"
"""The only error of the library after which its connection is lost (videosdk 0.4.1)."""
PING_INTERVAL_S: Final = 5.0
PONG_TIMEOUT_S: Final = 10.0

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
        self._fed_stream: str | None = None
        """Id of the audio stream that feeds the pipeline."""
        self._watching: asyncio.Task[None] | None = None
        self._key_callbacks: list[Callable[[Any], Any]] = []

    async def subscribe_keys(self) -> bool:
        """Report pressed keys from now on; return whether the cloud accepted it. Never raises.

        The framework's own handler drops the sender and the digit 0.
        """
        try:
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S):
                accepted = await super().subscribe_to_pubsub({"topic": KEYS_TOPIC, "cb": self._on_key})
        except Exception as error:  # the library may raise anything
            log.warning("keys_not_subscribed", room=self.meeting_id, error=type(error).__name__)
            return False
        return accepted is not None

    async def subscribe_to_pubsub(self, pubsub_config: Any) -> Any:
        """Subscribe to a topic. A topic has one subscriber: another one of keys is called after ours."""
        if pubsub_config.get("topic") != KEYS_TOPIC:
            return await super().subscribe_to_pubsub(pubsub_config)
        self._key_callbacks.append(pubsub_config.get("cb"))
        return []

    def _on_key(self, message: Any) -> None:
        sender, digit = _pressed(message)
        if sender and digit in KEYS:
            self._emit(KeyPressed(sender, digit))
        for callback in self._key_callbacks:
            callback(message)

    async def connect(self) -> None:
        await prefetch_servers(self.meeting_id, *self._cloud)
        await super().connect()

    def on_meeting_joined(self, data: Any) -> None:
        super().on_meeting_joined(data)
        if not self.entered.done():
            self.entered.set_result(None)
            self._watching = asyncio.create_task(self._watch_socket(), name=f"watch-{self.meeting_id}")

    async def _watch_socket(self) -> None:
        """End with LOST when the socket closes or answers no ping.

        The library reports neither: a socket that the cloud closes in order ends its reading silently, and it
        pings about every half hour. Ends when the room was left, because that closes the socket.
        """
        socket = signaling_socket_of(self.meeting)
        if socket is None:
            log.warning("room_connection_not_watched", room=self.meeting_id)
            return
        closed = asyncio.ensure_future(socket.wait_closed())
        try:
            while not (await asyncio.wait((closed,), timeout=PING_INTERVAL_S))[0]:
                async with asyncio.timeout(PONG_TIMEOUT_S):
                    await (await socket.ping())
        except Exception as error:  # the library of the socket may be another one
            log.info("room_ping_failed", room=self.meeting_id, error=type(error).__name__)
        finally:
            closed.cancel()
        self._end(DisconnectReason.LOST)

    def on_participant_joined(self, participant: Any) -> None:
        self._emit(ParticipantJoinedRoom(RoomParticipant(participant.id, participant.display_name or "")))

        def enabled(stream: Any) -> None:
            if stream.kind == AUDIO:
                self._emit(AudioStarted(participant.id))
                self._feed_pipeline(participant.id, stream)

        def disabled(stream: Any) -> None:
            # The end of an older stream may come after the start of the one that replaced it.
            if stream.kind == AUDIO and stream.id == self._fed_stream:
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
        self._fed_stream = None if stream is None else stream.id
        if stream is not None:
            self.audio_listener_tasks[participant_id] = asyncio.create_task(self.add_audio_listener(stream))


def _pressed(message: Any) -> tuple[str, str]:
    """Return the participant and the digit of a pubsub message; empty texts if it has none."""
    if not isinstance(message, dict):
        return "", ""
    payload = message.get("payload")
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except ValueError:
            return "", ""
    digit = payload.get("number") if isinstance(payload, dict) else None
    return str(message.get("senderId") or ""), "" if digit is None else str(digit)
