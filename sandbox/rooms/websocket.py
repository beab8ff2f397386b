"""WebSocket protocol of rooms, which replaces the RTC SDK. One socket is one agent in one room.

Frames are JSON text, camelCase. After a connection loss the agent stays in the room for GRACE_S. An agent
that reconnects with the same id in that time continues as the same participant. The others receive no event.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

import msgspec
import structlog
from aiohttp import ClientError, WSCloseCode, WSMessage, WSMsgType, web

from ..clock import Clock
from ..errors import HttpError
from ..limits import MAX_BODY_BYTES, MAX_ID_CHARS, MAX_QUEUED_FRAMES, MAX_TEXT_CHARS
from .observer import Frame, RoomEvent
from .room_activity import RoomActivity
from .rooms import Participant, Room
from .speech_queue import Utterance

GRACE_S: Final = 1.0
HEARTBEAT_S: Final = 5.0
"""A socket that is silent for so long gets a ping. Without a pong in half of that time it is closed."""
CLOSE_TIMEOUT_S: Final = 1.0
"""Maximum wait for the client's close frame."""

log = structlog.get_logger(__name__)

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def new_websocket(request: web.Request) -> web.WebSocketResponse:
    """Return a WebSocket for this handshake. Raises HttpError 400 if the request is none."""
    websocket = web.WebSocketResponse(
        timeout=CLOSE_TIMEOUT_S, heartbeat=HEARTBEAT_S, compress=False, max_msg_size=MAX_BODY_BYTES
    )
    if not websocket.can_prepare(request):
        raise HttpError(400, "A join must be a WebSocket handshake.")
    return websocket


class AgentSocket:
    """Observer of an agent: writes frames to its WebSocket as fast as the client reads them."""

    def __init__(self, websocket: web.WebSocketResponse, request: web.Request) -> None:
        self._websocket = websocket
        self._request = request
        self._unsent: asyncio.Queue[Frame | WSCloseCode] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False

    def on_event(self, event: RoomEvent) -> None:
        frame = event.frame()
        if frame is not None:
            self.send(frame)

    def on_utterance_ended(self, utterance_id: str, interrupted: bool) -> None:
        self.send({"type": "said", "id": utterance_id, "interrupted": interrupted})

    def on_removed(self, reason: str) -> None:
        self.send({"type": "closed", "reason": reason})
        self.close(WSCloseCode.OK)

    def send(self, frame: Frame) -> None:
        """Queue a frame. A client that leaves MAX_QUEUED_FRAMES of them unread is disconnected."""
        if self._closing:
            return
        if self._unsent.qsize() < MAX_QUEUED_FRAMES:
            self._unsent.put_nowait(frame)
        else:
            self._abort()

    def close(self, code: WSCloseCode) -> None:
        """Close the socket after the queued frames."""
        if not self._closing:
            self._closing = True
            self._unsent.put_nowait(code)

    async def accept(self) -> None:
        """Complete the handshake, and start to write."""
        await self._websocket.prepare(self._request)
        self._writer = asyncio.get_running_loop().create_task(self._write())

    def __aiter__(self) -> AsyncIterator[WSMessage]:
        """Return the messages of the client, until either side closes."""
        return self._websocket.__aiter__()

    async def stop_writing(self) -> None:
        """Stop the task that writes. A close that has begun has CLOSE_TIMEOUT_S to end."""
        if self._writer is None:
            return
        if self._closing:
            await asyncio.wait((self._writer,), timeout=CLOSE_TIMEOUT_S)
        self._writer.cancel()
        await asyncio.wait((self._writer,))
        if not self._writer.cancelled():
            self._writer.result()

    async def _write(self) -> None:
        try:
            while isinstance(unsent := await self._unsent.get(), dict):
                await self._websocket.send_frame(_encode(unsent), WSMsgType.TEXT)
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._websocket.close(code=unsent)
        except TimeoutError:
            self._abort()
        except (ConnectionError, ClientError) as error:
            log.debug("room_socket_lost", cause=type(error).__name__)

    def _abort(self) -> None:
        self._closing = True
        if self._request.transport is not None:
            self._request.transport.abort()


