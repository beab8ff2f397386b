"""Rooms by WebSocket: stands in for the RTC SDK. One socket is one agent in one room.

Frames are JSON text, camelCase. A dropped socket keeps its place in the room for GRACE_S, and whoever comes
back under the same id in that time goes on where it was, unnoticed by the others.
"""

import asyncio
import json
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from .clock import Clock
from .errors import Refused
from .happenings import Frame, Happening
from .limits import MAX_ID_CHARS, MAX_QUEUED_FRAMES, MAX_TEXT_CHARS
from .participants import Participant
from .presence import Presence
from .rooms import Room
from .speech import Utterance

GRACE_S = 1.0
CLOSED_NORMALLY = 1000


class Socket:
    """The listener behind an agent: writes frames as fast as the client takes them."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._frames: asyncio.Queue[Frame] = asyncio.Queue(MAX_QUEUED_FRAMES + 1)
        self.gone = False

    def notice(self, happening: Happening) -> None:
        frame = happening.frame()
        if frame is not None:
            self.send(frame)

    def said(self, utterance_id: str, interrupted: bool) -> None:
        self.send({"type": "said", "id": utterance_id, "interrupted": interrupted})

    def dismiss(self, reason: str) -> None:
        self.send({"type": "closed", "reason": reason})
        self.gone = True

    def send(self, frame: Frame) -> None:
        """Queue a frame; one who is too far behind is put out."""
        if self.gone:
            return
        if self._frames.qsize() >= MAX_QUEUED_FRAMES:
            self.gone = True
            frame = {"type": "closed", "reason": "kicked"}
        self._frames.put_nowait(frame)

    async def write(self) -> None:
        """Send frames until the one that closes."""
        while True:
            frame = await self._frames.get()
            await self._websocket.send_text(json.dumps(frame))
            if frame["type"] == "closed":
                await self._websocket.close(CLOSED_NORMALLY)
                return


class Sockets:
    """Seats agents in rooms, keeps the seat of one who dropped, and carries out what they send."""

    def __init__(self, clock: Clock, presence: Presence) -> None:
        self._clock = clock
        self._presence = presence
        self._open: dict[Socket, Participant] = {}
        self._dropped: dict[Participant, asyncio.TimerHandle] = {}

    async def serve(self, websocket: WebSocket, room: Room, participant_id: str, name: str) -> None:
        """Seat an accepted socket and serve it until it closes. Raises Refused when the room is full."""
        socket = Socket(websocket)
        who = self._seat(room, participant_id, name, socket)
        writing = asyncio.get_running_loop().create_task(socket.write())
        reading = asyncio.get_running_loop().create_task(self._read(websocket, who, socket))
        try:
            await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, reading):
                task.cancel()
            outcomes = await asyncio.gather(writing, reading, return_exceptions=True)
            del self._open[socket]
            self._lost(who, socket)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
                raise outcome

    def clear(self) -> None:
        """Put everybody out."""
        for timer in self._dropped.values():
            timer.cancel()
        self._dropped.clear()
        for socket in self._open:
            socket.dismiss("deactivated")

    def _seat(self, room: Room, participant_id: str, name: str, socket: Socket) -> Participant:
        who = room.participants.get(participant_id)
        if who is not None and who.is_agent:
            timer = self._dropped.pop(who, None)
            if timer is not None:
                timer.cancel()
            who.mouth.silence()
            who.listener.dismiss("replaced")
            who.listener = socket
        else:
            who = self._presence.newcomer(participant_id, name, socket, None)
            self._presence.enter(room, who, "api")
        self._open[socket] = who
        socket.send(_welcome(room))
        return who

    def _lost(self, who: Participant, socket: Socket) -> None:
        """The socket is closed: keep the seat for a while, unless it was left or taken over."""
        if who.room is None or who.listener is not socket:
            return
        who.mouth.silence()
        socket.gone = True
        self._dropped[who] = self._clock.later(GRACE_S, lambda: self._give_up(who))

    def _give_up(self, who: Participant) -> None:
        self._dropped.pop(who, None)
        self._presence.leave(who, "connection-error", "cloud")

    async def _read(self, websocket: WebSocket, who: Participant, socket: Socket) -> None:
        """Carry out frames until the client leaves or is gone."""
        while True:
            raw = await websocket.receive_text()
            if who.listener is not socket:
                continue
            try:
                if not self._obey(who, _parse(raw)):
                    await websocket.close(CLOSED_NORMALLY)
                    return
            except Refused as refused:
                socket.send({"type": "error", "message": refused.message})

    def _obey(self, who: Participant, frame: dict[str, Any]) -> bool:
        """Do what one frame says. False: it said goodbye."""
        match frame.get("type"):
            case "say":
                if not who.mouth.say(_utterance(frame)):
                    raise Refused(429, "Too much is waiting to be said: wait for the frame said.")
            case "interrupt":
                who.mouth.interrupt()
            case "listen":
                self._presence.set_listening(who, frame.get("enabled") is not False)
            case "leave":
                self._presence.leave(who, "user-left", "api")
                return False
            case other:
                raise Refused(400, f"type {other!r} is unknown: send say, interrupt, listen or leave.")
        return True


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
        raise Refused(400, "Frame is not JSON.") from None
    if not isinstance(frame, dict):
        raise Refused(400, "Frame must be a JSON object.")
    return frame


def _utterance(frame: dict[str, Any]) -> Utterance:
    spoken, name, to = frame.get("text"), frame.get("id"), frame.get("to")
    if not isinstance(spoken, str) or not spoken.strip() or len(spoken) > MAX_TEXT_CHARS:
        raise Refused(400, f"say.text must be 1 to {MAX_TEXT_CHARS} characters.")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_ID_CHARS:
        raise Refused(400, f"say.id must be 1 to {MAX_ID_CHARS} characters.")
    if to is not None and not isinstance(to, str):
        raise Refused(400, "say.to must be a participantId or null.")
    return Utterance(name, spoken, frame.get("interruptible") is not False, to)
