"""One local stack, its callers, and the checks at the end of a fault."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import nats
from nats.errors import Error
from nats.js import JetStreamContext

from tests.e2e.stack_fixture import Call, TransferDriver
from tests.testkit.invariants import from_report
from tests.testkit.transfer_history import read_history
from warmxfer.actors.coordinator.settings import MIN_ARCHIVE_AFTER_S
from warmxfer.bus import Bus, BusSettings, subjects
from warmxfer.bus.consumer_table import CONSUMERS, consumers_of
from warmxfer.bus.free_ports import free_ports
from warmxfer.bus.subjects import STREAMS
from warmxfer.cli.local_stack.stack import ROLES, ROOT, LocalStack, PlacedCall
from warmxfer.client import Client
from warmxfer.schemas import NoticeKind, RetryableError, WarmTransferPhase, decode_phase

from .check import count_by_column, history_violations, is_clean
from .report_row import Row
from .tcp_proxy import TcpProxy

TIME_SCALE = 0.1
ACK_WAIT_S = 2.0
RESULT_S = 330.0
CLEAN_UP_S = 15.0
"""Maximum time for clean-up after a result. The gateway ends a late dial when it finds the call."""
LOST_CLEAN_S = 25.0
"""The same for a transfer that the stream may have lost. Only its session knows that the caller is held."""

MAX_RECOVERY_S = 90.0
SANDBOX_S = 60.0
POLL_S = 0.1
REPEATABLE_COLUMNS = ("2nd dials", "2nd switches")
RESULT_POLL_S = 0.25

T = TypeVar("T")


class Scenario:
    """A running stack, and a connection of the test's own to read the stream."""

    def __init__(self, driver: TransferDriver, bus: Bus, url: str) -> None:
        self.driver = driver
        self.bus = bus
        self.url = url
        self.stack = driver.stack

    async def check_transfers(
        self,
        row: Row,
        calls: Sequence[Call],
        *,
        times: int = 1,
        lost: bool = False,
        lost_clean_s: float = LOST_CLEAN_S,
        given_up: bool = False,
    ) -> None:
        """Wait for the end of every transfer, check each one, and add the findings to `row`.

        `times`: how often the cloud may execute a dial or a switch. It is 2 only if the fault makes the
        cloud execute orders twice. `lost`: the stream may have lost the transfers. These are checked by the
        ledger alone and need no result. They have `lost_clean_s` for clean-up. `given_up`: no version may be
        there that could continue them.
        """
        if not lost:
            await self.wait_ended(calls)
        until = time.monotonic() + (lost_clean_s if lost else CLEAN_UP_S)
        for call in calls:
            await self._check_transfer(row, call, times, until, lost, given_up)
        row.transfers += len(calls)

    async def wait_ended(self, calls: Sequence[Call]) -> None:
        """Wait until each has a result, for `RESULT_S` at most."""
        await asyncio.gather(*(self._wait_ended(call.transfer.id) for call in calls))

    async def _wait_ended(self, id: str) -> None:
        """Wait until there is a result, for `RESULT_S` at most."""
        until = time.monotonic() + RESULT_S
        while time.monotonic() < until:
            if await self.bus.get_last(subjects.result(id), deadline_s=RESULT_S):
                return
            await asyncio.sleep(RESULT_POLL_S)

    async def _check_transfer(
        self, row: Row, call: Call, times: int, until: float, lost: bool, given_up: bool
    ) -> None:
        while True:
            history = await read_history(self.bus, call.transfer.id)
            result = history.result
            effects = from_report(
                await retried(call.report),
                result,
                call.caller.room_id,
                returned=NoticeKind.CALLER_RETURNED in history.notice_kinds,
                last_check_at=history.last_check_at,
            )
            if is_clean(effects) or time.monotonic() > until:
                break
            await asyncio.sleep(RESULT_POLL_S)
        happened = {"lost": int(result is None and not lost), **count_by_column(effects)}
        for column in REPEATABLE_COLUMNS:
            happened[column] = max(happened[column] + 1 - times, 0)
        row.happened.update(happened)
        row.outcomes[result.outcome.value if result else "forgotten" if lost else "lost"] += 1
        prefix = f"{row.fault} {row.struck}: {call.transfer.id}"
        if not lost:
            row.problems += [
                f"{prefix}: {broken}" for broken in history_violations(history, given_up=given_up)
            ]
        if any(happened.values()):
            promised = any(count for what, count in happened.items() if what not in row.unpromised)
            evidence = row.problems if promised else row.notes
            evidence += [f"{prefix}: {await retried(call.report)}", f"{prefix}: {history.summary()}"]
            evidence.append(f"{prefix}: the caller: {await self._moves_of_caller(call, history.began_at)}")

    async def _moves_of_caller(self, call: Call, since: float) -> str:
        """Return what the cloud did with the caller's leg, with times from `since`."""
        entries = [each for each in await self.stack.ledger() if each["callId"] == call.caller.call_id]
        return ", ".join(
            f"{each['at'] - since:.2f} {each['kind']}" for each in entries if each["kind"] != "speech"
        )

    async def phase_of(self, call: Call) -> WarmTransferPhase | None:
        """Return the last phase of a transfer in the stream."""
        stored = await self.bus.get_last(subjects.phase(call.transfer.id))
        return decode_phase(stored.data).phase if stored else None

    async def recovery(self, struck_at: float, *roles: str) -> float:
        """Wait until `roles` have processed all messages stored by now. Return the seconds since `struck_at`.

        Returns infinity if that takes longer than `MAX_RECOVERY_S`.
        """
        try:
            async with asyncio.timeout(MAX_RECOVERY_S):
                connection = await nats.connect(
                    self.url.split(","), connect_timeout=5, max_reconnect_attempts=-1
                )
                try:
                    js = connection.jetstream(timeout=5)
                    last = await _last_seqs(js)
                    consumers = [consumer for role in roles for consumer in consumers_of(role)]
                    while not all([await _has_processed(js, consumer, last) for consumer in consumers]):
                        await asyncio.sleep(POLL_S)
                finally:
                    await connection.close()
        except TimeoutError:
            return math.inf
        return time.monotonic() - struck_at

    async def reset(self) -> None:
        """Switch all faults off, stop the primaries, and run one process of each other role."""
        await self.driver.clear_faults()
        await self.stack.stop("primary")
        for role in ROLES:
            if len(self.stack.running(role)) != 1:
                await self.stack.stop(role)
                await self.stack.start(role)


