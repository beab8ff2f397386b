"""Test harness of the gateway: real gateways, a real broker and the sandbox cloud."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.testkit.provider_sandbox import API_KEY, SECRET, Cloud
from tests.testkit.sent_log import store_in_log
from warmxfer.actors.gateway import GatewaySettings, run
from warmxfer.actors.gateway.at_most_once import ClaimRecord
from warmxfer.bus import Bus, BusSettings, Stored, subjects
from warmxfer.schemas import (
    AnyEvent,
    Command,
    DialSupervisor,
    EndCall,
    ReturnCaller,
    SIPDestination,
    SwitchCaller,
    decode_event,
    encode,
)

TIMEOUT_S = 0.6
SETTLE_S = 0.6
ACK_WAIT_S = 1.0
PATIENCE_S = 30.0
START_S = 30.0
"""Maximum start-up time of a process on a busy machine."""
SUPERVISOR = "+14155550110"
"""Answers late and then stays on the phone: the leg stays in the call records."""
CALLER = "+14155550201"
OUR_NUMBER = "+14155559876"

PROCESS = """
import asyncio, os
from warmxfer.actors.gateway import GatewaySettings, run
from warmxfer.bus import Bus, BusSettings

async def main():
    bus = await Bus.connect(BusSettings.from_env(os.environ), name="gateway")
    print("connected", flush=True)
    await run(bus, GatewaySettings.from_env(os.environ))

