"""One house with everything in it, its callers, and the judgement at the end of a fault."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import nats
from nats.errors import Error
from nats.js import JetStreamContext

from tests.e2e.stack_fixture import Call, Stage
from tests.testkit.invariants import from_report
from tests.testkit.transfer_history import read_history
from warmxfer.bus import Bus, BusSettings, subjects
from warmxfer.cli.local_stack.stack import ROLES, LocalStack, PlacedCall
from warmxfer.client import Client
from warmxfer.schemas import RetryableError, WarmTransferPhase, decode_phase

from .check import count_by_column, history_violations, is_clean
from .report_row import Row
from .tcp_proxy import Wire, free_ports

TIME_SCALE = 0.1
ACK_WAIT_S = 2.0
RESULT_S = 330.0
CLEAN_S = 15.0
"""How long after its result a transfer's last leg may take to go: a late dial is ended as it turns up."""
FORGOTTEN_S = 25.0
"""The same for a transfer that the stream may have lost: nobody but the sessions knows of its caller."""

WORKED_OFF_S = 90.0
VERDICT_S = 60.0
LOOK_EVERY_S = 0.1
REPEATABLE_COLUMNS = ("2nd dials", "2nd switches")
BETWEEN_LOOKS_S = 0.25


class Scene:
    """A stage, and a connection of our own to read the stream by."""

    def __init__(self, stage: Stage, bus: Bus, url: str) -> None:
        self.stage = stage
        self.bus = bus
        self.url = url
        self.house = stage.house

    async def judge(
        self, row: Row, calls: Sequence[Call], *, times: int = 1, forgotten: bool = False
    ) -> None:
        """Wait for every transfer's end, then put into `row` what became of it.

        `times`: how often the cloud may have executed a dial or a switch; more than once only where it is
        the cloud itself that does twice what it was asked once. `forgotten`: the stream may have lost them,
        so they are judged by the ledger alone, and need not have a result.
        """
        if not forgotten:
            await self.ended(calls)
        until = time.monotonic() + (FORGOTTEN_S if forgotten else CLEAN_S)
        for call in calls:
            await self._judge(row, call, times, until, forgotten)
        row.transfers += len(calls)

    async def ended(self, calls: Sequence[Call]) -> None:
        """Return when all have a result, or have taken too long."""
        await asyncio.gather(*(self._ended(call.transfer.id) for call in calls))

    async def _ended(self, id: str) -> None:
        """Return when there is a result, or when it has taken too long."""
        until = time.monotonic() + RESULT_S
        while time.monotonic() < until:
            if await self.bus.get_last(subjects.result(id), deadline_s=RESULT_S):
                return
            await asyncio.sleep(BETWEEN_LOOKS_S)

    async def _judge(self, row: Row, call: Call, times: int, until: float, forgotten: bool) -> None:
        while True:
            history = await read_history(self.bus, call.transfer.id)
            result = history.result
            effects = from_report(await _verdict(call), result, call.caller.room_id)
            if is_clean(effects) or time.monotonic() > until:
                break
            await asyncio.sleep(BETWEEN_LOOKS_S)
        happened = {"lost": int(result is None and not forgotten), **count_by_column(effects)}
        for column in REPEATABLE_COLUMNS:
            happened[column] = max(happened[column] + 1 - times, 0)
        row.happened.update(happened)
        row.outcomes[result.outcome.value if result else "forgotten" if forgotten else "lost"] += 1
        about = f"{row.fault} {row.struck}: {call.transfer.id}"
        if not forgotten:
            row.problems += [f"{about}: {broken}" for broken in history_violations(history)]
        if any(happened.values()):
            promised = any(count for what, count in happened.items() if what not in row.unpromised)
            evidence = row.problems if promised else row.notes
            evidence += [f"{about}: {await _verdict(call)}", f"{about}: {history.summary()}"]
            evidence.append(f"{about}: the caller: {await self._travels(call, history.began_at)}")

    async def _travels(self, call: Call, since: float) -> str:
        """What the cloud did with the caller's leg."""
        entries = [each for each in await self.house.ledger() if each["callId"] == call.caller.call_id]
        return ", ".join(
            f"{each['at'] - since:.2f} {each['kind']}" for each in entries if each["kind"] != "speech"
        )

    async def phase_of(self, call: Call) -> WarmTransferPhase | None:
        """The last phase the stream holds of a transfer."""
        stored = await self.bus.get_last(subjects.phase(call.transfer.id))
        return decode_phase(stored.data).phase if stored else None

    async def recovery(self, struck_at: float, *roles: str) -> float:
        """Seconds from `struck_at` until all that is stored by now is worked off by `roles`; infinite when
        that takes longer than `WORKED_OFF_S`."""
        try:
            async with asyncio.timeout(WORKED_OFF_S):
                link = await nats.connect(self.url.split(","), connect_timeout=5, max_reconnect_attempts=-1)
                try:
                    js = link.jetstream(timeout=5)
                    last = await _last(js)
                    while not all([await _worked_off(js, role, last) for role in roles]):
                        await asyncio.sleep(LOOK_EVERY_S)
                finally:
                    await link.close()
        except TimeoutError:
            return math.inf
        return time.monotonic() - struck_at

    async def calm(self) -> None:
        """No fault switched on, one process of every role, no primary."""
        await self.stage.clear_faults()
        await self.house.stop("primary")
        for role in ROLES:
            if len(self.house.running(role)) != 1:
                await self.house.stop(role)
                await self.house.start(role)


async def _verdict(call: Call) -> dict[str, Any]:
    """What the cloud executed; a busy machine may make it late."""
    async with asyncio.timeout(VERDICT_S):
        while True:
            try:
                return await call.verdict()
            except RetryableError:
                await asyncio.sleep(BETWEEN_LOOKS_S)


async def _last(js: JetStreamContext) -> int:
    """The number of the newest message; waits for a broker that can say."""
    while True:
        try:
            return (await js.stream_info("WARMXFER")).state.last_seq
        except Error:
            await asyncio.sleep(LOOK_EVERY_S)


async def _worked_off(js: JetStreamContext, role: str, last: int) -> bool:
    try:
        found = await js.consumer_info("WARMXFER", role)
    except Error:
        return False
    waiting = (found.num_pending or 0) + (found.num_ack_pending or 0)
    return waiting == 0 or (found.ack_floor is not None and found.ack_floor.stream_seq >= last)


def rooms(callers: Sequence[PlacedCall | Call]) -> list[str]:
    """The primary rooms of these, as a `primary` is told them."""
    return [each.caller.room_id if isinstance(each, Call) else each.room_id for each in callers]


@asynccontextmanager
async def scene(
    *, url: str | None = None, wire: Wire | None = None, time_scale: float = TIME_SCALE, **house: Any
) -> AsyncIterator[Scene]:
    """A house of its own. Its actors and we reach the broker at `url`, or its own one through `wire`."""
    if wire:
        port = free_ports(1)[0]
        wire.target, url = ("127.0.0.1", port), wire.url
        house["nats_port"] = port
    env = {
        "WARMXFER_ACK_WAIT_S": f"{ACK_WAIT_S:g}",
        **house.pop("env", {}),
        **({"NATS_URL": url} if url else {}),
    }
    async with LocalStack(time_scale=time_scale, env=env, **house) as built:
        here = url or built.nats_url
        async with (
            Client.connect(here, env={}) as client,
            await Bus.connect(BusSettings(url=here), name="chaos") as bus,
        ):
            yield Scene(Stage(built, client), bus, here)
