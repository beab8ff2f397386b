"""Scenarios with very few transfers beside one real stack: each yields its rows, and all transfers are right.

Figures of so few transfers mean nothing, so no test looks at them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from importlib import import_module

import pytest
import pytest_asyncio
from msgspec import structs

from warmxfer.cli.bench.plan import QUICK
from warmxfer.cli.bench.rows import Row
from warmxfer.cli.bench.run import measure
from warmxfer.cli.bench.stack import StackSettings
from warmxfer.cli.bench.stack_pool import StackPool
from warmxfer.schemas import RetryableError

LIMIT_S = 180.0
PLAN = structs.replace(
    QUICK,
    bus_operations=2,
    one_at_a_time=2,
    in_flight=(2,),
    transfers=4,
    bursts=(3,),
    waiting=(3,),
    waiting_elsewhere=2,
    finished=2,
    settle_s=0.0,
    idle_s=0.2,
    history_many=2,
    history_alone=1,
)
SHARED = StackSettings(spare_sessions=20, webhooks=True)
ROWS = {
    "one_at_a_time": ["transition.p50", "transition.p99", "transfer.p50", "transfer.p99"],
    "saturation": ["rate.2_in_flight", "cpu.2_in_flight", "rate.best", "stored.messages", "stored.size"],
    "burst": ["burst.3.answered", "burst.3.last_refused", "burst.3.seconds"],
    "waiting": [
        f"waiting.{where}.{figure}"
        for where in ("3", "2.briefing", "2.no_webhooks")
        for figure in ("memory", "cpu", "messages", "stored", "answered")
    ],
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stacks() -> AsyncIterator[StackPool]:
    async with StackPool(SHARED) as stacks:
        yield stacks


async def rows_of(name: str, stacks: StackPool) -> list[Row]:
    run = import_module(f"warmxfer.cli.bench.scenarios.{name}").run
    async with asyncio.timeout(LIMIT_S):
        return [row async for row in measure(name, run, PLAN, stacks, lambda text: None)]


@pytest.mark.parametrize("name", ROWS)
async def test_a_scenario_yields_its_rows_without_problems(name: str, stacks: StackPool) -> None:
    rows = await rows_of(name, stacks)
    assert [row.name for row in rows] == ROWS[name]
    assert {row.name: row.problems for row in rows if row.problems} == {}
    assert all(row.value is not None for row in rows)


async def test_history_is_counted_over_all_scenarios_of_a_stack(stacks: StackPool) -> None:
    async with stacks.open() as stack:
        ended = stack.ended_transfers
    plan = structs.replace(PLAN, history=(ended + 1, ended + 5))
    run = import_module("warmxfer.cli.bench.scenarios.history").run
    async with asyncio.timeout(LIMIT_S):
        rows = [row async for row in measure("history", run, plan, stacks, lambda text: None)]
    names = ("cpu", "transfer.p50", "list_cpu", "broker_memory")
    assert [row.name for row in rows] == [
        f"history.{ended + more}.{name}" for more in (1, 5) for name in names
    ]
    assert [row.problems for row in rows if row.problems] == []
    async with stacks.open() as stack:
        # 1 transfer, 3 measured ones, 1 to reach the next number, and 3 measured ones.
        assert stack.ended_transfers == ended + 8


async def test_a_scenario_that_needs_other_processes_has_a_stack_of_its_own(stacks: StackPool) -> None:
    none = StackSettings(counts=dict.fromkeys(("coordinator", "gateway", "summarizer", "briefing"), 0))
    async with asyncio.timeout(LIMIT_S), stacks.open() as shared, stacks.open(none) as other:
        assert other is not shared
        assert other.processes == {}
        async with stacks.open() as again:
            assert again is shared


async def test_after_a_failure_the_next_scenario_has_a_new_stack() -> None:
    none = StackSettings(counts=dict.fromkeys(("coordinator", "gateway", "summarizer", "briefing"), 0))
    async with asyncio.timeout(LIMIT_S), StackPool(none) as stacks:
        async with stacks.open(none) as first:
            pass

        async def fail(*_: object) -> AsyncGenerator[Row, None]:
            raise RetryableError("the broker is away")
            yield

        (row,) = [row async for row in measure("broken", fail, PLAN, stacks, lambda text: None)]
        assert row.problems == ("RetryableError: the broker is away",)
        assert not first.nats.running
        async with stacks.open(none) as second:
            assert second is not first
            assert second.nats.running
