"""The abstraction of the model check loses no behaviour: abstract and concrete transfer make the same steps.

Random walks of a concrete transfer, with its ids, times and texts. At every step each event is applied to
the concrete transfer and to its abstraction. Both must come to the same abstract state and send the same
messages.
The timer is left out: whether one that is set already is early enough depends on times.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from warmxfer.actors.coordinator.state_machine import Ignored, Transfer, step
from warmxfer.schemas import Rescue, RescueByAgent

from .abstract_machine import AbstractMachine, abstract, names
from .events import ABSTRACT_EVENTS, AbstractEvent

walks = st.lists(st.integers(min_value=0, max_value=1_000), min_size=5, max_size=40)
pacings = st.sampled_from(["overlap", "sequential"])
timeouts = st.sampled_from(["cancel", "proceed"])
recorded = st.booleans()
rescues = st.sampled_from([None, RescueByAgent(agent_id="agent")])
guards = st.sampled_from([None, 0.0, 5.0])

Effect = tuple[Transfer, list[str]] | None
"""The abstract state after an event, and the messages sent. None if neither changed."""


def apply(transfer: Transfer, event: AbstractEvent) -> tuple[Transfer, Effect]:
    """Return the transfer after `event`, and the effect of the event."""
    arguments = event.concrete(transfer)
    result = None if arguments is None else step(*arguments)
    if result is None or isinstance(result, Ignored):
        return transfer, None
    sent = [name for name in names(result.outbox) if name != "set_timer"]
    after = abstract(result.state)
    return result.state, (after, sent) if sent or after != abstract(transfer) else None


@settings(max_examples=300)
@given(walks, pacings, timeouts, recorded, guards, rescues)
def test_abstract_and_concrete_transfer_make_the_same_steps(
    walk: list[int], pacing: str, timeout: str, record: bool, guard_s: float | None, rescue: Rescue | None
) -> None:
    config = {"pacing": pacing, "on_briefing_timeout": timeout, "record": record, "bridge_guard_s": guard_s}
    transfer = AbstractMachine(**config, rescue=rescue).first
    for number in walk:
        successors: list[Transfer] = []
        for event in ABSTRACT_EVENTS:
            after, concrete = apply(transfer, event)
            assert apply(abstract(transfer), event)[1] == concrete, f"{event.name} in {transfer.stage}"
            if concrete is not None:
                successors.append(after)
        if successors:
            transfer = successors[number % len(successors)]


def test_an_abstract_state_is_its_own_abstraction() -> None:
    machine = AbstractMachine()
    for number in range(50):
        machine.steps(number)
    assert len(machine.states) > 50
    assert all(abstract(state) == state for state in machine.states)
