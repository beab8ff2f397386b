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


class Socket:
    """Observer of an agent: writes frames to its WebSocket as fast as the client reads them."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self._frames: asyncio.Queue[Frame] = asyncio.Queue(MAX_QUEUED_FRAMES)
        self._writing: asyncio.Task[None] | None = None
        self._deaf = False

    def notice(self, happening: RoomEvent) -> None:
        frame = happening.frame()
        if frame is not None:
            self.send(frame)

    def utterance_ended(self, utterance_id: str, interrupted: bool) -> None:
        self.send({"type": "said", "id": utterance_id, "interrupted": interrupted})

    def dismiss(self, reason: str) -> None:
        self.send({"type": "closed", "reason": reason})
        self._deaf = True

    def send(self, frame: Frame) -> None:
        """Queue a frame. A client whose queue is full is disconnected."""
        if self._deaf:
            return
        if self._frames.full():
            self._deaf = True
            if self._writing is not None:
                self._writing.cancel()
        else:
            self._frames.put_nowait(frame)

    def start_writing(self) -> asyncio.Task[None]:
        """Start the task that writes queued frames to the WebSocket, and return it."""
        self._writing = asyncio.get_running_loop().create_task(self._write())
        return self._writing

    async def _write(self) -> None:
        while True:
            frame = await self._frames.get()
            if self.websocket.application_state is not WebSocketState.CONNECTED:
                return  # the reading task has closed the WebSocket
            await self.websocket.send_text(json.dumps(frame))
            if frame["type"] == "closed":
                await self.websocket.close(NORMAL_CLOSURE)
                return


class Sockets:
    """All sockets: admits agents to rooms, keeps them for GRACE_S after a loss, and handles their frames."""

    def __init__(self, clock: Clock, presence: RoomActivity) -> None:
        self._clock = clock
        self._presence = presence
        self._seated: dict[Socket, Participant] = {}
        self._dropped: dict[Participant, asyncio.TimerHandle] = {}

    def admit(self, websocket: WebSocket, room: Room, participant_id: str, name: str) -> Socket:
        """Add an agent to the room, or replace the socket of the agent with this id.

        Raises HttpError 403 if the room is full.
        """
        socket = Socket(websocket)
        who = room.participants.get(participant_id)
        if who is not None and who.is_agent:
            self._take_over(who, socket)
        else:
            who = self._presence.newcomer(participant_id, name, socket, None)
            self._presence.enter(room, who, "api")
        self._seated[socket] = who
        socket.send(_welcome(room))
        return socket

    async def serve(self, socket: Socket) -> None:
        """Accept the connection of an admitted agent and serve it until either side closes."""
        who = self._seated[socket]
        tasks: list[asyncio.Task[None]] = []
        try:
            await socket.websocket.accept()
            reading = asyncio.get_running_loop().create_task(self._read(who, socket))
            tasks = [socket.start_writing(), reading]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            del self._seated[socket]
            self._lost(who, socket)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
                raise outcome

    def clear(self) -> None:
        """Close all sockets and cancel all grace periods."""
        for timer in self._dropped.values():
            timer.cancel()
        self._dropped.clear()
        for socket in self._seated:
            socket.dismiss("deactivated")

    def _take_over(self, who: Participant, socket: Socket) -> None:
        timer = self._dropped.pop(who, None)
        if timer is not None:
            timer.cancel()
        who.speech.silence()
        who.listener.dismiss("replaced")
        who.listener = socket

    def _lost(self, who: Participant, socket: Socket) -> None:
        """Handle a closed socket: start the grace period, unless the agent left or was taken over."""
        if who.room is not None and who.listener is socket:
            who.speech.silence()
            self._dropped[who] = self._clock.later(GRACE_S, partial(self._give_up, who))

    def _give_up(self, who: Participant) -> None:
        self._dropped.pop(who, None)
        self._presence.leave(who, "connection-error", "cloud")

    async def _read(self, who: Participant, socket: Socket) -> None:
        """Handle frames until the client leaves or disconnects."""
        while True:
            raw = await socket.websocket.receive_text()
            if who.listener is not socket or who.room is None:
                continue
            try:
                self._obey(who, _parse(raw))
            except HttpError as refused:
                socket.send({"type": "error", "message": refused.message})
            if who.room is None:
                await socket.websocket.close(NORMAL_CLOSURE)
                return

    def _obey(self, who: Participant, frame: dict[str, Any]) -> None:
        """Handle one frame. Raises HttpError if it is invalid."""
        match frame.get("type"):
            case "say":
                if not who.speech.say(_utterance(frame)):
                    raise HttpError(429, "Too much is waiting to be said: wait for the frame said.")
            case "interrupt":
                who.speech.interrupt()
            case "listen":
                self._presence.set_listening(who, _enabled(frame))
            case "leave":
                self._presence.leave(who, "user-left", "api")
            case other:
                raise HttpError(400, f"type {other!r} is unknown: send say, interrupt, listen or leave.")


def _welcome(room: Room) -> Frame:
    return {
        "type": "welcome",
        "roomId": room.id,
        "sessionId": room.session.id if room.session else None,
        "participants": [who.card() for who in room.participants.values()],
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
    spoken, name, to = frame.get("text"), frame.get("id"), frame.get("to")
    if not isinstance(spoken, str) or not spoken.strip() or len(spoken) > MAX_TEXT_CHARS:
        raise HttpError(400, f"say.text must be 1 to {MAX_TEXT_CHARS} characters.")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_ID_CHARS:
        raise HttpError(400, f"say.id must be 1 to {MAX_ID_CHARS} characters.")
    if to is not None and not isinstance(to, str):
        raise HttpError(400, "say.to must be a participantId or null.")
    return Utterance(name, spoken, frame.get("interruptible") is not False, to)
