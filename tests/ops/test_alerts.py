"""Alert rules: they use metrics that exist, each is explained, and `promtool` runs their unit tests."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import DOCS, ROOT, read_page
from warmxfer.schemas import Outcome

from .promql import SELECTOR, promtool, unknown_parts

FOLDER = ROOT / "ops" / "prometheus"
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"][0]["rules"]
TESTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text())["tests"]
NAMES = [rule["alert"] for rule in RULES]
NO_FAILURE = {
    Outcome.COMPLETE,
    Outcome.DECLINED,
    Outcome.VOICEMAIL,
    Outcome.SUPERVISOR_DISCONNECTED,
    Outcome.SUPERVISOR_JOIN_TIMEOUT,
    Outcome.SUPERVISOR_BUSY,
    Outcome.SUPERVISOR_NO_ANSWER,
    Outcome.SUPERVISOR_REJECTED,
    Outcome.SUPERVISOR_UNREACHABLE,
    Outcome.BRIEFING_TIMEOUT,
    Outcome.CALLER_LEFT,
    Outcome.CANCELLED,
    Outcome.INVALID_REQUEST,
    Outcome.TOO_BUSY,
    Outcome.CALLER_IN_TRANSFER,
}
"""Outcomes that people or requests cause, or that have an alert of their own."""


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_uses_metrics_labels_and_values_that_exist(rule: dict[str, Any]) -> None:
    assert SELECTOR.search(rule["expr"])
    assert unknown_parts(rule["expr"]) == []


def test_a_wrong_metric_label_or_value_is_found() -> None:
    expression = 'warmxfer_transfer_total + warmxfer_transfers_total{result="x"}'
    assert unknown_parts(expression) == ["warmxfer_transfer_total", "warmxfer_transfers_total.result"]
    assert unknown_parts('warmxfer_transfers_total{outcome=~"complete|lost"}') == [
        "warmxfer_transfers_total.outcome=lost"
    ]


def test_each_alert_has_a_paragraph_of_operations() -> None:
    page = read_page(DOCS / "operations.md").find("Alerts")
    assert [part.title for part in page.parts] == NAMES
    for rule, part in zip(RULES, page.parts, strict=True):
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{part.title.lower()}"
        assert "".join(part.prose).strip()


def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = [each for test in TESTS for each in test["alert_rule_test"]]
    firing = [each["alertname"] for each in cases if each["exp_alerts"]]
    silent = [each["alertname"] for each in cases if not each["exp_alerts"]]
    assert (sorted(firing), sorted(silent)) == (sorted(NAMES), sorted(NAMES))


def test_each_outcome_is_a_failure_for_the_alert_or_none() -> None:
    (rule,) = (rule for rule in RULES if rule["alert"] == "WarmxferTransfersFail")
    (alerted,) = re.findall(r'outcome=~"([^"]*)"', rule["expr"])
    assert set(alerted.split("|")) == {str(each) for each in Outcome if each not in NO_FAILURE}


def test_promtool_accepts_the_rules_and_their_tests_pass() -> None:
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run([promtool(), *command], cwd=FOLDER, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_tests_find_an_alert_that_never_fires(tmp_path: Path) -> None:
    rules = [{**rule, "expr": f"({rule['expr']}) > 1e9"} for rule in RULES]
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump({"groups": [{"name": "warmxfer", "rules": rules}]}))
    shutil.copy(FOLDER / "alerts_test.yaml", tmp_path)
    command = [promtool(), "test", "rules", "alerts_test.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stdout
    assert [name for name in NAMES if f"alertname: {name}," not in done.stdout + done.stderr] == []
