"""Transfers that wait for a supervisor who does not answer: what they cost, and that they still complete."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing
from typing import Literal

import httpx
import msgspec
from msgspec import Struct

from warmxfer.schemas import WarmTransferPhase, participant_ids

from ..cloud.calls import RINGING_NUMBER, SILENT_NUMBER, supervisor_call
from ..cloud.ledger import Entry, Ledger
from ..cloud.webhooks import WebhookSender
from ..load import Load, Progress
from ..machine import Usage, UsageMeter, free_share, memory_bytes
from ..plan import Plan
from ..rows import Point, Row, Target
from ..stack import BROKER, PRIMARY, BenchStack, StackSettings
from ..stack_pool import StackPool

CPU_PANEL = "CPU of all waiting transfers (% of a core), by their number"
MEMORY_PANEL = "Memory per waiting transfer (KB), by their number"
MEMORY_KB, IDLE_PERCENT, FINISHED_S = 25.0, 10.0, 10.0
MAIN_COUNT = 10_000
"""The number of waiting transfers that the targets are about. More may wait as far as the memory goes."""
MANY = 1_000
"""With fewer, most of the memory is what each process keeps once, so that the row has no target."""
MIN_FREE = 0.1
"""Share of the machine's memory that stays free. No further transfer begins below it."""
BYTES_PER_KB = 1_000
BEGIN_RATE, BEGIN_BATCH = 100, 500
"""Requests a second: fast enough, and no burst. Before each batch the memory is checked."""
BEGIN_LIMIT_S, WEBHOOKS_LIMIT_S, ANSWERED_LIMIT_S, STATISTICS_LIMIT_S = 300.0, 60.0, 60.0, 5.0
WAIT_LIMIT_S = 3_600.0
"""How long a supervisor may ring or say nothing: longer than any row takes."""
WARM_UP_IN_FLIGHT = 20
SPARE_JOBS = 100
MAX_SESSIONS = 10_000
"""Of one process: the broker limits the subscriptions of a connection (`bus/server_limits.py`)."""

Stage = Literal["ringing", "briefing"]


class Waiting(Struct, frozen=True):
    """Where transfers wait, and how many."""

    count: int
    stage: Stage = "ringing"
    webhooks: bool = True

    @property
    def name(self) -> str:
        parts = ["waiting", f"{self.count}"]
        parts += ["briefing"] if self.stage == "briefing" else []
        return ".".join([*parts, *([] if self.webhooks else ["no_webhooks"])])

    @property
    def line(self) -> str:
        """The line of the plot."""
        return self.stage if self.webhooks else f"{self.stage}, no webhooks"

    @property
    def number(self) -> str:
        return RINGING_NUMBER if self.stage == "ringing" else SILENT_NUMBER

    @property
    def phase(self) -> WarmTransferPhase:
        """The last phase of a transfer that waits."""
        ringing, briefing = WarmTransferPhase.SUPERVISOR_DIALED, WarmTransferPhase.BRIEFING_STARTED
        return ringing if self.stage == "ringing" else briefing


class _Idle(Struct, frozen=True):
    """What waiting transfers cost while nothing happens."""

    usage: Usage
    received_per_s: float
    """Messages that the broker received: each read, question, acknowledgement and stored message is one."""
    stored_per_s: float


class _BrokerStatistics(Struct):
    in_msgs: int


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield memory, CPU, messages and the time to complete, for each number of waiting transfers."""
    waits = [Waiting(count) for count in plan.waiting]
    if few := plan.waiting_elsewhere:
        waits += [Waiting(few, "briefing"), Waiting(few, webhooks=False)]
    for waiting in waits:
        settings = StackSettings(briefing_jobs=waiting.count + SPARE_JOBS, webhooks=True)
        async with (
            stacks.open(settings) as stack,
            aclosing(_wait(stack, plan, waiting, progress)) as rows,
        ):
            async for row in rows:
                yield row


async def _wait(
    stack: BenchStack, plan: Plan, waiting: Waiting, progress: Progress
) -> AsyncGenerator[Row, None]:
    progress(f"{waiting.name}: sessions attach")
    prefix = f"{waiting.name.replace('.', '-')}-"
    async with Load(stack, f"{prefix}warm-", plan.waiting_warm_up) as warm_up:
        await warm_up.run(WARM_UP_IN_FLIGHT)
        await asyncio.sleep(plan.settle_s)
        bare = _memory(stack)
    async with (
        Load(
            stack,
            prefix,
            waiting.count,
            number=waiting.number,
            primaries=math.ceil(waiting.count / MAX_SESSIONS),
            wait_limit_s=WAIT_LIMIT_S,
        ) as load,
        WebhookSender(stack.directory, send=waiting.webhooks) as webhooks,
    ):
        await asyncio.sleep(plan.settle_s)
        attached = _memory(stack)
        if plan.shared_stack is None:  # otherwise the sessions were attached before
            yield _session_row(waiting, bare, attached)
        progress(f"{waiting.name}: transfers begin to wait")
        begun = await _begin(load, waiting)
        await webhooks.delivered(WEBHOOKS_LIMIT_S)
        await asyncio.sleep(plan.settle_s)
        problems = (*_problems(waiting, load, begun), *webhooks.problems())
        grown = _grown_kb(attached, _memory(stack), max(len(begun), 1))
        yield _memory_row(waiting, grown, len(begun), problems)
        progress(f"{waiting.name}: {len(begun)} wait")
        for row in _idle_rows(waiting, await _idle(stack, plan.idle_s), problems):
            yield row
        progress(f"{waiting.name}: {min(plan.finished, len(begun))} are answered")
        yield await _answered_row(stack, waiting, load, begun[: plan.finished])


async def _begin(load: Load, waiting: Waiting) -> list[str]:
    """Request the transfers as far as the machine's memory goes, and return those that wait."""
    ids = list[str]()
    for first in range(0, waiting.count, BEGIN_BATCH):
        if free_share() < MIN_FREE:
            break
        numbers = range(first, min(first + BEGIN_BATCH, waiting.count))
        batch = await load.request_all(numbers, within_s=len(numbers) / BEGIN_RATE)
        # On a slow machine a batch is late, and the requests of all would wait longer than admission allows.
        await load.wait(batch, BEGIN_LIMIT_S, waiting.phase)
        ids += batch
    return [id for id in ids if load.reached.get(id) is waiting.phase]


