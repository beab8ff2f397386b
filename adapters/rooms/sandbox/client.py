"""A participant in a sandbox room, over a WebSocket. Only this folder knows that protocol.

- Invariant: frames become events in the order in which they were read. One task serves the connection;
  frames to send wait in one queue.
- A lost connection is reopened with the same participant id within `REJOIN_WITHIN_S`.
- Invariant: REPLACED is final, because another worker has joined with our participant id.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from warmxfer.schemas import InvalidRequest, RetryableError, format_traceback

from ..event_queue import RoomEventQueue
from ..room_client import (
    DisconnectReason,
    JoinOptions,
    QueuedUtterance,
    RoomEvent,
    RoomSnapshot,
)
from ..roster import Roster
from ..utterance_queue import UtteranceQueue
from . import frames
from .handshake import close_connection, open_connection

JOIN_TIMEOUT_S: Final = 5.0
SEND_TIMEOUT_S: Final = 5.0
LEAVE_TIMEOUT_S: Final = 2.0
REJOIN_WITHIN_S: Final = 15.0
REJOIN_PAUSE_S: Final = 0.05
REJOIN_PAUSE_MAX_S: Final = 1.0
MAX_UNSENT_FRAMES: Final = 1_000

log = structlog.get_logger(__name__)


class SandboxRoomClient:
    """`RoomClient` for `WARMXFER_VOICE=sandbox`."""

    model = None

    def __init__(self, options: JoinOptions) -> None:
        self._options = options
        self._roster = Roster()
        self._events = RoomEventQueue()
        self._utterances = UtteranceQueue(self._events.put)
        self._outbox: asyncio.Queue[frames.Frame] = asyncio.Queue(MAX_UNSENT_FRAMES)
        self._listening = True
        self._connection_task: asyncio.Task[None] | None = None

    @property
    def reports_keys(self) -> bool:
        return True

    async def join(self) -> RoomSnapshot:
        socket, snapshot = await self._connect()
        self._roster.replace_all(snapshot.participants)
        self._connection_task = asyncio.create_task(
            self._run(socket), name=f"room-{self._options.participant_id}"
        )
        return msgspec.structs.replace(snapshot, participants=self._roster.others)

    def events(self) -> AsyncIterator[RoomEvent]:
        return self._events.read()

    def say(self, text: str, *, interruptible: bool = True) -> QueuedUtterance:
        utterance, text = self._utterances.begin(text, interruptible=interruptible)
        if not utterance.ended.done():
            frame = {
                "type": "say",
                "id": utterance.id,
                "text": text,
                "interruptible": interruptible,
                "to": None,
            }
            self._send(frame)
        return utterance

    def interrupt(self) -> None:
        # One frame interrupts one utterance, and the next one begins. So send one for each.
        for _ in self._utterances.interruptible:
            self._send({"type": "interrupt"})

    def listen(self, enabled: bool) -> None:
        self._listening = enabled
        self._send({"type": "listen", "enabled": enabled})

    async def leave(self) -> None:
        task, self._connection_task = self._connection_task, None
        if task is None:
            return
        self._send({"type": "leave"})
        await asyncio.wait((task,), timeout=LEAVE_TIMEOUT_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._end(None)

    # ── connection ───────────────────────────────────────────────────────────────────────────────────

    async def _run(self, socket: ClientConnection) -> None:
        reason: DisconnectReason | None = None
        try:
            reason = await self._serve_connections(socket)
        except Exception as error:
            log.error("room_client_failed", room=self._options.room_id, exception=format_traceback(error))
            reason = DisconnectReason.LOST
        finally:
            self._end(reason)

    async def _serve_connections(self, socket: ClientConnection) -> DisconnectReason | None:
        """Serve one connection after another. Returns why the room closed, or None if we left."""
        while True:
            ended, reason = await self._serve_connection(socket)
            if ended:
                return reason
            self._drop_speech()
            reconnected = await self._rejoin()
            if reconnected is None:
                return DisconnectReason.LOST
            socket = reconnected
            self.listen(self._listening)

    async def _serve_connection(self, socket: ClientConnection) -> tuple[bool, DisconnectReason | None]:
        """Read and write until the connection ends. Returns whether it is final, and why (None: we left)."""
        writer = asyncio.create_task(self._write(socket))
        reader = asyncio.create_task(self._read(socket))
        try:
            await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
            if writer.done() and writer.exception() is None:
                return True, None
            reason = reader.result() if reader.done() else None
            return reason is not None, reason
        finally:
            writer.cancel()
            reader.cancel()
            await asyncio.gather(writer, reader, return_exceptions=True)
            await close_connection(socket)

    async def _write(self, socket: ClientConnection) -> None:
        """Send queued frames. Returns once `leave` was sent. Raises if the connection is broken."""
        while True:
            frame = await self._outbox.get()
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await socket.send(msgspec.json.encode(frame).decode())
            if frame["type"] == "leave":
                return

    async def _read(self, socket: ClientConnection) -> DisconnectReason | None:
        """Turn frames into events. Returns why the room closed, or None if only the connection broke."""
        while True:
            try:
                frame = frames.parse(await socket.recv())
            except ConnectionClosed:
                return None
            if frame.get("type") == "closed":
                return frames.disconnect_reason(frame)
            if not self._handle_frame(frame):
                return DisconnectReason.LOST

    async def _rejoin(self) -> ClientConnection | None:
        """Reopen the connection and publish missed events. Returns None if that fails."""
        pause_s = REJOIN_PAUSE_S
        try:
            async with asyncio.timeout(REJOIN_WITHIN_S):
                while True:
                    try:
                        socket, snapshot = await self._connect()
                    except RetryableError as error:
                        log.info("room_rejoin_postponed", room=self._options.room_id, error=str(error))
                        await asyncio.sleep(pause_s)
                        pause_s = min(2 * pause_s, REJOIN_PAUSE_MAX_S)
                        continue
                    break
        except (TimeoutError, InvalidRequest) as error:
            log.warning("room_connection_lost", room=self._options.room_id, error=str(error) or "timeout")
            return None
        missed = self._roster.replace_all(snapshot.participants)
        if all(self._events.put(event) for event in missed):
            return socket
        await close_connection(socket)
        return None

    async def _connect(self) -> tuple[ClientConnection, RoomSnapshot]:
        """Open a connection. Raises `InvalidRequest` and `RetryableError`."""
        try:
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                token = await self._options.token_source()
                return await open_connection(self._options, token)
        except TimeoutError:
            raise RetryableError(
                f"Room {self._options.room_id} did not open within {JOIN_TIMEOUT_S:g} s"
            ) from None

    # ── frames ───────────────────────────────────────────────────────────────────────────────────────

    def _handle_frame(self, frame: frames.Frame) -> bool:
        """Publish the events of `frame`. Returns False if the reader is too far behind."""
        match frame:
            case {"type": "said", "id": str(utterance_id), "interrupted": bool(interrupted)}:
                return self._utterances.finish(utterance_id, interrupted)
            case {"type": "error"}:
                log.warning("room_frame_refused", room=self._options.room_id)
                return True
        return all(self._events.put(event) for event in self._roster.apply(frames.event(frame)))

    def _drop_speech(self) -> None:
        """Drop current utterances and unsent frames: they were lost with the connection."""
        self._outbox = asyncio.Queue(MAX_UNSENT_FRAMES)
        self._utterances.drop()

    def _end(self, reason: DisconnectReason | None) -> None:
        self._utterances.close()
        self._events.end(reason)

    def _send(self, frame: frames.Frame) -> None:
        if self._events.over:
            return
        if self._outbox.full():
            log.warning("room_frame_dropped", room=self._options.room_id, unsent=MAX_UNSENT_FRAMES)
            return
        self._outbox.put_nowait(frame)
