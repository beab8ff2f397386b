"""`warmxfer bench`: options, output, exit status, and what becomes of a scenario that fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.cli.conftest import InProcess
from warmxfer.cli.bench.command import SCENARIOS
from warmxfer.cli.bench.load import Progress
from warmxfer.cli.bench.plan import QUICK, Plan
from warmxfer.cli.bench.rows import Row, Target
from warmxfer.cli.bench.scenarios import bus, recovery
from warmxfer.cli.bench.stack_pool import StackPool
from warmxfer.schemas import RetryableError

FAST = Row(name="bus.publish", value=0.2, unit="ms", target=Target(1.0))
SLOW = Row(name="recovery.60", value=9.0, unit="s", target=Target(5.0))
CHOSEN = ("bench", "--quick", "--only", "bus", "--only", "recovery")


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Replace two scenarios: a row that meets its target, and a row that misses. Returns their plans."""
    plans: list[Plan] = []

    async def fast(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
        progress("publish")
        plans.append(plan)
        yield FAST

    async def slow(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
        yield SLOW

    monkeypatch.setattr(bus, "run", fast)
    monkeypatch.setattr(recovery, "run", slow)
    return plans


def test_exit_status_1_if_a_row_misses_its_target(in_process: InProcess, plans: list[Plan]) -> None:
    result = in_process(*CHOSEN)
    assert result.code == 1
    assert "bus.publish" in result.out
    assert "MISSED" in result.out
    assert "bus (1 of 2): publish" in result.err
    assert plans == [QUICK]


def test_exit_status_0_if_every_row_meets_its_target(in_process: InProcess, plans: list[Plan]) -> None:
    assert in_process(*CHOSEN[:4]).code == 0


def test_json_is_one_object_a_row(in_process: InProcess, plans: list[Plan]) -> None:
    result = in_process(*CHOSEN, "--json")
    assert result.code == 1
    assert [(row["name"], row["ok"]) for row in result.values] == [
        ("bus.publish", True),
        ("recovery.60", False),
    ]
    for row in result.values:
        assert {"name", "value", "unit", "target", "ok", "reference", "ratio", "others_cpu"} <= row.keys()


def test_a_scenario_that_fails_is_a_row_that_misses_and_the_next_one_runs(
    in_process: InProcess, plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
        yield FAST
        raise RetryableError("the broker is away")

    monkeypatch.setattr(bus, "run", broken)
    monkeypatch.setattr(recovery, "run", lambda plan, stacks, progress: _rows(FAST))
    result = in_process(*CHOSEN, "--json")
    assert result.code == 1
    assert [row["ok"] for row in result.values] == [True, False, True]
    assert result.values[1]["name"] == "bus"
    assert result.values[1]["problems"] == ["RetryableError: the broker is away"]


async def _rows(*rows: Row) -> AsyncGenerator[Row, None]:
    for row in rows:
        yield row


def test_a_written_page_has_the_rows(in_process: InProcess, plans: list[Plan], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    in_process(*CHOSEN, "--write", str(page))
    text = page.read_text()
    assert "| bus.publish | 0.2 |" in text
    assert "`warmxfer bench --quick --only bus --only recovery`" in text
    assert (tmp_path / "page.svg").exists()


def test_a_stopped_run_keeps_the_scenarios_that_were_measured(
    in_process: InProcess, plans: list[Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stopped(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
        raise KeyboardInterrupt
        yield FAST

    monkeypatch.setattr(recovery, "run", stopped)
    page = tmp_path / "page.md"
    in_process(*CHOSEN, "--write", str(page))
    assert "| bus.publish | 0.2 |" in page.read_text()
    assert "**Not measured: recovery.**" in page.read_text()


def test_an_unknown_scenario_is_refused(in_process: InProcess) -> None:
    result = in_process("bench", "--only", "speed")
    assert result.code == 2
    assert "use one of bus, one_at_a_time" in result.err


def test_a_page_that_cannot_be_written_is_refused_at_once(in_process: InProcess, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("no marks")
    assert in_process("bench", "--write", str(tmp_path / "page.md")).code == 2


def test_every_scenario_is_a_file_and_every_file_a_scenario() -> None:
    folder = Path(bus.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(SCENARIOS)
