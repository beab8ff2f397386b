"""`python -m tests.golden.record [--seeds N]`: play transfers, and keep their logs in this folder.

Every scenario of the demo that has no log yet is played with real parts. `--seeds` adds runs of the
simulation, where things go wrong that no demo shows: of these a log is kept if it leads from some stage to
another by an event by which no log here does. One line is one record, as it was stored.

A log is written once. Every later version must replay it to the same states and the same messages
(`test_golden.py`), for that is what an upgrade meets: a transfer that an older version began. Where a
version means to decide otherwise, its log is deleted and recorded again, and the commit says why.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
from collections.abc import Iterable
from pathlib import Path

from tests.simulation.patches import patched
from tests.simulation.run import read_logs
from tests.simulation.world import World
from warmxfer.actors.coordinator.state_machine import Record, Stage, decode_record
from warmxfer.bus import Bus, BusSettings, subjects
from warmxfer.bus.transfer_log import MAX_RECORDS
from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.cli.scenario_runner import place_calls, play
from warmxfer.cli.scenarios import SCENARIOS, Scenario
from warmxfer.schemas import Event

Way = tuple[Stage, type[Event], Stage]

HERE = Path(__file__).parent
PACE = 0.2
TALK = 3


def path_of(name: str) -> Path:
    """Where the log of a scenario, or of a simulated transfer, is kept."""
    return HERE / f"{name}.jsonl"


def logs() -> list[Path]:
    """Every log that is kept."""
    return sorted(HERE.glob("*.jsonl"))


def read(path: Path) -> list[Record]:
    return [decode_record(line) for line in path.read_bytes().splitlines()]


def keep(name: str, records: Iterable[bytes]) -> None:
    """Write a log down."""
    lines = [record + b"\n" for record in records]
    path_of(name).write_bytes(b"".join(lines))
    print(f"{name}: {len(lines)} records")


async def record(scenarios: list[Scenario]) -> None:
    """Play each in a house of its own, and keep its log if all went as it must."""
    for scenario in scenarios:
        async with LocalStack(time_scale=PACE) as house, house.client() as client:
            (caller,) = await place_calls(house, [scenario], TALK)
            played = await play(house, client, scenario, caller)
            if played.problems:
                raise SystemExit(f"{scenario.name}: {'; '.join(played.problems)}")
            async with await Bus.connect(BusSettings(url=house.nats_url), name="recorder") as bus:
                stored = await bus.history(subjects.log(played.id), MAX_RECORDS)
                keep(scenario.name, (each.data for each in stored))


def simulate(seed: int, known: set[Way]) -> None:
    """Play one run of the simulation, and keep those of its logs that lead a way which is not `known`."""
    with patched():
        gc.disable()  # as `simulate` does
        world = World(seed)
        problems = world.run().problems
        gc.enable()
    if problems:
        raise SystemExit(f"seed {seed}: {'; '.join(problems)}")
    for id, history in world.histories.items():
        led = ways(record for _, record in history.records)
        name = f"seed_{seed}_{id}"
        if not led <= known and not path_of(name).exists():
            known |= led
            keep(name, (stored.data for stored, _ in history.records))


def ways(records: Iterable[Record]) -> set[Way]:
    """Which events led from which stage to which."""
    led, before = set[Way](), Stage.NEW
    for each in records:
        led.add((before, type(each.event), each.state.stage))
        before = each.state.stage
    return led


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.golden.record", description=__doc__)
    parser.add_argument("--seeds", type=int, default=0, help="runs of the simulation to look for new ways in")
    seeds = parser.parse_args().seeds
    asyncio.run(record([each for each in SCENARIOS if not path_of(each.name).exists()]))
    known = set[Way]().union(*(ways(read(path)) for path in logs()))
    read_logs()
    for seed in range(1, seeds + 1):
        simulate(seed, known)


if __name__ == "__main__":
    main()
