"""No secret, phone number or transcript appears in a log line or a subject."""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.bus import Bus, subjects
from warmxfer.cli.local_stack.stack import ROOT
from warmxfer.schemas import Outcome

from .conftest import TIME_SCALE
from .stack_fixture import DECLINES, OUR_NUMBER, PATIENT, READY, running_stack

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPOKEN = ["charged twice", "forty nine dollars", "refunded to my card", "I am in a meeting"]
HEADER = "canary-header-7731"


async def test_no_private_value_is_in_a_log_line_or_a_subject() -> None:
    env = {"WARMXFER_LOG_LEVEL": "debug"}
    async with running_stack(time_scale=TIME_SCALE, env=env) as driver:
        callers = await driver.callers(2)
        await asyncio.gather(*(driver.conversation(caller) for caller in callers))
        extra = {"extra_options": {"headers": {"X-Ticket": HEADER}}}
        complete = await driver.begin(callers[0], READY, destination=extra)
        declined = await driver.begin(callers[1], DECLINES, destination=extra)
        refused = await driver.begin_unchecked(callers[0], {"destination": {"sip_call_to": "+1415555"}})
        assert (await complete.result()).outcome is Outcome.COMPLETE
        assert (await declined.result()).outcome is Outcome.DECLINED
        assert (await refused.result()).outcome is Outcome.INVALID_REQUEST
        async with await Bus.connect(driver.stack.settings(ROOT), name="look") as bus:
            names = {
                each.subject
                for stream in subjects.STREAMS
                for each in await bus.history(">", 10_000, stream=stream)
            }
        await driver.stack.stop("primary")
        logs = {
            path.name: path.read_text(errors="replace")
            for path in driver.stack.directory.glob("*.log")
            if not path.name.startswith("sandbox")  # the sandbox is not part of warmxfer
        }
        secret = driver.stack.secret
        tokens = "eyJ"  # every JSON web token starts with this

    assert len(logs) == 5
    assert all(text.strip() for text in logs.values())
    canaries = [secret, tokens, HEADER, *SPOKEN, READY, DECLINES, OUR_NUMBER, PATIENT, "+1415555"]
    canaries += [number.lstrip("+") for number in (READY, DECLINES, OUR_NUMBER, PATIENT)]
    for name, text in logs.items():
        found = [canary for canary in canaries if canary in text]
        assert not found, f"{name} contains {found}"
    assert {"warmxfer", "wx"} == {name.partition(".")[0] for name in names}
    assert not [name for name in names if any(canary in name for canary in canaries)]
