"""Rows: what meets a target, what fails whatever its figure, and the shape of their JSON."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from warmxfer.cli.bench.machine import Usage
from warmxfer.cli.bench.rows import Row, Sample, Target, median_row, percentile


def sample(seconds: float, cpu_s: Mapping[str, float], *, problems: tuple[str, ...] = ()) -> Sample:
    return Sample(
        transfers=10,
        seconds=seconds,
        latencies_s=[0.02],
        usage=Usage(seconds, cpu_s, others_cpu=0.25),
        problems=problems,
    )


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (Target(10.0), 10.0, True),
        (Target(10.0), 10.1, False),
        (Target(180.0, "least"), 180.0, True),
        (Target(180.0, "least"), 179.9, False),
    ],
)
def test_a_target_is_a_limit_above_or_below(target: Target, value: float, met: bool) -> None:
    assert target.met(value) is met
    assert Row(name="a", value=value, unit="ms", target=target).ok is met


def test_a_ratio_may_miss_while_the_figure_meets_its_target() -> None:
    row = Row(name="a", value=9.0, unit="ms", target=Target(10.0), ratio_target=Target(2.5), reference=3.0)
    assert row.ratio == 3.0
    assert not row.ok


def test_a_problem_fails_a_row_whatever_its_figure() -> None:
    assert not Row(name="a", value=1.0, unit="ms", problems=("dialled twice",)).ok


def test_a_missing_figure_meets_no_target() -> None:
    assert not Row(name="a", value=None, unit="ms", target=Target(1.0)).ok
    assert not Row(name="a", value=2.0, unit="ms", ratio_target=Target(1.0)).ok  # no reference was measured


def test_the_row_of_several_runs_is_their_median_beside_the_median_of_the_floor() -> None:
    ours = [sample(1.0, {"gateway": 0.1, "broker": cpu_s}) for cpu_s in (0.3, 0.1, 0.2)]
    floor = [sample(1.0, {"worker": cpu_s}) for cpu_s in (0.1, 0.2, 0.1)]
    row = median_row("cpu", "ms/transfer", ours, lambda each: each.cpu_ms, floor)
    assert row.value == pytest.approx(30.0)
    assert row.reference == pytest.approx(10.0)
    assert (row.runs, row.others_cpu) == (3, 0.25)


def test_a_problem_of_one_run_or_of_the_floor_is_the_rows() -> None:
    ours = [sample(1.0, {"gateway": 0.1}), sample(1.0, {"gateway": 0.1}, problems=("lost one",))]
    floor = [sample(1.0, {"worker": 0.1}, problems=("floor",))]
    row = median_row("cpu", "ms/transfer", ours, lambda each: each.cpu_ms, floor)
    assert row.problems == ("lost one", "floor")
    assert not row.ok


def test_json_has_the_agreed_names() -> None:
    row = Row(
        name="cpu.50_in_flight",
        value=9.87654,
        unit="ms/transfer",
        target=Target(10.0),
        ratio_target=Target(2.5),
        reference=4.0,
        others_cpu=0.03,
        runs=5,
    )
    assert row.as_json() == {
        "name": "cpu.50_in_flight",
        "value": 9.877,
        "unit": "ms/transfer",
        "target": "<= 10, ratio <= 2.5",
        "ok": True,
        "reference": 4.0,
        "ratio": 2.469,
        "others_cpu": 0.03,
        "runs": 5,
        "note": "",
        "problems": [],
    }


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(1, 101)]
    assert percentile(values, 0.99) == 100.0
    assert percentile(values, 0.5) == 51.0
    assert percentile([7.0], 0.99) == 7.0
