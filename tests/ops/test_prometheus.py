"""The scrape configuration reaches every actor under the name and port that it has."""

from __future__ import annotations

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT
from tests.test_containers import ACTORS, SERVICES

from .promql import promtool

FOLDER = ROOT / "ops" / "prometheus"
CONFIG: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yaml").read_text(encoding="utf-8"))
(JOB,) = CONFIG["scrape_configs"]


def test_the_job_has_the_name_that_the_alerts_expect() -> None:
    assert f'job="{JOB["job_name"]}"' in (FOLDER / "alerts.yaml").read_text(encoding="utf-8")
    assert CONFIG["rule_files"] == ["alerts.yaml"]


def test_each_actor_is_scraped_at_its_health_port() -> None:
    (names,) = JOB["dns_sd_configs"]
    assert set(names["names"]) == ACTORS
    assert {SERVICES[role]["environment"]["WARMXFER_HEALTH_PORT"] for role in ACTORS} == {str(names["port"])}


def test_compose_mounts_the_configuration_and_the_dashboard() -> None:
    assert "./ops/prometheus:/etc/prometheus:ro" in SERVICES["prometheus"]["volumes"]
    assert "--config.file=/etc/prometheus/prometheus.yaml" in SERVICES["prometheus"]["command"]
    provisioning = ROOT / "ops" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards/warmxfer.yaml").read_text())["providers"]
    assert source["url"] == "http://prometheus:9090"
    mounted = f"./ops/grafana/warmxfer.json:{provider['options']['path']}/warmxfer.json:ro"
    assert mounted in SERVICES["grafana"]["volumes"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/warmxfer.json"


@pytest.mark.parametrize("misspelt", [False, True])
def test_promtool_accepts_the_configuration_and_refuses_a_misspelt_key(
    misspelt: bool, tmp_path: Path
) -> None:
    config = copy.deepcopy(CONFIG)
    if misspelt:
        config["scrape_configs"][0]["dns_sd_config"] = config["scrape_configs"][0].pop("dns_sd_configs")
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "alerts.yaml").write_bytes((FOLDER / "alerts.yaml").read_bytes())
    command = [promtool(), "check", "config", "prometheus.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode == 0) is not misspelt, done.stdout + done.stderr
