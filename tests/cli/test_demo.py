"""`warmxfer demo --all` as a user runs it: every scenario passes its checks by the sandbox's ledger."""

from __future__ import annotations

import pytest

from warmxfer.cli.scenarios import BY_NAME

from .conftest import Warmxfer


@pytest.mark.timeout(180)
async def test_every_scenario_passes_its_checks(warmxfer: Warmxfer) -> None:
    result = await warmxfer("demo", "--all", "--json")
    played = {each["scenario"]: each for each in result.values}
    assert {name: each["faults"] for name, each in played.items()} == {name: [] for name in BY_NAME}
    assert result.code == 0, result.err
    assert played["ready"]["caller"] == "with the supervisor"
    assert played["busy"]["caller"] == "with the AI"
