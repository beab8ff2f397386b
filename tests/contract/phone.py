"""Placing calls. On any cloud but the sandbox each call costs money, so a `Phone` needs a `PhoneLine`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from warmxfer.adapters.telephony import CallRecord, DialRequest
from warmxfer.schemas import SIPDestination, SIPOptions

from .cloud import Cloud, new_key
from .target import PhoneLine

RING_S = 30
MAX_CALL_S = 300
"""Maximum duration of a call, in case the test is killed before it ends the call."""
SLOW_TO_ANSWER = "+14155550151"
SANDBOX_RING_S = 290
"""By the sandbox's clock, which is twenty times as fast as ours."""


@dataclass
class Phone:
    """A person who can be called, in `cloud`."""

    cloud: Cloud
    line: PhoneLine

    def request(
        self, room_id: str, key: str = "", to: str = "", ringing_timeout_s: int = RING_S
    ) -> DialRequest:
        """Return a dial request into `room_id`; the person joins as `sup-<key>`."""
        key = key or new_key()
        return DialRequest(
            room_id=room_id,
            participant_id=f"sup-{key}",
            ringing_timeout_s=ringing_timeout_s,
            destination=SIPDestination(
                self.line.rule,
                to or self.line.to,
                self.line.caller,
                extra_options=SIPOptions(max_call_duration=MAX_CALL_S),
            ),
            metadata={"warmxferId": key, "attempt": "1", "attemptKey": f"{key}-1"},
        )

    def wire_order(self, room_id: str, **more: Any) -> dict[str, Any]:
        """Return the body of POST /v2/sip/call."""
        line = {"sipCallTo": self.line.to, "sipCallFrom": self.line.caller, "routingRuleId": self.line.rule}
        limits = {"ringingTimeout": RING_S, "maxCallDuration": MAX_CALL_S}
        return {**line, "destinationRoomId": room_id, **limits, **more}

    async def dial(self, request: DialRequest) -> str:
        """Place the call; it is ended with the test."""
        call_id = (await self.cloud.provider.dial(request)).call_id
        self.cloud.calls.append(call_id)
        return call_id

    async def ring(self) -> str:
        """Place a call that keeps ringing, and return its id.

        A real phone rings for seconds. The sandbox is fast, so the person called there answers only after
        `SANDBOX_RING_S`: however busy the machine is, the call is still ringing when the test acts on it.
        """
        room_id = await self.cloud.room()
        if not self.cloud.target.is_sandbox:
            return await self.dial(self.request(room_id))
        person = {"script": "silent", "ringS": SANDBOX_RING_S}
        answer = await self.cloud.http.put(f"/sandbox/people/{SLOW_TO_ANSWER}", json=person)
        answer.raise_for_status()
        return await self.dial(self.request(room_id, to=SLOW_TO_ANSWER, ringing_timeout_s=MAX_CALL_S))

    async def answered_call(self, room_id: str | None = None) -> CallRecord:
        """Return an answered call in its room (a new room by default)."""
        call_id = await self.dial(self.request(room_id or await self.cloud.room()))
        record = await self.cloud.until(call_id, lambda call: call.status == "answered", "answered")
        await asyncio.sleep(self.cloud.target.settle_s)
        return record

    async def live_room(self) -> str:
        """Return a room with a participant; a call can be switched only into such a room."""
        room_id = (await self.answered_call()).room_id
        assert room_id is not None
        return room_id
