"""Whole transfers beside the fake cloud, with real processes: they complete, or their run has a problem."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from warmxfer.bus import Stored, subjects
from warmxfer.cli.bench.cloud.calls import RINGING_NUMBER, supervisor_call
from warmxfer.cli.bench.cloud.ledger import Entry, Ledger
from warmxfer.cli.bench.cloud.webhooks import WebhookSender
from warmxfer.cli.bench.floor_stack import FloorStack
from warmxfer.cli.bench.load import Load
from warmxfer.cli.bench.machine import UsageMeter
from warmxfer.cli.bench.stack import ANSWERS, PRIMARY, BenchStack, StackSettings
from warmxfer.cli.bench.transitions import transition_times
from warmxfer.schemas import WarmTransferPhase, participant_ids

LIMIT_S = 90.0
COUNT, SPARE = 3, 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[BenchStack]:
    async with BenchStack(StackSettings(spare_sessions=SPARE, webhooks=True)) as stack:
        yield stack


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_transfers_complete_and_cost_something(stack: BenchStack) -> None:
    async with asyncio.timeout(LIMIT_S), Load(stack, "a", COUNT) as load:
        sample = await load.run(2)
        assert sample.problems == ()
        assert (sample.transfers, len(sample.latencies_s)) == (COUNT, COUNT)
        assert sample.usage.by_role.keys() == {
            "coordinator", "gateway", "summarizer", "briefing", "primary", "broker"
        }  # fmt: skip
        for id in load.sessions:
            assert all(seconds > 0 for seconds in transition_times(await history(stack, id)))


async def history(stack: BenchStack, id: str) -> list[Stored]:
    return await stack.bus.history(subjects.all_of(id), 1_000)


async def test_a_second_dial_in_the_ledger_fails_the_run(stack: BenchStack) -> None:
    async with asyncio.timeout(LIMIT_S), Load(stack, "b", 1) as load:
        id = await load.request(0)
        assert await load.wait([id], LIMIT_S)
        supervisor = participant_ids.supervisor(id, 1)
        ledger = Ledger(stack.directory)
        ledger.append(Entry("dial", supervisor_call(supervisor), f"c-{id}", supervisor, answered=True))
        ledger.close()
        sample = await load.sample(UsageMeter(stack.pids()), 0.0)
    assert any("dialled a supervisor more than once" in problem for problem in sample.problems)


async def test_a_transfer_that_does_not_end_fails_the_run_unless_it_may_wait(stack: BenchStack) -> None:
    async with asyncio.timeout(LIMIT_S), Load(stack, "c", 1, number=RINGING_NUMBER) as load:
        id = await load.request(0)
        assert await load.wait([id], LIMIT_S, WarmTransferPhase.SUPERVISOR_DIALED)
        assert not await load.wait([id], 0.1)
        meter = UsageMeter(stack.pids())
        (problem,) = (await load.sample(meter, 0.0)).problems
        assert problem == "1 of 1 transfers are not complete: 1 running"
        assert (await load.sample(meter, 0.0, may_run=True)).problems == ()


async def test_a_ringing_phone_is_reported_to_the_gateway(stack: BenchStack) -> None:
    async with (
        asyncio.timeout(LIMIT_S),
        Load(stack, "w", COUNT, number=RINGING_NUMBER, wait_limit_s=600.0) as load,
        WebhookSender(stack.directory) as webhooks,
    ):
        ids = await load.request_all(range(COUNT))
        assert await load.wait(ids, LIMIT_S, WarmTransferPhase.SUPERVISOR_DIALED)
        while webhooks.taken < 2 * COUNT and not webhooks.problems():
            await asyncio.sleep(0.01)
        assert webhooks.problems() == []


async def test_a_load_takes_spare_sessions_as_long_as_there_are_enough(stack: BenchStack) -> None:
    async with asyncio.timeout(LIMIT_S), stack.sessions(PRIMARY, "s", SPARE + 1) as many:
        assert many == [f"s{number}" for number in range(SPARE + 1)]
        assert len(stack.processes[PRIMARY]) == 2
        async with stack.sessions(PRIMARY, "t", 1) as one:
            assert one[0].startswith("spare-")
            assert len(stack.processes[PRIMARY]) == 2
    assert len(stack.processes[PRIMARY]) == 1


async def test_a_killed_actor_is_a_problem_of_the_run(stack: BenchStack) -> None:
    async with asyncio.timeout(LIMIT_S), Load(stack, "d", 1) as load:
        (summarizer,) = stack.processes["summarizer"]
        await summarizer.kill()
        sample = await load.sample(UsageMeter(stack.pids()), 0.0)
        assert "a summarizer process has ended by itself" in sample.problems
        await stack.stop(summarizer)
        await stack.start("summarizer")


async def test_one_process_answers_for_all_other_actors() -> None:
    settings = StackSettings(counts={"gateway": 0, "summarizer": 0, "briefing": 0})
    async with (
        asyncio.timeout(LIMIT_S),
        BenchStack(settings) as stack,
        Load(stack, "e", COUNT, role=ANSWERS) as load,
    ):
        sample = await load.run(COUNT)
    assert sample.problems == ()


async def test_the_floor_runs_beside_it() -> None:
    async with asyncio.timeout(LIMIT_S), FloorStack() as floor:
        first, second = await floor.run(COUNT, 1), await floor.run(COUNT, 2)
    assert len(first.transitions_s) > 0
    assert len(second.latencies_s) == COUNT
    assert second.usage.by_role.keys() == {"worker", "broker"}