async def retried(request: Callable[[], Awaitable[T]]) -> T:
    """Send a request to the sandbox until it replies, for `SANDBOX_S` at most: a busy machine may be slow.

    The sandbox may execute a request twice, which must do no harm.
    """
    async with asyncio.timeout(SANDBOX_S):
        while True:
            try:
                return await request()
            except (RetryableError, httpx.HTTPError):
                await asyncio.sleep(RESULT_POLL_S)


async def _last_seqs(js: JetStreamContext) -> dict[str, int]:
    """Return the number of the newest message of each stream. Waits until the broker replies."""
    while True:
        try:
            return {stream: (await js.stream_info(stream)).state.last_seq for stream in STREAMS}
        except Error:
            await asyncio.sleep(POLL_S)


async def _has_processed(js: JetStreamContext, consumer: str, last: dict[str, int]) -> bool:
    stream = CONSUMERS[consumer].stream
    try:
        found = await js.consumer_info(stream, consumer)
    except Error:
        return False
    waiting = (found.num_pending or 0) + (found.num_ack_pending or 0)
    return waiting == 0 or (found.ack_floor is not None and found.ack_floor.stream_seq >= last[stream])


def rooms(callers: Sequence[PlacedCall | Call]) -> list[str]:
    """Return the rooms of these callers, as a primary process takes them."""
    return [each.caller.room_id if isinstance(each, Call) else each.room_id for each in callers]


@asynccontextmanager
async def open_scenario(
    *,
    url: str | None = None,
    proxy: TcpProxy | None = None,
    time_scale: float = TIME_SCALE,
    **stack_options: Any,
) -> AsyncIterator[Scenario]:
    """Run a local stack. Actors and test reach the broker at `url`, or the stack's own through `proxy`.

    `env` among the options may have another login for that broker than the users of the stack.
    """
    if proxy:
        port = free_ports(1)[0]
        proxy.target, url = ("127.0.0.1", port), proxy.url
        stack_options["nats_port"] = port
    env = {
        "WARMXFER_ACK_WAIT_S": f"{ACK_WAIT_S:g}",
        "WARMXFER_ARCHIVE_AFTER_S": f"{MIN_ARCHIVE_AFTER_S:g}",
        **stack_options.pop("env", {}),
        **({"NATS_URL": url} if url else {}),
    }
    root_password = secrets.token_hex(16)
    stack = LocalStack(time_scale=time_scale, env=env, root_password=root_password, **stack_options)
    async with stack as built:
        own_url = built.url_of(ROOT)
        async with (
            Client.connect(own_url, env={}) as client,
            await Bus.connect(BusSettings(url=own_url), name="chaos") as bus,
        ):
            yield Scenario(TransferDriver(built, client), bus, own_url)
