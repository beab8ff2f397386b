"""A change is made in a private copy, tried out there, and undone."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .accepted import all_changes
from .operators import Change
from .targets import ROOT, Stage, stages
from .trial import CORES, Copies, Copy, ProcessEnded, Times

FILE = "bus/keyed_queue.py"
MODULE_FILE = Stage("module", ("-c", "import warmxfer.bus.keyed_queue as m; print(m.__file__)"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("copy"))


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    """Copies without a change."""
    found = Copies(tmp_path_factory.mktemp("unchanged"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def times(copies: Copies) -> Times:
    return Times(copies)


def change_of(operator: str, line: str) -> Change:
    (found,) = [each for each in all_changes(only=FILE) if each.operator == operator and line in each.line]
    return found


def test_the_copy_is_imported_and_not_the_installed_package(copy: Copy) -> None:
    passed, output = copy.run(MODULE_FILE, 60)
    assert passed
    assert Path(output.strip()).resolve() == copy.root / FILE


def test_a_change_is_caught_by_the_tests_of_its_file_and_undone(copy: Copy, times: Times) -> None:
    before = (ROOT / FILE).read_bytes()
    outcome = copy.try_out(change_of("call removed", "queue.pop(0)"), times, stages(FILE, copy.root))
    assert (outcome.verdict, outcome.stage) == ("caught", "tests/bus/test_keyed_queue.py")
    assert (copy.root / FILE).read_bytes() == (ROOT / FILE).read_bytes() == before


def test_a_stage_that_takes_too_long_is_ended(copy: Copy) -> None:
    assert copy.run(Stage("sleep", ("-c", "import time; time.sleep(600)")), 0.3) == (None, "")


def test_no_more_stages_compute_at_once_than_there_are_cores(copy: Copy) -> None:
    """Eight runs of the simulation on two cores exceeded the time limit, which counts as a change caught."""
    quick = ("-c", "")
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as held:
        for _ in range(cores):
            held.enter_context(CORES)
        assert copy.run(Stage("waits", quick), 60)[0]
        running = pool.submit(copy.run, Stage("computes", quick, computes=True), 60)
        with pytest.raises(TimeoutError):
            running.result(0.5)
        held.close()
        assert running.result(60)[0]


def test_kill_ends_the_stage_that_runs_in_another_thread(tmp_path: Path) -> None:
    copy, began = Copy(tmp_path), tmp_path / "began"
    write = f"import os, pathlib, time; pathlib.Path({str(began)!r}).write_text(str(os.getpid()))"
    stage = Stage("sleep", ("-c", f"{write}; time.sleep(600)"))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(copy.run, stage, 600)
        while not (began.exists() and began.read_text()):
            time.sleep(0.05)
        copy.kill()
        with pytest.raises(ProcessEnded):
            running.result()
    copy.close()
    wait_ended(int(began.read_text()))
    with pytest.raises(ProcessEnded):
        copy.run(stage, 600)


def wait_ended(pid: int) -> None:
    """Return when there is no such process, or only its entry that init has not removed yet."""
    stat = Path("/proc") / str(pid) / "stat"
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.05)


def test_a_stage_that_fails_without_a_change_says_nothing_about_changes(copy: Copy, copies: Copies) -> None:
    broken = Stage("broken", ("-c", "import sys; sys.exit('why')"))
    times = Times(copies)
    outcome = copy.try_out(change_of("call removed", "queue.pop(0)"), times, [broken])
    assert (outcome.verdict, times.failed) == ("not tested", {"broken": "why\n"})


def test_the_limit_of_a_stage_is_a_multiple_of_its_own_time(copies: Copies) -> None:
    quick = Stage("quick", ("-c", ""))
    assert 20 < (Times(copies).limit_s(quick) or 0) < 60
    assert Times(copies, 7.0).limit_s(quick) == 7.0


def test_different_stages_are_measured_at_the_same_time(copies: Copies, times: Times, tmp_path: Path) -> None:
    """Each of the two stages waits for the other one."""
    first, second = tmp_path / "first", tmp_path / "second"
    with ThreadPoolExecutor(2) as pool:
        limits = list(pool.map(times.limit_s, [meeting(first, second), meeting(second, first)]))
    assert None not in limits
    assert len(copies._made) == 2


def meeting(mine: Path, other: Path) -> Stage:
    """Return a stage that passes when the other one runs."""
    wait = f"while not pathlib.Path({str(other)!r}).exists(): time.sleep(0.01)"
    code = f"import pathlib, time\npathlib.Path({str(mine)!r}).touch()\n{wait}"
    return Stage(mine.name, ("-c", code))


def test_no_stage_is_measured_after_a_kill(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    times = Times(copies)
    copies.kill()
    with pytest.raises(ProcessEnded):
        times.limit_s(Stage("quick", ("-c", "")))
