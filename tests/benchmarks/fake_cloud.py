"""A cloud at 0 ms inside the processes: a provider for the gateway, and a room for each agent.

The supervisor's phone rings without end, or is answered at once by a supervisor who says nothing. The
provider reports a call that rings by a webhook, as a real one does.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import msgspec

from warmxfer.adapters import rooms
from warmxfer.adapters.telephony import CallRecord, Dialed, DialRequest, Notice
from warmxfer.adapters.telephony.videosdk.webhooks import parse_webhook

SIGNALING_URL = "http://127.0.0.1:1"


class FakeProvider:
    """`Provider` that carries out everything at once. It posts its webhooks to `url`; None: it sends none."""

    name = "fake"
    signaling_url = SIGNALING_URL
    timeout_s = 1.0

    def __init__(self, url: str | None, key: str | None) -> None:
        self._url = url
        self._client = httpx.AsyncClient()
        self._calls: dict[str, CallRecord] = {}
        self._posts: set[asyncio.Task[None]] = set()

    async def find_caller_call(self, room_id: str, *, within_s: float | None = None) -> CallRecord | None:
        return CallRecord(f"in-{room_id}", up=True, room_id=room_id, participant_id=f"sip-{room_id}")

    async def look_up_call(self, call_id: str, *, within_s: float | None = None) -> CallRecord | None:
        return self._calls.get(call_id) or CallRecord(call_id, up=True)

    async def find_calls(
        self, room_id: str, participant_id: str, attempt_key: str, *, within_s: float | None = None
    ) -> list[CallRecord]:
        return [each for each in self._calls.values() if each.participant_id == participant_id]

    async def find_marked_calls(
        self, marks: Mapping[str, str], began_within_s: float, *, within_s: float | None = None
    ) -> list[CallRecord]:
        return []

    async def create_room(self, key: str, *, within_s: float | None = None) -> str:
        return f"c-{key}"

    async def dial(self, order: DialRequest, *, within_s: float | None = None) -> Dialed:
        call_id = f"out-{order.participant_id}"
        self._calls[call_id] = CallRecord(
            call_id, up=True, status="ringing", room_id=order.room_id, participant_id=order.participant_id
        )
        webhook = {
            "webhookType": "call-ringing",
            "callId": call_id,
            "type": "outbound",
            "status": "ringing",
            "metadata": dict(order.metadata),
            "participantId": order.participant_id,
        }
        if self._url is not None:
            post = asyncio.create_task(self._post(self._url, msgspec.json.encode(webhook)))
            self._posts.add(post)
            post.add_done_callback(self._posts.discard)
        return Dialed(call_id, {"callId": call_id})

    async def dispatch_agent(
        self,
        agent_id: str,
        room_id: str,
        *,
        version_id: str | None,
        metadata: Mapping[str, str],
        within_s: float | None = None,
    ) -> None:
        return

    async def switch(
        self, call_id: str, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> dict[str, Any]:
        self._calls[call_id] = CallRecord(call_id, up=True, room_id=room_id, completed_moves=1)
        return {}

    async def end(self, call_id: str, *, within_s: float | None = None) -> None:
        self._calls[call_id] = CallRecord(call_id, up=False)

    async def record_participant(
        self, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> None:
        return

    async def close_room(self, room_id: str, *, within_s: float | None = None) -> None:
        return

    async def register_webhooks(self) -> None:
        return

    def mint_token(self, room_id: str, participant_id: str) -> str:
        return "token"

    async def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        return parse_webhook(body)

    def can_connect(self) -> bool:
        return True

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _post(self, url: str, body: bytes) -> None:
        (await self._client.post(url, content=body)).raise_for_status()


class FakeRoomClient:
    """`RoomClient` whose utterances end at once. With `answered`, the supervisor is heard after the join."""

    model = None
    answered = False

    def __init__(self, options: rooms.JoinOptions) -> None:
        self._options = options
        self._events: asyncio.Queue[rooms.RoomEvent | None] = asyncio.Queue()
        self._utterances = itertools.count()

    async def join(self) -> rooms.RoomSnapshot:
        supervisor = self._options.listens_to
        if self.answered and supervisor is not None:
            heard = rooms.RoomParticipant(supervisor, "Supervisor", audible=True)
            self._events.put_nowait(rooms.ParticipantJoinedRoom(heard))
        return rooms.RoomSnapshot(self._options.room_id, "session", ())

    async def events(self) -> AsyncIterator[rooms.RoomEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    def say(self, text: str, *, interruptible: bool = True) -> rooms.QueuedUtterance:
        ended = asyncio.get_running_loop().create_future()
        ended.set_result(False)
        utterance = rooms.QueuedUtterance(str(next(self._utterances)), ended)
        self._events.put_nowait(rooms.SpeechEnded(utterance.id, interrupted=False))
        return utterance

    def interrupt(self) -> None:
        return

    def listen(self, enabled: bool) -> None:
        return

    async def leave(self) -> None:
        self._events.put_nowait(None)
