"""`warmxfer demo --all` as anybody runs it: every scenario ends as it must, by the cloud's own ledger."""

from __future__ import annotations

import pytest

from warmxfer.cli.scenarios import BY_NAME

from .conftest import Warmxfer


@pytest.mark.timeout(180)
async def test_every_scenario_ends_as_it_must(warmxfer: Warmxfer) -> None:
    said = await warmxfer("demo", "--all", "--json")
    played = {each["scenario"]: each for each in said.values}
    assert {name: each["faults"] for name, each in played.items()} == {name: [] for name in BY_NAME}
    assert said.code == 0, said.err
    assert played["ready"]["caller"] == "with the supervisor"
    assert played["busy"]["caller"] == "with the AI"
