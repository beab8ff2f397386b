"""`python -m tests.golden.record [--seeds N]`: run transfers and store their event logs in this folder.

It runs every demo scenario that has no log yet, on a local stack, and simulates every scene that has none
(`scenes.py`). `--seeds` adds simulated transfers, with failures that no demo scenario contains. Of these, a
log is stored only if it contains a new stage transition: a pair of stages and an event type that no stored
log contains. One line is one record, as it was stored.

Invariant: a stored log is never changed. Every later version must replay it to the same states and messages
(`test_golden.py`), because an upgrade continues transfers that an older version started. A version that
changes a decision on purpose deletes and records the log again. Its commit message states the reason.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from pathlib import Path

from tests.simulation.patches import patched
from tests.simulation.run import read_logs
from tests.simulation.world import World
from warmxfer.actors.coordinator.state_machine import Record, Stage, decode_record, expand_log
from warmxfer.bus import Bus, subjects
from warmxfer.bus.transfer_log import MAX_RECORDS
from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.cli.scenario_runner import place_calls, play
from warmxfer.cli.scenarios import SCENARIOS, Scenario
from warmxfer.schemas import Event

from .scenes import SCENES, play_scene

Transition = tuple[Stage, type[Event], Stage]

HERE = Path(__file__).parent
PACE = 0.2
TALK = 3


def log_path(name: str) -> Path:
    """Return the path of the log of a scenario or a simulated transfer."""
    return HERE / f"{name}.jsonl"


def log_paths() -> list[Path]:
    """Return the paths of all stored logs."""
    return sorted(HERE.glob("*.jsonl"))


def read_log(path: Path) -> list[Record]:
    """Return the records of a stored log."""
    return [decode_record(line) for line in path.read_bytes().splitlines()]


def write_log(name: str, records: Iterable[bytes]) -> None:
    """Write a log to this folder."""
    lines = [record + b"\n" for record in records]
    log_path(name).write_bytes(b"".join(lines))
    print(f"{name}: {len(lines)} records")


async def record(scenarios: list[Scenario]) -> None:
    """Run each scenario in its own local stack and store its log. Exits if a check of the scenario fails."""
    for scenario in scenarios:
        async with LocalStack(time_scale=PACE) as stack, stack.client() as client:
            (caller,) = await place_calls(stack, [scenario], TALK)
            played = await play(stack, client, scenario, caller)
            if played.problems:
                raise SystemExit(f"{scenario.name}: {'; '.join(played.problems)}")
            async with await Bus.connect(stack.settings("operator"), name="recorder") as bus:
                stored = await bus.history(subjects.log(played.id), MAX_RECORDS)
                write_log(scenario.name, (each.data for each in stored))


def simulate(seed: int, known: set[Transition]) -> None:
    """Run one simulation and store each log that has a new transition. Exits if a check fails."""
    with patched():
        world = World(seed)
        problems = world.run().problems
    if problems:
        raise SystemExit(f"seed {seed}: {'; '.join(problems)}")
    for id, history in world.histories.items():
        found = transitions(record for _, record in history.records)
        name = f"seed_{seed}_{id}"
        if not found <= known and not log_path(name).exists():
            known |= found
            write_log(name, (stored.data for stored, _ in history.records))


def transitions(records: Iterable[Record]) -> set[Transition]:
    """Return all transitions of a log: stage, event type, next stage."""
    found, previous = set[Transition](), Stage.NEW
    for each in expand_log(records):
        found.add((previous, type(each.event), each.state.stage))
        previous = each.state.stage
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.golden.record", description=__doc__)
    parser.add_argument(
        "--seeds", type=int, default=0, help="number of simulation runs that are searched for new transitions"
    )
    seeds = parser.parse_args().seeds
    asyncio.run(record([each for each in SCENARIOS if not log_path(each.name).exists()]))
    read_logs(for_process=True)
    for scene in SCENES:
        if not log_path(scene.name).exists():
            write_log(scene.name, play_scene(scene)[0])
    known = set[Transition]().union(*(transitions(read_log(path)) for path in log_paths()))
    for seed in range(1, seeds + 1):
        simulate(seed, known)


if __name__ == "__main__":
    main()
