"""The files that are changed, and the tests that run against a change of each, the fastest first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FILES = (
    "bus/*.py",
    "actors/coordinator/*.py",
    "actors/coordinator/state_machine/*.py",
    "actors/gateway/at_most_once.py",
    "actors/gateway/call_marks.py",
    "actors/gateway/leg_lookup.py",
    "actors/gateway/orphan_calls.py",
    "actors/gateway/provider_polling.py",
    "actors/gateway/handlers/*.py",
)
"""The bus with the effect claims, the coordinator with the state machine, and the effects of the gateway."""
EXCLUDED = frozenset(
    {
        "bus/embedded_server.py",
        "bus/run_with_parent.py",
        "actors/coordinator/state_machine/diagram.py",
    }
)
"""The local broker of the demo and the tests, and a drawing. No transfer depends on them."""
SEEDS = 150
"""Seeds of the simulation: enough for the faults of most messages, in a few seconds."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One command. A change that passes it goes to the next stage."""

    name: str
    arguments: tuple[str, ...]
    computes: bool = False
    """It never waits. More of them than cores would exceed the time limit together."""


SIMULATION = Stage(f"{SEEDS} seeds", ("-m", "tests.mutants.seeds", str(SEEDS)), computes=True)
MODEL = Stage("model check", ("-m", "tests.model_check.check"), computes=True)


def target_files(root: Path = ROOT) -> list[str]:
    """Return the files that are changed, as paths below `root`."""
    found = {path.relative_to(root).as_posix() for pattern in FILES for path in root.glob(pattern)}
    return sorted(found - EXCLUDED)


def stages(file: str, root: Path = ROOT) -> list[Stage]:
    """Return the stages of a change in `file`: the tests of its name, of its folder, and the runs of many."""
    path = Path(file)
    folder = Path("tests") / path.parent
    if path.parent.name == "handlers":
        folder = Path("tests/actors/gateway")
    own = folder / f"test_{path.stem}.py"
    found = [pytest_stage(own.as_posix())] if (root / own).exists() else []
    if path.parent.name == "state_machine":
        pure = [pytest_stage(folder.as_posix()), pytest_stage("tests/golden")]
        return [*found, *pure, SIMULATION, COORDINATOR, MODEL]
    is_coordinator = folder.name == "coordinator"
    return [*found, SIMULATION, COORDINATOR if is_coordinator else pytest_stage(folder.as_posix())]


def pytest_stage(path: str, *more: str) -> Stage:
    """Return the stage that runs a test, or the tests of a file or a folder."""
    options = ("-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--no-header")
    return Stage(path, ("-m", "pytest", *options, path, *more))


COORDINATOR = pytest_stage("tests/actors/coordinator", "--ignore=tests/actors/coordinator/state_machine")
"""The tests of the coordinator without those of its state machine, which a change of it runs first."""
