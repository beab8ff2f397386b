"""The checks of the soak: a series that leaks fails, a level one passes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from .level import BROKER, CLOUD, MB, Sample, read_sample, table, unlevel

MARKS = (500, 1_000, 2_500, 5_000)


def series(memory_mb: Sequence[float], descriptors: Sequence[int]) -> list[Sample]:
    return [
        Sample(mark, round(memory * MB), count)
        for mark, memory, count in zip(MARKS, memory_mb, descriptors, strict=True)
    ]


LEVEL = series((40.0, 47.0, 48.5, 48.0), (15, 22, 18, 20))


def test_a_level_series_passes() -> None:
    assert unlevel({"gateway": LEVEL, "coordinator": LEVEL}) == []


def test_memory_that_grows_with_the_transfers_fails() -> None:
    (sentence,) = unlevel({"gateway": series((55.0, 59.0, 71.0, 91.0), (15, 15, 15, 15))})
    assert sentence == "gateway grew by 32.0 MB from transfer 1000 to 5000; allowed are 8.0 MB"


@pytest.mark.parametrize("counts", [(15, 40, 75, 99), (15, 79, 79, 79), (15, 15, 15, 79)])
def test_descriptors_that_grow_fail_also_if_they_stay_then(counts: Sequence[int]) -> None:
    (sentence,) = unlevel({"gateway": series((50.0,) * 4, counts)})
    assert sentence.startswith("gateway has ")
    assert "more descriptors" in sentence


def test_what_a_process_has_to_keep_is_allowed() -> None:
    """The sandbox records everything; the broker indexes its stream. Neither may leak descriptors."""
    grows = series((60.0, 90.0, 200.0, 400.0), (15, 15, 15, 15))
    assert unlevel({CLOUD: grows}) == []
    assert len(unlevel({BROKER: grows})) == 1
    assert len(unlevel({CLOUD: series((60.0,) * 4, (15, 50, 90, 200))})) == 1


def test_two_marks_prove_nothing() -> None:
    (sentence,) = unlevel({"gateway": LEVEL[:2]})
    assert "give --marks with three numbers or more" in sentence


def test_the_table_has_a_row_a_process_and_a_column_a_mark() -> None:
    head, _, gateway, primary = table({"gateway": LEVEL, "primary": LEVEL[1:]}).splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")] == [
        "process", "500 transfers", "1,000 transfers", "2,500 transfers", "5,000 transfers"
    ]  # fmt: skip
    assert "40.0 MB / 15" in gateway
    assert primary.split("|")[2].strip() == "-"


def test_a_sample_counts_the_descriptors_of_a_process(tmp_path: Path) -> None:
    before = read_sample(os.getpid(), 7)
    with (tmp_path / "a").open("w"), (tmp_path / "b").open("w"):
        after = read_sample(os.getpid(), 7)
    assert after.descriptors == before.descriptors + 2
    assert (before.transfers, before.memory_bytes > MB) == (7, True)