class AgentSockets:
    """All sockets: admits agents to rooms, keeps them for GRACE_S after a loss, and handles their frames."""

    def __init__(self, clock: Clock, activity: RoomActivity) -> None:
        self._clock = clock
        self._activity = activity
        self._participants: dict[AgentSocket, Participant] = {}
        self._grace_timers: dict[Participant, asyncio.TimerHandle] = {}

    def admit(
        self,
        websocket: web.WebSocketResponse,
        request: web.Request,
        room: Room,
        participant_id: str,
        name: str,
    ) -> AgentSocket:
        """Add an agent to the room, or replace the socket of the agent with this id.

        Raises HttpError 403 if the room is full.
        """
        socket = AgentSocket(websocket, request)
        participant = room.participants.get(participant_id)
        if participant is not None and participant.is_agent:
            self._take_over(participant, socket)
        else:
            participant = self._activity.create_participant(participant_id, name, socket, None)
            self._activity.enter(room, participant, "api")
        self._participants[socket] = participant
        socket.send(_welcome(room))
        return socket

    async def serve(self, socket: AgentSocket) -> None:
        """Accept the connection of an admitted agent, and handle its frames until either side closes."""
        participant = self._participants[socket]
        try:
            await socket.accept()
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._handle_text(participant, socket, message.data)
                elif message.type is WSMsgType.BINARY:
                    socket.close(WSCloseCode.UNSUPPORTED_DATA)
        finally:
            del self._participants[socket]
            self._handle_disconnect(participant, socket)
            await socket.stop_writing()

    def shut_down(self) -> None:
        """Close all sockets because the sandbox stops."""
        for socket in self._participants:
            socket.close(WSCloseCode.SERVICE_RESTART)

    def clear(self) -> None:
        """Close all sockets and cancel all grace periods."""
        for timer in self._grace_timers.values():
            timer.cancel()
        self._grace_timers.clear()
        for socket in self._participants:
            socket.on_removed("deactivated")

    def _take_over(self, participant: Participant, socket: AgentSocket) -> None:
        timer = self._grace_timers.pop(participant, None)
        if timer is not None:
            timer.cancel()
        participant.speech.stop_all()
        participant.observer.on_removed("replaced")
        participant.observer = socket

    def _handle_disconnect(self, participant: Participant, socket: AgentSocket) -> None:
        """Handle a closed socket: start the grace period, unless the agent left or was taken over."""
        if participant.room is not None and participant.observer is socket:
            participant.speech.stop_all()
            self._grace_timers[participant] = self._clock.call_later(
                GRACE_S, partial(self._end_grace, participant)
            )

    def _end_grace(self, participant: Participant) -> None:
        self._grace_timers.pop(participant, None)
        self._activity.leave(participant, "connection-error", "cloud")

    def _handle_text(self, participant: Participant, socket: AgentSocket, text: str) -> None:
        """Handle a frame of the client, unless the agent has left or was taken over."""
        if participant.observer is not socket or participant.room is None:
            return
        try:
            self._handle_frame(participant, _parse(text))
        except HttpError as error:
            socket.send({"type": "error", "message": error.message})
        if participant.room is None:
            socket.close(WSCloseCode.OK)

    def _handle_frame(self, participant: Participant, frame: dict[str, Any]) -> None:
        """Handle one frame. Raises HttpError if it is invalid."""
        match frame.get("type"):
            case "say":
                if not participant.speech.say(_utterance(frame)):
                    raise HttpError(429, "Too many utterances are queued: wait for a frame of type said.")
            case "interrupt":
                participant.speech.interrupt()
            case "listen":
                self._activity.set_listening(participant, _enabled(frame))
            case "leave":
                self._activity.leave(participant, "user-left", "api")
            case other:
                raise HttpError(400, f"type {other!r} is unknown: send say, interrupt, listen or leave.")


def _welcome(room: Room) -> Frame:
    return {
        "type": "welcome",
        "roomId": room.id,
        "sessionId": room.session.id if room.session else None,
        "participants": [participant.public_view() for participant in room.participants.values()],
    }


def _parse(raw: str) -> dict[str, Any]:
    try:
        frame = _decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise HttpError(400, "Frame is not JSON.") from None
    if not isinstance(frame, dict):
        raise HttpError(400, "Frame must be a JSON object.")
    return frame


def _enabled(frame: dict[str, Any]) -> bool:
    enabled = frame.get("enabled")
    if not isinstance(enabled, bool):
        raise HttpError(400, "listen.enabled must be true or false.")
    return enabled


def _utterance(frame: dict[str, Any]) -> Utterance:
    text, utterance_id, to = frame.get("text"), frame.get("id"), frame.get("to")
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT_CHARS:
        raise HttpError(400, f"say.text must be 1 to {MAX_TEXT_CHARS} characters.")
    if not isinstance(utterance_id, str) or not 0 < len(utterance_id) <= MAX_ID_CHARS:
        raise HttpError(400, f"say.id must be 1 to {MAX_ID_CHARS} characters.")
    if to is not None and not isinstance(to, str):
        raise HttpError(400, "say.to must be a participantId or null.")
    return Utterance(utterance_id, text, frame.get("interruptible") is not False, to)
