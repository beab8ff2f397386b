"""A user with a plain NATS client; a wrong request gives one sentence and no other effect."""

from __future__ import annotations

import asyncio
import copy
import json
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.testkit.stored import stored_of
from warmxfer.bus import Bus, subjects
from warmxfer.cli.local_stack.stack import ROOT, LocalStack

from .conftest import TIME_SCALE
from .stack_fixture import READY, TransferDriver, request_for, running_stack

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROGRAM = Path(__file__).with_name("plain_nats_user.py")


async def run_plain_nats_user(stack: LocalStack, id: str, request: Any) -> list[dict[str, Any]]:
    text = request if isinstance(request, str) else json.dumps(request)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROGRAM), stack.url_of("client"), id, text),
        env=stack.bus_env("client"),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 70)
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


async def test_the_plain_nats_program_does_not_import_warmxfer() -> None:
    assert "warmxfer import" not in PROGRAM.read_text()
    assert "import warmxfer" not in PROGRAM.read_text()


async def test_a_plain_nats_client_transfers_a_caller(driver: TransferDriver) -> None:
    (caller,) = await driver.callers(1)
    await driver.conversation(caller)
    before = await requests_of(driver.stack)
    messages = await run_plain_nats_user(driver.stack, f"out-{secrets.token_hex(4)}", request_for(caller))
    phases = [each for each in messages if each["subject"].endswith(".phase")]
    assert sorted({phase["seq"] for phase in phases}) == list(range(1, 12))
    assert phases[0]["phase"] == "started"
    assert phases[-1]["phase"] == "transfer_complete"
    result = messages[-1]
    assert (result["success"], result["outcome"]) == (True, "complete")
    assert "4417" in result["summary"]
    assert await requests_of(driver.stack) > before


def wrong(path: str, value: Any) -> dict[str, Any]:
    """Return a good request with one value changed at `path`."""
    request: dict[str, Any] = {
        "room_id": "room-1",
        "config": {
            "destination": {
                "routing_rule_id": "rr_1",
                "sip_call_to": READY,
                "sip_call_from": "+14155550100",
            }
        },
    }
    request = copy.deepcopy(request)
    *holders, last = path.split(".")
    at = request
    for holder in holders:
        at = at.setdefault(holder, {})
    at[last] = value
    return request


NUMBER = "write a number as E.164 (+14155550123) or a SIP URI (sip:dana@example.com)."
HEADERS = (
    "use at most 10 headers named X-... or User-to-User, each value up to 512 printable ASCII "
    "characters without line breaks."
)
WRONG = [
    (
        wrong("config.destination.sip_call_to", "0041 44 123 45 67"),
        "sip_call_to",
        f"{NUMBER.removesuffix('.')}; write + instead of the 00.",
    ),
    (wrong("config.destination.sip_call_from", "call me"), "sip_call_from", NUMBER),
    (
        wrong("config.destination.extra_options", {"sipCallTo": "+19005550100"}),
        "extra_options has 'sipCallTo', which warmxfer sets itself",
        "remove it and use the fields of config.destination.",
    ),
    (
        wrong("config.destination.extra_options", {"headers": {"X-Ticket": "7\r\nEvil: 1"}}),
        "extra_options.headers",
        HEADERS,
    ),
    (
        wrong("config.destination.participant_display_name", "Dana\r\nBye"),
        "participant_display_name",
        "use 1 to 128 printable characters on one line.",
    ),
    (
        wrong("config.supervisor_join_timeout_s", 0),
        "supervisor_join_timeout_s is 0",
        "give seconds from 1 to 3600.",
    ),
    (wrong("config.summary_prompt", "x" * 9_000), "summary_prompt", "use 1 to 8000 characters."),
    (wrong("config.briefing_timeout", 60), "unknown field", "did you mean briefing_timeout_s?"),
    (wrong("room_id", "a room"), "room_id is 'a room'", "use 1 to 64 of A-Z a-z 0-9 _ -."),
    ("{", "not JSON", "send one JSON object."),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def quiet_stack() -> AsyncIterator[LocalStack]:
    """A stack without calls: any request to the cloud was caused by a wrong transfer request."""
    async with running_stack(time_scale=TIME_SCALE) as driver:
        yield driver.stack


async def requests_of(stack: LocalStack) -> int:
    """Return how many requests the cloud has received."""
    return (await stack.state())["requests"]


@pytest.mark.parametrize(("request_", "says", "remedy"), WRONG, ids=[case[1][:30] for case in WRONG])
async def test_a_wrong_request_fails_with_its_sentence_and_sends_no_command(
    quiet_stack: LocalStack, request_: Any, says: str, remedy: str
) -> None:
    id, before = f"bad-{secrets.token_hex(4)}", await requests_of(quiet_stack)
    messages = await run_plain_nats_user(quiet_stack, id, request_)
    assert [each.get("phase") for each in messages] == ["transfer_failed", "transfer_failed"]
    detail = messages[0]["data"]["detail"]
    assert says in detail
    assert detail.endswith(remedy)
    async with await Bus.connect(quiet_stack.settings(ROOT), name="look") as bus:
        stored = [subjects.parse(each.subject).kind for each in await stored_of(bus, id)]
    assert sorted(stored) == ["log", "phase", "request", "result", "timer"], "a command went out"
    assert await requests_of(quiet_stack) == before


async def test_an_invalid_id_is_rejected(quiet_stack: LocalStack) -> None:
    messages = await run_plain_nats_user(quiet_stack, "bad!id", wrong("room_id", "room-1"))
    assert messages[0]["phase"] == "transfer_failed"
    assert messages[0]["data"]["detail"] == "id is 'bad!id'; use 1 to 64 of A-Z a-z 0-9 _ -"
