"""WebSocket protocol of rooms, which replaces the RTC SDK. One socket is one agent in one room.

Frames are JSON text, camelCase. After a connection loss the agent stays in the room for GRACE_S. An agent
that reconnects with the same id in that time continues as the same participant. The others receive no event.
"""

import asyncio
import json
from functools import partial
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ..clock import Clock
from ..errors import HttpError
from ..limits import MAX_ID_CHARS, MAX_QUEUED_FRAMES, MAX_TEXT_CHARS
from .observer import Frame, RoomEvent
from .room_activity import RoomActivity
from .rooms import Participant, Room
from .speech_queue import Utterance

GRACE_S: Final = 1.0
NORMAL_CLOSURE: Final = 1000


class AgentSocket:
    """Observer of an agent: writes frames to its WebSocket as fast as the client reads them."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self._frames: asyncio.Queue[Frame] = asyncio.Queue(MAX_QUEUED_FRAMES)
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    def on_event(self, event: RoomEvent) -> None:
        frame = event.frame()
        if frame is not None:
            self.send(frame)

    def on_utterance_ended(self, utterance_id: str, interrupted: bool) -> None:
        self.send({"type": "said", "id": utterance_id, "interrupted": interrupted})

    def on_removed(self, reason: str) -> None:
        self.send({"type": "closed", "reason": reason})
        self._closed = True

    def send(self, frame: Frame) -> None:
        """Queue a frame. A client whose queue is full is disconnected."""
        if self._closed:
            return
        if self._frames.full():
            self._closed = True
            if self._writer is not None:
                self._writer.cancel()
        else:
            self._frames.put_nowait(frame)

    def start_writing(self) -> asyncio.Task[None]:
        """Start the task that writes queued frames to the WebSocket, and return it."""
        self._writer = asyncio.get_running_loop().create_task(self._write())
        return self._writer

    async def _write(self) -> None:
        while True:
            frame = await self._frames.get()
            if self.websocket.application_state is not WebSocketState.CONNECTED:
                return  # the reading task has closed the WebSocket
            await self.websocket.send_text(json.dumps(frame))
            if frame["type"] == "closed":
                await self.websocket.close(NORMAL_CLOSURE)
                return


class AgentSockets:
    """All sockets: admits agents to rooms, keeps them for GRACE_S after a loss, and handles their frames."""

    def __init__(self, clock: Clock, activity: RoomActivity) -> None:
        self._clock = clock
        self._activity = activity
        self._participants: dict[AgentSocket, Participant] = {}
        self._grace_timers: dict[Participant, asyncio.TimerHandle] = {}

    def admit(self, websocket: WebSocket, room: Room, participant_id: str, name: str) -> AgentSocket:
        """Add an agent to the room, or replace the socket of the agent with this id.

        Raises HttpError 403 if the room is full.
        """
        socket = AgentSocket(websocket)
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
        """Accept the connection of an admitted agent and serve it until either side closes."""
        participant = self._participants[socket]
        tasks: list[asyncio.Task[None]] = []
        try:
            await socket.websocket.accept()
            reading = asyncio.get_running_loop().create_task(self._read(participant, socket))
            tasks = [socket.start_writing(), reading]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            del self._participants[socket]
            self._handle_disconnect(participant, socket)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
                raise outcome

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

    async def _read(self, participant: Participant, socket: AgentSocket) -> None:
        """Handle frames until the client leaves or disconnects."""
        while True:
            raw = await socket.websocket.receive_text()
            if participant.observer is not socket or participant.room is None:
                continue
            try:
                self._handle_frame(participant, _parse(raw))
            except HttpError as error:
                socket.send({"type": "error", "message": error.message})
            if participant.room is None:
                await socket.websocket.close(NORMAL_CLOSURE)
                return

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
        frame = json.loads(raw)
    except ValueError:
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