async def _idle(stack: BenchStack, seconds: float) -> _Idle:
    """Measure for so long while nothing happens."""
    meter, received, stored = UsageMeter(stack.pids()), await _received(stack), await _stored(stack)
    await asyncio.sleep(seconds)
    usage = meter.read()
    return _Idle(
        usage,
        (await _received(stack) - received) / usage.seconds,
        (await _stored(stack) - stored) / usage.seconds,
    )


async def _received(stack: BenchStack) -> int:
    """Return how many messages the broker has received from all clients."""
    async with httpx.AsyncClient(timeout=STATISTICS_LIMIT_S) as client:
        response = (await client.get(f"{stack.nats.monitor_url}/varz")).raise_for_status()
    return msgspec.json.decode(response.content, type=_BrokerStatistics).in_msgs


async def _stored(stack: BenchStack) -> int:
    return (await stack.bus.diagnose()).written


async def _answered_row(stack: BenchStack, waiting: Waiting, load: Load, ids: Sequence[str]) -> Row:
    """Let the supervisors of these transfers answer their phones, or say yes, and wait for the ends."""
    meter, began_at = UsageMeter(stack.pids()), time.perf_counter()
    with closing(Ledger(stack.directory)) as ledger:
        for id in ids:
            call_id = supervisor_call(participant_ids.supervisor(id, 1))
            ledger.append(Entry("answer" if waiting.stage == "ringing" else "yes", call_id))
    await load.wait(ids, ANSWERED_LIMIT_S)
    sample = await load.sample(meter, began_at, may_run=True)
    problems = list(sample.problems)
    if incomplete := len(ids) - len(load.complete()):
        problems.append(f"{incomplete} of {len(ids)} answered transfers are not complete")
    return Row(
        name=f"{waiting.name}.answered",
        value=sample.seconds if load.complete() else None,
        unit="s",
        target=Target(FINISHED_S),
        others_cpu=sample.usage.others_cpu,
        note=f"from the answer of {len(ids)} supervisors to the last completion",
        problems=tuple(problems),
    )


def _problems(waiting: Waiting, load: Load, begun: Sequence[str]) -> list[str]:
    problems, requested = list[str](), len(load.sessions)
    if requested < min(waiting.count, MAIN_COUNT):
        problems.append(f"the memory of the machine carries only {requested} of {waiting.count} transfers")
    if len(begun) < requested:
        problems.append(f"{requested - len(begun)} of {requested} transfers did not begin to wait")
    return problems


def _memory(stack: BenchStack) -> dict[str, int]:
    return {role: sum(memory_bytes(pid) for pid in pids) for role, pids in stack.pids().items()}


def _grown_kb(before: dict[str, int], after: dict[str, int], count: int) -> dict[str, float]:
    """Return by how much each role has grown, in KB for each of `count`."""
    return {role: (size - before[role]) / BYTES_PER_KB / count for role, size in after.items()}


def _session_row(waiting: Waiting, bare: dict[str, int], attached: dict[str, int]) -> Row:
    grown = _grown_kb(bare, attached, waiting.count)
    return Row(name=f"{waiting.name}.session", value=grown[PRIMARY] + grown[BROKER], unit="KB/session")


def _memory_row(waiting: Waiting, grown: dict[str, float], begun: int, problems: tuple[str, ...]) -> Row:
    number = f"{begun} wait: " if begun < waiting.count else ""
    return Row(
        name=f"{waiting.name}.memory",
        value=sum(grown.values()),
        unit="KB/transfer",
        target=Target(MEMORY_KB) if waiting.count >= MANY else None,
        note=number + ", ".join(f"{role} {kb:.1f}" for role, kb in grown.items()),
        problems=problems,
        point=Point(MEMORY_PANEL, begun, waiting.line),
    )


def _idle_rows(waiting: Waiting, idle: _Idle, problems: tuple[str, ...]) -> list[Row]:
    usage = idle.usage
    shares = {role: 100 * used / usage.seconds for role, used in usage.by_role.items()}
    return [
        Row(
            name=f"{waiting.name}.cpu",
            value=sum(shares.values()),
            unit="% of a core",
            target=Target(IDLE_PERCENT) if waiting.count <= MAIN_COUNT and waiting.webhooks else None,
            others_cpu=usage.others_cpu,
            note=", ".join(f"{role} {share:.1f}" for role, share in shares.items()),
            problems=problems,
            point=Point(CPU_PANEL, waiting.count, waiting.line),
        ),
        Row(
            name=f"{waiting.name}.messages",
            value=idle.received_per_s,
            unit="messages/s",
            note="received by the broker: reads, questions, acknowledgements and stored messages",
        ),
        Row(name=f"{waiting.name}.stored", value=idle.stored_per_s, unit="messages/s"),
    ]
