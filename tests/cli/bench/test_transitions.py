"""How long a transition took, from the stored messages of a transfer."""

from __future__ import annotations

import pytest

from warmxfer.bus import Stored, subjects
from warmxfer.cli.bench.transitions import transition_times

ID = "transfer-1"


def stored(seq: int, at: float, subject: str, trigger: int | None = None) -> Stored:
    data = b"{}" if trigger is None else b'{"trigger": %d, "at": 0.0}' % trigger
    return Stored(subject=subject, seq=seq, at=at, data=data, headers={})


def test_a_transition_lasts_from_its_trigger_to_the_end_of_its_outbox() -> None:
    times = transition_times(
        [
            stored(1, 10.000, subjects.request(ID)),
            stored(2, 10.001, subjects.log(ID), trigger=1),
            stored(3, 10.002, subjects.phase(ID)),
            stored(4, 10.003, subjects.work_queue(ID, "gateway")),
            stored(5, 10.100, subjects.event(ID)),
            stored(6, 10.101, subjects.effect_claim(ID, "dial-1")),
            stored(7, 10.102, subjects.log(ID), trigger=5),
        ]
    )
    assert times == pytest.approx([0.003, 0.002])


def test_a_trigger_that_had_to_wait_counts_from_its_turn() -> None:
    times = transition_times(
        [
            stored(1, 10.000, subjects.event(ID)),
            stored(2, 10.001, subjects.event(ID)),
            stored(3, 10.005, subjects.log(ID), trigger=1),
            stored(4, 10.006, subjects.phase(ID)),
            stored(5, 10.008, subjects.log(ID), trigger=2),
        ]
    )
    assert times == pytest.approx([0.006, 0.002])