asyncio.run(main())
"""

E = TypeVar("E")


@dataclass
class GatewayHarness:
    """One transfer at a gateway. `start` starts as many gateways as a test needs."""

    cloud: Cloud
    bus: Bus
    nats_url: str
    id: str
    commands: int = 0
    stage: str = "preparing"
    """The stage in the log of the transfer."""
    gateways: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        """The environment of a gateway."""
        return {
            "VIDEOSDK_API_KEY": API_KEY,
            "VIDEOSDK_SECRET": SECRET,
            "VIDEOSDK_BASE_URL": self.cloud.url,
            "WARMXFER_PROVIDER_TIMEOUT_S": str(TIMEOUT_S),
            "WARMXFER_SETTLE_S": str(SETTLE_S),
        }

    # ── gateways ──────────────────────────────────────────────────────────────────────────────

    def start(self, **env: str) -> None:
        """Start one more gateway on its own connection. Commands wait in the queue until it is ready."""
        settings = GatewaySettings.from_env({**self.env, **env})
        self.gateways.append(asyncio.create_task(self._run(settings, None)))

    async def start_with_webhooks(self, **env: str) -> str:
        """Start one more gateway; return the address of its webhooks."""
        settings = GatewaySettings.from_env({**self.env, "WARMXFER_WEBHOOK_PORT": "0", **env})
        ready: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        gateway = asyncio.create_task(self._run(settings, ready.set_result))
        self.gateways.append(gateway)
        await asyncio.wait({gateway, ready}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if gateway.done():
            await gateway
        url = ready.result()
        assert url is not None
        return url

    async def _run(self, settings: GatewaySettings, ready: Callable[[str | None], None] | None) -> None:
        bus_settings = BusSettings(url=self.nats_url, ack_wait_s=ACK_WAIT_S, max_deliver=2)
        bus = await Bus.connect(bus_settings, name="gateway")
        try:
            await run(bus, settings, ready=ready)
        finally:
            await bus.close()

    @contextlib.asynccontextmanager
    async def process(self, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a gateway that can be killed, in its own process; yield once it is connected."""
        whole = {**os.environ, **self.env, "NATS_URL": self.nats_url, "WARMXFER_ACK_WAIT_S": str(ACK_WAIT_S)}
        command = (sys.executable, "-c", PROCESS)
        process = await asyncio.create_subprocess_exec(*command, env={**whole, **env}, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                assert await process.stdout.readline() == b"connected\n"
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def stop(self) -> None:
        for gateway in self.gateways:
            gateway.cancel()
        for gateway in self.gateways:
            with contextlib.suppress(asyncio.CancelledError):
                await gateway
        self.gateways.clear()

    # ── commands and events ───────────────────────────────────────────────────────────────────

    def within(self, seconds: float = 5.0) -> dict[str, Any]:
        """Return a new command's id and deadline."""
        self.commands += 1
        return {"command_id": f"{self.id}-{self.commands}", "deadline_at": self.now + seconds}

    @property
    def now(self) -> float:
        """The broker's clock: the broker runs on this machine."""
        return time.time()

    async def send(self, command: Command) -> None:
        """Send a command that the log holds. Sent again it is stored again, like a late copy."""
        await store_in_log(self.bus, self.id, command, stage=self.stage)
        await self.bus.publish(subjects.work_queue(self.id, "gateway"), encode(command))

    async def execute(self, command: Command, kind: type[E], patience_s: float = PATIENCE_S) -> E:
        """Send a command and return its reply, which must be of type `kind`."""
        await self.send(command)
        reply = await self.reply(command, patience_s)
        assert isinstance(reply, kind), reply
        return reply

    async def reply(self, command: Command, patience_s: float = PATIENCE_S) -> AnyEvent:
        async with asyncio.timeout(patience_s):
            while True:
                for event in await self.events():
                    if getattr(event, "command_id", None) == command.command_id:
                        return event
                await asyncio.sleep(0.02)

    async def events(self) -> list[AnyEvent]:
        return [
            decode_event(each.data)
            for each in await self.bus.history(subjects.event(self.id, "gateway"), 1_000)
        ]

    async def event(self, kind: type[E], patience_s: float = PATIENCE_S) -> E:
        """Return the first event of type `kind`, once it is stored."""
        async with asyncio.timeout(patience_s):
            while True:
                for event in await self.events():
                    if isinstance(event, kind):
                        return event
                await asyncio.sleep(0.02)

    async def claimed(self, effect: str) -> Stored:
        """The claim of an effect, once a gateway has made it."""
        async with asyncio.timeout(PATIENCE_S):
            while (claim := await self.bus.get_last(subjects.effect_claim(self.id, effect))) is None:
                await asyncio.sleep(0.02)
        return claim

    async def claimed_dial(self) -> None:
        """Claim the dial without making it, as a gateway that died has, or as a forged claim does."""
        claim = ClaimRecord(command_id=f"{self.id}-1", token="another")
        await self.bus.publish(subjects.effect_claim(self.id, "dial-1"), encode(claim))

    async def reply_at(self, command: Command) -> float:
        """When the broker stored the first reply to a command."""
        stored = await self.bus.history(subjects.event(self.id, "gateway"), 1_000)
        return next(
            each.at
            for each in stored
            if getattr(decode_event(each.data), "command_id", None) == command.command_id
        )

    async def all_handled(self) -> None:
        """Return when no command waits for a gateway or is still being carried out."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                queue = (await self.bus.diagnose()).queues["gateway"]
                if queue is not None and queue.pending == queue.unacked == 0:
                    return
                await asyncio.sleep(0.05)

    async def dead_letters(self, count: int) -> list[bytes]:
        """Return the dead letters of this transfer, once there are `count`."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                stored = await self.bus.history(subjects.dead_letter(self.id), 100)
                if len(stored) >= count:
                    return [message.data for message in stored]
                await asyncio.sleep(0.02)

    # ── the commands of one transfer ──────────────────────────────────────────────────────────

    def dial(self, room_id: str, number: str = SUPERVISOR, *, within_s: float = 5.0) -> DialSupervisor:
        return DialSupervisor(
            attempt=1,
            room_id=room_id,
            participant_id=self.supervisor,
            ringing_timeout_s=30,
            destination=SIPDestination(routing_rule_id="rr_1", sip_call_to=number, sip_call_from=OUR_NUMBER),
            **self.within(within_s),
        )

    def end(self, room_id: str, call_id: str | None = None) -> EndCall:
        return EndCall(
            attempt=1,
            room_id=room_id,
            participant_id=self.supervisor,
            call_id=call_id,
            **self.within(),
        )

    def switch(self, caller: str, supervisor: str, room_id: str, *, within_s: float = 5.0) -> SwitchCaller:
        return SwitchCaller(
            room_id=room_id,
            caller_call_id=caller,
            supervisor_call_id=supervisor,
            participant_id=f"wxc-{self.id}",
            **self.within(within_s),
        )

    def bring_back(self, caller: str, room_id: str, from_room_id: str) -> ReturnCaller:
        return ReturnCaller(
            room_id=room_id,
            caller_call_id=caller,
            participant_id=f"wxr-{self.id}",
            from_room_id=from_room_id,
            **self.within(),
        )

    @property
    def supervisor(self) -> str:
        return f"wxs-{self.id}-1"

    # ── the cloud ─────────────────────────────────────────────────────────────────────────────

    async def caller(self, room_id: str | None = None, number: str = CALLER) -> dict[str, str]:
        """Let a caller call in; return callId, roomId and participantId."""
        body = {"from": number} | ({"roomId": room_id} if room_id else {})
        reply = await self.cloud.http.post("/sandbox/calls", json=body)
        return reply.raise_for_status().json()

    async def executed(self, kind: str) -> list[dict[str, Any]]:
        """Return the ledger's entries of one kind, of all rooms."""
        reply = await self.cloud.http.get("/sandbox/ledger", params={"kind": kind})
        return reply.raise_for_status().json()["entries"]

    async def calls(self) -> list[dict[str, Any]]:
        reply = await self.cloud.http.get("/sandbox/state")
        return reply.raise_for_status().json()["calls"]

    async def room_of(self, call_id: str) -> str:
        return next(call["roomId"] for call in await self.calls() if call["callId"] == call_id)

    async def legs_up(self) -> int:
        """Return the number of dialled legs that have not ended."""
        return sum(call["end"] is None for call in await self.calls() if call["type"] == "outbound")


@dataclass
class Bridge:
    """A caller and an agent in the primary room, and a supervisor who has answered in the consultation
    room.
    """

    caller: str
    primary: str
    supervisor: str
    consult: str


async def build_bridge(harness: GatewayHarness) -> Bridge:
    arrived = await harness.caller()
    await harness.cloud.dial(arrived["roomId"], "wxa-stays-in-the-room")
    consult = await harness.cloud.open_room()
    supervisor = await harness.cloud.dial(consult, harness.supervisor)
    await harness.cloud.wait_ledger(consult, "answered", 1)
    return Bridge(arrived["callId"], arrived["roomId"], supervisor, consult)
