"""Two hundred seeds in each test run, ten thousand on demand (`pytest -m simulation`)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.bus import Delivery
from warmxfer.schemas import LegsChecked

from .caller_mutations import complete_as_older_versions
from .coverage import CAN_STRIKE
from .faults import CLASSES
from .logs import INTERNAL_ERRORS
from .patches import PATCHES, patched
from .run import run_seeds
from .world import World, simulate

ROOT = Path(__file__).resolve().parents[2]
FEW = 200
MANY = 10_000
TIME_FOR_MANY_S = 900


@pytest.mark.timeout(600)
def test_no_invariant_is_broken_in_a_few_runs() -> None:
    tally = run_seeds(range(1, FEW + 1))
    assert tally.broken == []
    assert tally.outcomes["complete"] > FEW / 4


def test_the_same_seed_is_the_same_run() -> None:
    with patched():
        digests = [simulate(seed).digest for seed in (7, 11, 7, 11)]
    assert digests[:2] == digests[2:]
    assert digests[0] != digests[1]


SLOW_SEEDS = 60
SLOW_S = 0.5
MIN_SHARED = 20


def test_no_invariant_is_broken_by_events_that_share_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow coordinator makes events wait. Some share a record without that too."""
    with patched():
        assert sum(_shared(seed) for seed in range(1, SLOW_SEEDS + 1)) > 0
        handle = Coordinator.handle

        async def handle_slowly(self: Coordinator, delivery: Delivery) -> None:
            await asyncio.sleep(PATCHES.random.uniform(0.0, SLOW_S))
            await handle(self, delivery)

        monkeypatch.setattr(Coordinator, "handle", handle_slowly)
        assert sum(_shared(seed) for seed in range(1, SLOW_SEEDS + 1)) > MIN_SHARED


def _shared(seed: int) -> int:
    """Return how many records of a run have several events. Fails if the run breaks an invariant."""
    world = World(seed)
    assert world.run().problems == ()
    return sum(bool(record.also) for each in world.histories.values() for _, record in each.records)


COMPLETE_WITHOUT_SUPERVISOR = 2062
"""The supervisor hangs up during the handover, and no event reports it in time.

It was found as seed 67,309. What changes the messages of a run changes every seed: then another one shows it.
"""


def test_no_transfer_completes_without_its_supervisor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: without the leg check the transfer completed, and the caller was alone."""
    with patched():
        world = World(COMPLETE_WITHOUT_SUPERVISOR, hang_ups_in_talk=False)
        mended = world.run()
        complete_as_older_versions(monkeypatch)
        before = simulate(COMPLETE_WITHOUT_SUPERVISOR, hang_ups_in_talk=False)
    assert (mended.problems, mended.outcomes[0]) == ((), "supervisor_disconnected")
    records = [record for _, record in world.histories["x1"].transitions]
    after_handover = next(
        after
        for record, after in pairwise(records)
        if record.state.stage is Stage.HANDING_OVER and after.state.stage is not Stage.HANDING_OVER
    )
    assert isinstance(after_handover.event, LegsChecked), "search a seed whose leg check finds the hang-up"
    assert before.outcomes[0] == "complete"
    assert ": I3" in before.problems[0]


CRASH_IN_GUARD = 5158
"""The AI session crashes in the bridge guard, the caller hangs up, and a long outage follows."""


def test_the_hold_of_a_crashed_session_ends() -> None:
    """Regression: the hold of a session that did not start again had no end."""
    with patched():
        assert simulate(CRASH_IN_GUARD).problems == ()


def test_another_process_makes_the_same_run() -> None:
    """A run does not depend on its process, for example on how it hashes strings."""
    command = [sys.executable, "-m", "tests.simulation.run", "--seed", "11"]
    with patched():
        digest = simulate(11).digest
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert digest in done.stdout, done.stdout + done.stderr


@pytest.mark.simulation
@pytest.mark.timeout(TIME_FOR_MANY_S)
def test_no_invariant_is_broken_in_ten_thousand_runs() -> None:
    """Each fault strikes in each phase in which it can; the command fails otherwise."""
    command = [sys.executable, "-m", "tests.simulation.run", "--seeds", str(MANY), "--jobs", "2"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIME_FOR_MANY_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_product_logs_each_event_that_counts_as_an_internal_error() -> None:
    """A renamed log event would otherwise no longer be noticed in a run."""
    folders = ("actors", "adapters", "bus")
    source = "".join(path.read_text() for each in folders for path in (ROOT / each).rglob("*.py"))
    assert [event for event in sorted(INTERNAL_ERRORS) if f'"{event}"' not in source] == []


def test_the_coverage_table_names_only_known_fault_classes() -> None:
    assert set(CAN_STRIKE) <= set(CLASSES)
