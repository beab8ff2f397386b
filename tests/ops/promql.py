"""Finds what a PromQL expression names and the code does not declare. Finds promtool."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.docs.metrics_table import all_metrics
from warmxfer.metrics import Instrument

METRICS = {each.name: each for each in all_metrics()}
OF_PROMETHEUS = {"up"}

SELECTOR = re.compile(r"\b(warmxfer_\w+|up)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')


def metric_of(name: str) -> Instrument | None:
    """Return the metric that the series `name` belongs to, or None."""
    return METRICS.get(name) or METRICS.get(re.sub(r"_(bucket|count|sum)$", "", name))


def unknown_parts(expression: str) -> list[str]:
    """Return the metrics, labels and values in a PromQL expression that do not exist."""
    found: list[str] = []
    for name, matchers in SELECTOR.findall(expression):
        if name in OF_PROMETHEUS:
            continue
        metric = metric_of(name)
        if metric is None:
            found.append(name)
            continue
        labels = {label.name: label.values for label in metric.labels}
        for label, operator, value in _MATCHER.findall(matchers):
            values = value.split("|") if operator == "=~" else [value]
            known = labels.get(label)
            found += [f"{name}.{label}"] if known is None else []
            found += [f"{name}.{label}={each}" for each in values if known and each not in known]
    return found


def promtool() -> str:
    """Return the path of promtool. Skips the test where it is not installed."""
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    return path
