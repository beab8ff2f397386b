"""Counters, histograms and gauges: values, bounds, and what one observation costs."""

from __future__ import annotations

import subprocess
import sys
import timeit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from warmxfer.metrics import OTHER, Counter, Gauge, Histogram, Label, declared, instruments
from warmxfer.metrics.exposition import exposition

NUMBER = "+49301234567"


@pytest.fixture(autouse=True)
def own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Declarations of a test end with it."""
    monkeypatch.setattr(instruments, "_declared", {})


def samples(name: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return what a Prometheus server reads of metric `name`."""
    families = text_string_to_metric_families(exposition().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith(name)
    }


def test_a_counter_shows_all_its_series_from_the_start() -> None:
    counter = Counter("warmxfer_x_total", "Things.", Label("kind", ("a", "b")))
    counter.count("a")
    counter.count("a", by=2)
    assert counter.series() == {("a",): 3, ("b",): 0}
    read = samples("warmxfer_x_total")
    assert read == {
        ("warmxfer_x_total", (("kind", "a"),)): 3,
        ("warmxfer_x_total", (("kind", "b"),)): 0,
    }


def test_a_value_outside_of_the_list_becomes_other() -> None:
    counter = Counter("warmxfer_x_total", "Things.", Label("kind", ("a", "b")))
    counter.count(NUMBER)
    counter.count("x y")
    assert counter.value(OTHER) == 2
    assert NUMBER not in exposition().decode()


def test_a_label_without_a_list_has_a_bounded_number_of_values() -> None:
    label = Label("path", what="a path template")
    counter = Counter("warmxfer_x_total", "Things.", label)
    histogram = Histogram("warmxfer_x_seconds", "Times.", label, bounds=(1.0,))
    for at in range(1_000):
        counter.count(f"/{at}")
        histogram.observe(0.5, f"/{at}")
    assert len(counter.series()) == len(histogram.series()) == counter.max_series == label.max_values
    assert counter.value(OTHER) == histogram.count(OTHER) == 1_000 - instruments.MAX_OPEN_VALUES


def test_a_histogram_counts_by_size() -> None:
    histogram = Histogram("warmxfer_x_seconds", "Times.", bounds=(0.1, 1.0))
    for value in (0.05, 0.1, 0.2, 7.0):
        histogram.observe(value)
    assert histogram.count() == 4
    assert histogram.total() == pytest.approx(7.35)
    read = samples("warmxfer_x_seconds")
    assert read["warmxfer_x_seconds_bucket", (("le", "0.1"),)] == 2
    assert read["warmxfer_x_seconds_bucket", (("le", "1.0"),)] == 3
    assert read["warmxfer_x_seconds_bucket", (("le", "+Inf"),)] == 4
    assert read["warmxfer_x_seconds_count", ()] == 4
    assert read["warmxfer_x_seconds_sum", ()] == pytest.approx(7.35)


def test_a_gauge_adds_what_each_part_of_the_process_has() -> None:
    gauge = Gauge("warmxfer_x", "Things.", Label("kind", ("a", "b")))
    gauge.read_from(lambda: {("a",): 1, (NUMBER,): 5})
    remove = gauge.read_from(lambda: {("a",): 2, ("b",): 4})
    assert gauge.series() == {("a",): 3, ("b",): 4, (OTHER,): 5}
    remove()
    assert gauge.series() == {("a",): 1, (OTHER,): 5}
    assert samples("warmxfer_x")["warmxfer_x", (("kind", "a"),)] == 1


def test_a_name_is_declared_once_and_has_our_prefix() -> None:
    first = Counter("warmxfer_x_total", "Things.")
    with pytest.raises(ValueError, match="declared already"):
        Counter("warmxfer_x_total", "Other things.")
    with pytest.raises(ValueError, match="begin it with"):
        Counter("x_total", "Things.")
    assert declared() == [first]


def test_the_process_shows_its_memory_and_its_processor_time() -> None:
    read = samples("process_")
    assert read["process_cpu_seconds_total", ()] > 0
    assert read["process_resident_memory_bytes", ()] > 1_000_000


MAX_OBSERVATION_S = 20e-6
"""An observation takes less than 1 us on an idle machine. The limit holds on a busy one."""


def test_an_observation_is_cheap() -> None:
    counter = Counter("warmxfer_x_total", "Things.", Label("kind", ("a", "b")), Label("more", ("c",)))
    histogram = Histogram(
        "warmxfer_x_seconds", "Times.", Label("kind", ("a",)), bounds=instruments.WAIT_BOUNDS_S
    )
    for observe in (lambda: counter.count("a", "c"), lambda: histogram.observe(3.0, "a")):
        best_s = min(timeit.repeat(observe, number=1_000, repeat=20)) / 1_000
        assert best_s < MAX_OBSERVATION_S


def test_no_actor_imports_prometheus_client_before_it_is_asked() -> None:
    """Its import would delay the readiness of each process."""
    roles = ("coordinator", "gateway", "summarizer", "briefing", "primary")
    modules = ", ".join(("warmxfer.actors.runtime.runner", *(f"warmxfer.actors.{role}" for role in roles)))
    code = f"import sys, {modules}; sys.exit('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
