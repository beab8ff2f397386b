"""`Provider` of the fake cloud: it executes every order at once and writes it into the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from warmxfer.adapters.telephony import CallRecord, Dialed, DialRequest, Notice, ProviderConfig, Rejected
from warmxfer.adapters.telephony.videosdk.webhooks import parse_webhook

from .calls import (
    CALLER,
    NUMBERS,
    READY_NUMBER,
    SILENT_NUMBER,
    SLOW_DIAL_S,
    SLOW_NUMBER,
    Call,
    Calls,
    caller_call,
    supervisor_call,
)
from .ledger import Entry, Ledger
from .webhooks import register

NAME = "bench"
TIMEOUT_S = 5.0


class BenchProvider:
    """The provider of one gateway."""

    name = NAME
    signaling_url = "http://127.0.0.1:1"
    timeout_s = TIMEOUT_S

    def __init__(self, directory: Path, webhook_url: str | None = None) -> None:
        self._directory = directory
        self._webhook_url = webhook_url
        self._ledger = Ledger(directory)
        self._calls = Calls()

    async def find_caller_call(self, room_id: str, *, within_s: float | None = None) -> CallRecord | None:
        moved_here = [call for call in self._read().in_room(room_id) if call.call_id.startswith(CALLER)]
        if moved_here:
            return _record(moved_here[0])
        call = self._calls.get(caller_call(room_id))
        # A consultation room has no caller of its own.
        return _record(call) if call and not room_id.startswith("c-") and call.room_id == room_id else None

    async def look_up_call(self, call_id: str, *, within_s: float | None = None) -> CallRecord | None:
        call = self._read().get(call_id)
        return call and _record(call)

    async def find_calls(
        self, room_id: str, participant_id: str, attempt_key: str, *, within_s: float | None = None
    ) -> list[CallRecord]:
        call = self._read().get(supervisor_call(participant_id))
        return [_record(call)] if call else []

    async def find_marked_calls(
        self, marks: Mapping[str, str], began_within_s: float, *, within_s: float | None = None
    ) -> list[CallRecord]:
        return []

    async def create_room(self, key: str, *, within_s: float | None = None) -> str:
        return f"c-{key}"

    async def dial(self, order: DialRequest, *, within_s: float | None = None) -> Dialed:
        number, call_id = order.destination.sip_call_to, supervisor_call(order.participant_id)
        if number not in NUMBERS:
            raise Rejected(f"The fake cloud has no {number}", status=422)
        silent = number == SILENT_NUMBER
        answered = silent or number == READY_NUMBER
        self._ledger.append(Entry("dial", call_id, order.room_id, order.participant_id, answered, silent))
        if number == SLOW_NUMBER:
            await asyncio.sleep(SLOW_DIAL_S)
        return Dialed(call_id, {"data": {"callId": call_id, "status": "initiated"}})

    async def dispatch_agent(
        self,
        agent_id: str,
        room_id: str,
        *,
        version_id: str | None,
        metadata: Mapping[str, str],
        within_s: float | None = None,
    ) -> None:
        raise Rejected("The fake cloud runs no agents", status=422)

    async def switch(
        self, call_id: str, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> dict[str, Any]:
        self._ledger.append(Entry("move", call_id, room_id, participant_id))
        return {"data": {"callId": call_id, "roomId": room_id, "message": "accepted"}}

    async def end(self, call_id: str, *, within_s: float | None = None) -> None:
        self._ledger.append(Entry("end", call_id))

    async def record_participant(
        self, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> None:
        raise Rejected("The fake cloud records nothing", status=422)

    async def close_room(self, room_id: str, *, within_s: float | None = None) -> None:
        return

    async def register_webhooks(self) -> None:
        if self._webhook_url is not None:
            register(self._directory, self._webhook_url)

    def mint_token(self, room_id: str, participant_id: str) -> str:
        return f"token-of-{participant_id}-for-{room_id}"

    async def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        return parse_webhook(body)

    def can_connect(self) -> bool:
        return True

    async def check_credentials(self) -> None:
        """Accept everyone."""

    def credentials_refused(self) -> str | None:
        return None

    async def room_exists(self, room_id: str, *, within_s: float | None = None) -> bool:
        return True

    async def aclose(self) -> None:
        self._ledger.close()

    def _read(self) -> Calls:
        for entry in self._ledger.read():
            self._calls.apply(entry)
        return self._calls


def config(directory: Path) -> ProviderConfig:
    """Return the provider whose ledger is in `directory`."""
    return ProviderConfig(NAME, partial(_open, directory), local=True, timeout_s=TIMEOUT_S)


def _open(directory: Path, webhook_url: str | None, webhook_key: str | None) -> BenchProvider:
    return BenchProvider(directory, webhook_url)


def _record(call: Call) -> CallRecord:
    return CallRecord(
        call.call_id,
        up=call.up,
        status="answered" if call.answered else "ringing",
        direction="inbound" if call.call_id.startswith(CALLER) else "outbound",
        room_id=call.room_id,
        participant_id=call.participant_id,
        completed_moves=call.moves,
    )
