"""Calls that may not be dialled: refused before the hold or before the dial. The caller is with the AI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from warmxfer.bus import Bus, subjects
from warmxfer.cli.doctor import examine
from warmxfer.cli.local_stack.stack import ROOT
from warmxfer.schemas import Outcome, WarmTransferPhase

from .conftest import ENV, TIME_SCALE
from .stack_fixture import (
    DECLINES,
    OUR_NUMBER,
    READY,
    SETTLE_TIMEOUT_S,
    SILENT,
    TransferDriver,
    running_stack,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLER_ID = "+14155550177"
"""In the directory only: the sandbox has callers call `OUR_NUMBER`, and shows it in their call records."""
POLICY = {
    "WARMXFER_DIAL_REGIONS": "US,CA",
    "WARMXFER_DIAL_CALLER_IDS": OUR_NUMBER,
    "WARMXFER_DIAL_SIP_HOSTS": "pbx.example.com",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def strict() -> AsyncIterator[TransferDriver]:
    """A stack whose coordinator and gateway have the same dial policy."""
    async with running_stack(time_scale=TIME_SCALE, env={**ENV, **POLICY}) as driver:
        yield driver


async def held(driver: TransferDriver, room_id: str) -> list[str]:
    """Return which lines of a transfer the caller in `room_id` heard."""
    spoken = [str(each.get("text", "")) for each in await driver.stack.ledger(room=room_id, kind="speech")]
    return [text for text in spoken if text.startswith(("Please hold", "I ran into a problem"))]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"sip_call_to": "+18095550123"},
            "sip_call_to is '+•••••••••23', a number of region DO; dial CA, US",
        ),
        ({"sip_call_to": "+19005550123"}, "sip_call_to is '+•••••••••23', a premium-rate number; give"),
        ({"sip_call_to": "sip:+19005550123@evil.example"}, "which is at evil.example; add the host"),
        (
            {"sip_call_from": "+14155550999"},
            "sip_call_from is '+•••••••••99', a caller id that is not allowed",
        ),
        (
            {"extra_options": {"dtmf": "9,01188216555123#"}},
            "extra_options.dtmf is '•,••••••••••••23#', which",
        ),
        ({"extra_options": {"maxCallDuration": 86_400}}, "maxCallDuration is 86400, which is too long; give"),
        (
            {"participant_display_name": 'Bob" <sip:x@evil>'},
            "participant_display_name is 'Bob\" <sip:x@evil>'",
        ),
        (
            {"extra_options": {"headers": {"X-A": "<sip:x@evil>"}}},
            "extra_options.headers.X-A is '<sip:x@evil>'",
        ),
    ],
)
async def test_a_refused_call_ends_before_the_caller_is_held(
    strict: TransferDriver, change: dict[str, object], sentence: str
) -> None:
    await strict.tidy()
    (caller,) = await strict.callers(1)
    await strict.conversation(caller, lines=1)
    call = await strict.begin(caller, destination=change)
    result = await call.result()
    assert (result.outcome, result.phase) == (Outcome.DIAL_FAILED, WarmTransferPhase.TRANSFER_FAILED)
    assert sentence in (result.detail or "")
    assert [each.phase for each in await call.phases()] == [WarmTransferPhase.TRANSFER_FAILED]
    report = await call.assert_clean_end(dials=0)
    assert report["callerLegUp"]
    assert await held(strict, caller.room_id) == []
    await strict.stack.stop("primary")


NUMBERS_IN_DISGUISE = (
    "".join(chr(ord(each) + 0xFEE0) for each in "+19005550123"),
    "+1900555012\u0663",
    "+1\u200b9005550123",
    "tel:+19005550123",
    "+1-900-555-0123",
    "+1 (900) 555 0123",
    "+14155550101;ext=9011",
    "+14155550101,,9011882165551234",
    "+14155550101;postd=9011882165551234",
    "+1900FLOWERS",
    "011 882 1655 51234",
    "sip:%2B19005550123@pbx.example.com",
    "sip:9+19005550123@pbx.example.com",
    "sip:+1.900.555.0123@PBX.example.com;user=phone",
    "sip:+14155550101@pbx.example.com;maddr=203.0.113.7",
    "sip:+14155550101@pbx.example.com:5060;transport=tcp?X=y",
)
OPTIONS_IN_DISGUISE = (
    {"dtmf": "9p01188216555123"},
    {"dtmf": "0" * 3},
    {"dtmf": "*9#0014155550101"},
    {"dtmf": "1" * 17},
    {"maxCallDuration": 1e9},
    {"maxCallDuration": "86400"},
    {"maxCallDuration": -1},
    {"headers": {"X-A": "b\u2028Via: evil"}},
    {"headers": {"P-Asserted-Identity": "x"}},
)


async def test_no_disguise_of_a_number_or_an_option_is_dialled(strict: TransferDriver) -> None:
    """Siblings of finding 5: other spellings, on the destination and on the rescue, past our client."""
    await strict.tidy()
    (caller,) = await strict.callers(1)
    await strict.conversation(caller, lines=1)
    good = {"routing_rule_id": "rr_1", "sip_call_to": READY, "sip_call_from": OUR_NUMBER}
    configs = [
        *({"destination": good | {"sip_call_to": each}} for each in NUMBERS_IN_DISGUISE),
        *(
            {"destination": good, "rescue": {"by": "dial", **good, "sip_call_to": each}}
            for each in NUMBERS_IN_DISGUISE
        ),
        *({"destination": good | {"extra_options": each}} for each in OPTIONS_IN_DISGUISE),
    ]
    calls = [await strict.begin_unchecked(caller, each) for each in configs]
    for config, call in zip(configs, calls, strict=True):
        result = await call.result()
        assert result.outcome in (Outcome.DIAL_FAILED, Outcome.INVALID_REQUEST), config
        assert "0123" not in (result.detail or "").replace("+14155550123", ""), "no number is shown"
    ledger = await strict.stack.ledger(kind="dial")
    assert ledger == []
    assert await held(strict, caller.room_id) == []
    await strict.stack.stop("primary")


async def test_a_destination_by_name_leaves_no_number_in_the_streams(tmp_path: Path) -> None:
    entries = {
        name: {"routing_rule_id": "rr_1", "sip_call_to": number, "sip_call_from": CALLER_ID}
        for name, number in (("billing", READY), ("front-desk", DECLINES))
    }
    (tmp_path / "directory.json").write_text(json.dumps(entries))
    env = {
        "WARMXFER_DIAL_REGIONS": "US",
        "WARMXFER_DIAL_DIRECTORY": str(tmp_path / "directory.json"),
        "WARMXFER_DIAL_BY": "name",
    }
    async with running_stack(time_scale=TIME_SCALE, env={**ENV, **env}) as driver:
        callers = await driver.callers(3)
        await asyncio.gather(*(driver.conversation(each, lines=1) for each in callers))
        rescue = {"by": "dial", "name": "front-desk"}
        complete = await driver.begin_unchecked(
            callers[0], {"destination": {"name": "billing"}, "rescue": rescue}
        )
        declined = await driver.begin_unchecked(callers[1], {"destination": {"name": "front-desk"}})
        unknown = await driver.begin_unchecked(callers[2], {"destination": {"name": "biling"}})
        assert (await complete.result()).outcome is Outcome.COMPLETE
        assert (await declined.result()).outcome is Outcome.DECLINED
        refused = await unknown.result()
        assert refused.outcome is Outcome.DIAL_FAILED
        assert "config.destination.name is 'biling', which is not in the directory" in (refused.detail or "")
        for call in (complete, declined):
            await call.assert_clean_end()
        await unknown.assert_clean_end(dials=0)
        numbered = await driver.begin(callers[2])
        assert "WARMXFER_DIAL_BY is name" in ((await numbered.result()).detail or "")
        async with await Bus.connect(driver.stack.settings(ROOT), name="look") as bus:
            stored = [
                each
                for stream in subjects.STREAMS
                for each in await bus.history(">", 10_000, stream=stream)
                if numbered.transfer.id not in each.subject
            ]
        commands = [each for each in stored if b'"dial_supervisor"' in each.data]
        assert commands
        for number in (READY, DECLINES, CALLER_ID):
            assert not [each.subject for each in stored if number.encode() in each.data]


async def test_a_gateway_with_another_policy_has_the_last_word(strict: TransferDriver) -> None:
    await strict.tidy()
    await strict.stack.stop("gateway")
    await strict.stack.start("gateway", env={"WARMXFER_DIAL_REGIONS": "DE"})
    findings = {each.about: each for each in await examine(strict.stack.bus_env("operator"))}
    assert findings["dial policy"].state == "wrong"
    assert "have 2 dial policies" in findings["dial policy"].sentence
    (caller,) = await strict.callers(1)
    await strict.conversation(caller, lines=1)
    call = await strict.begin(caller)
    result = await call.result()
    assert result.outcome is Outcome.DIAL_FAILED
    assert "a number of region US; dial DE" in (result.detail or "")
    report = await call.assert_clean_end(dials=0)
    assert report["callerLegUp"]
    async with asyncio.timeout(SETTLE_TIMEOUT_S):
        while not any(each.startswith("I ran into") for each in await held(strict, caller.room_id)):
            await asyncio.sleep(0.05)
    await strict.stack.stop("gateway")
    await strict.stack.start("gateway")
    await strict.stack.stop("primary")


async def test_a_call_beyond_a_limit_is_refused_and_its_caller_is_back_with_the_ai(
    strict: TransferDriver,
) -> None:
    await strict.tidy()
    await strict.stack.stop("gateway")
    for _ in range(2):
        await strict.stack.start("gateway", env={"WARMXFER_DIAL_PER_DESTINATION": "1"})
    callers = await strict.callers(3)
    await asyncio.gather(*(strict.conversation(each, lines=1) for each in callers))
    calls = [await strict.begin(each, SILENT, briefing_timeout_s=5) for each in callers]
    results = await asyncio.gather(*(each.result() for each in calls))
    refused = [each for each in results if each.outcome is Outcome.DIAL_FAILED]
    assert len(refused) == 2
    for each in refused:
        assert "WARMXFER_DIAL_PER_DESTINATION is 1; try again in" in (each.detail or "")
    reports = [await each.assert_clean_end() for each in calls]
    assert sum(sum(each["dials"].values()) for each in reports) == 1
    assert all(each["callerLegUp"] for each in reports)
    another = await strict.begin(callers[0], READY)
    assert (await another.result()).outcome is Outcome.COMPLETE
