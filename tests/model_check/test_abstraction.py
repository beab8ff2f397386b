"""What the exhaustive check leaves out decides nothing: the abstract machine walks as the real one does.

Random walks of a concrete transfer, with its ids, times and texts. At every step every event there is gets
told to the concrete transfer and to its abstraction: both must come to the same abstract state and send the
same things. (But for the timer: whether one that is set already is early enough is a matter of times.)
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from warmxfer.actors.coordinator.state_machine import Ignored, Transfer, step

from .events import SYMBOLS, Symbol
from .machine import Machine, abstract, names

walks = st.lists(st.integers(min_value=0, max_value=1_000), min_size=5, max_size=40)
pacings = st.sampled_from(["overlap", "sequential"])
timeouts = st.sampled_from(["cancel", "proceed"])
recorded = st.booleans()

Outcome = tuple[Transfer, list[str]] | None
"""The abstract state that an event led to, and what went out; None: the same, and nothing."""


def tell(transfer: Transfer, symbol: Symbol) -> tuple[Transfer, Outcome]:
    told = symbol.tell(transfer)
    result = None if told is None else step(*told)
    if result is None or isinstance(result, Ignored):
        return transfer, None
    sent = [name for name in names(result.outbox) if name != "set_timer"]
    after = abstract(result.state)
    return result.state, (after, sent) if sent or after != abstract(transfer) else None


@settings(max_examples=300)
@given(walks, pacings, timeouts, recorded)
def test_abstract_and_concrete_transfer_walk_together(
    walk: list[int], pacing: str, timeout: str, record: bool
) -> None:
    transfer = Machine(pacing=pacing, on_briefing_timeout=timeout, record=record).first
    for number in walk:
        ways: list[Transfer] = []
        for symbol in SYMBOLS:
            then, concrete = tell(transfer, symbol)
            assert tell(abstract(transfer), symbol)[1] == concrete, f"{symbol.name} in {transfer.stage}"
            if concrete is not None:
                ways.append(then)
        if ways:
            transfer = ways[number % len(ways)]


def test_abstracting_twice_is_abstracting_once() -> None:
    machine = Machine()
    for number in range(50):
        machine.steps(number)
    assert len(machine.states) > 50
    assert all(abstract(state) == state for state in machine.states)
