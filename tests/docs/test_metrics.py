"""`docs/metrics.md` lists the metrics of the code, and each metric keeps to the rules of that page."""

from __future__ import annotations

import pytest

from warmxfer.metrics import Counter, Histogram, Instrument

from .metrics_table import PAGE, all_metrics, page_with, tables

METRICS = all_metrics()
MAX_SERIES = 400
PERSONAL = ("transfer_id", "caller", "supervisor", "number", "room", "session", "participant", "call")


def test_the_page_has_the_metrics_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page_with(page, tables()) == page, (
        "run: uv run --group dev python -m tests.docs.metrics_table --write"
    )
    assert all(f"| `{each.name}` |" in page for each in METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda each: each.name)
def test_the_number_of_series_is_bounded(metric: Instrument) -> None:
    assert metric.max_series <= MAX_SERIES


@pytest.mark.parametrize("metric", METRICS, ids=lambda each: each.name)
def test_names_follow_the_conventions(metric: Instrument) -> None:
    assert metric.name.endswith("_total") == isinstance(metric, Counter)
    assert metric.name.endswith("_seconds") == isinstance(metric, Histogram)
    assert metric.sentence.endswith(".")
    assert "|" not in metric.sentence


@pytest.mark.parametrize("metric", METRICS, ids=lambda each: each.name)
def test_no_label_is_personal(metric: Instrument) -> None:
    names = {label.name for label in metric.labels}
    assert names.isdisjoint(PERSONAL)
    assert all(label.values or label.what for label in metric.labels)
