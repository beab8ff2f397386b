"""The transfer in memory does each step once."""

from __future__ import annotations

from warmxfer.cli.bench.plain_asyncio import PHASES, transfer
from warmxfer.schemas import decode_phase


async def test_a_transfer_in_memory_does_each_step_once() -> None:
    steps = await transfer()
    assert (steps.dials, steps.moves) == (1, 1)
    phases = [decode_phase(each) for each in steps.phases]
    assert [each.phase for each in phases] == list(PHASES)
    assert [each.seq for each in phases] == list(range(1, len(PHASES) + 1))
