"""Finding 10, replayed on running processes: what a terminal gets of hostile requests and reasons."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from warmxfer.bus import Bus, subjects
from warmxfer.cli.local_stack.stack import ROOT
from warmxfer.client import new_id
from warmxfer.schemas import Outcome

from ..programs import output_of
from ..stack_fixture import RESULT_TIMEOUT_S, SILENT, TransferDriver, request_for

pytestmark = pytest.mark.asyncio(loop_scope="session")

ESCAPES = "R\x1b]0;pwned\x07\x1b[2J\x9b31m\u202egnihton\u2066\u200b\ufeff\x7f"
ACTED_ON = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""What a terminal acts on or does not show, but for the end of a line."""
COMMANDS = (("show",), ("show", "--json"), ("report",), ("report", "--json"))


async def test_no_command_prints_what_a_terminal_acts_on(driver: TransferDriver) -> None:
    """Finding 10: `show` printed escapes of a room id, and `--json` passed C1 and bidi characters."""
    (caller,) = await driver.callers(1)
    refused = new_id()
    async with await Bus.connect(driver.stack.settings(ROOT), name="attacker") as bus:
        request = request_for(caller) | {"room_id": ESCAPES}
        await bus.publish(subjects.request(refused), json.dumps(request).encode())
        unreadable = json.dumps({"type": ESCAPES, "command_id": ESCAPES}).encode()
        await bus.publish(subjects.event(refused, "gateway"), unreadable)
        call = await driver.begin(caller, SILENT)
        await bus.publish(subjects.cancel(call.transfer.id), json.dumps({"reason": ESCAPES}).encode())
        assert (await call.result()).outcome is Outcome.CANCELLED
        assert (
            await driver.client.transfer(refused).result(RESULT_TIMEOUT_S)
        ).outcome is Outcome.INVALID_REQUEST
        async with asyncio.timeout(RESULT_TIMEOUT_S):
            while await bus.get_last(subjects.dead_letter(refused)) is None:
                await asyncio.sleep(0.1)
    env = driver.stack.actor_env("operator")
    lines = [(*command, id) for command in COMMANDS for id in (refused, call.transfer.id)]
    lines += [("dead-letters",), ("dead-letters", "--json"), ("list",), ("list", "--json")]
    printed = await asyncio.gather(*(output_of(env, "warmxfer.cli", *line) for line in lines[:6]))
    printed += await asyncio.gather(*(output_of(env, "warmxfer.cli", *line) for line in lines[6:]))
    for line, (code, output) in zip(lines, printed, strict=True):
        assert code == 0, (line, output)
        assert output.strip(), line
        assert ACTED_ON.findall(output) == [], line
    assert any("pwned" in output for _, output in printed), "the words themselves are shown"
    logs = "".join(path.read_text(errors="replace") for path in driver.stack.directory.glob("*.log"))
    assert ACTED_ON.findall(logs) == []
    await call.assert_clean_end(dials=1)
