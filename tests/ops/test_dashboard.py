"""The dashboard of Grafana: it shows metrics that exist, and each of them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT

from .promql import METRICS, SELECTOR, metric_of, promtool, unknown_parts

DASHBOARD: dict[str, Any] = json.loads((ROOT / "ops" / "grafana" / "warmxfer.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
CHARTS = [each for each in PANELS if each["type"] != "row"]
OF_PROMETHEUS = {"instance", "job"}
WIDTH = 24


@pytest.mark.parametrize("panel", CHARTS, ids=lambda panel: panel["title"])
def test_a_panel_shows_metrics_labels_and_values_that_exist(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        assert SELECTOR.search(target["expr"])
        assert unknown_parts(target["expr"]) == []


@pytest.mark.parametrize("panel", CHARTS, ids=lambda panel: panel["title"])
def test_a_legend_uses_labels_that_the_expression_keeps(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        labels = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        kept = {
            name.strip() for by in re.findall(r"by \(([^)]*)\)", target["expr"]) for name in by.split(",")
        }
        assert labels <= kept | (OF_PROMETHEUS if not kept else set())


def test_every_metric_is_shown() -> None:
    shown = {
        metric.name
        for panel in CHARTS
        for target in panel["targets"]
        for name, _ in SELECTOR.findall(target["expr"])
        if (metric := metric_of(name)) is not None
    }
    assert shown == set(METRICS)


def test_panels_have_their_own_ids_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert taken.isdisjoint(cells), panel["title"]
        taken |= cells


def test_the_user_chooses_the_data_source() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    assert {panel["datasource"]["uid"] for panel in CHARTS} == {"${datasource}"}


def test_promtool_can_parse_every_expression(tmp_path: Path) -> None:
    expressions = [target["expr"] for panel in CHARTS for target in panel["targets"]]
    rules = [
        {"record": f"panel:{at}", "expr": each.replace("$__rate_interval", "5m")}
        for at, each in enumerate(expressions)
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    command = [promtool(), "check", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(expressions)} rules found" in done.stdout
