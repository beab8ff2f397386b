"""The largest request: its records fit into the stream. A larger one is refused with field and limit.

Without the check in `read_request`, or with the request twice in the first record, a transfer ends as
`broken`: the broker refuses the record.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from warmxfer.actors.coordinator.state_machine import decode_record, encode_record
from warmxfer.bus import Bus, subjects
from warmxfer.bus.stream import MAX_MESSAGE_BYTES
from warmxfer.schemas import (
    SUMMARY_MAX_CHARS,
    AnyCommand,
    AnyEvent,
    InvalidRequest,
    Outcome,
    Summarize,
    SummaryReady,
    TransferRequested,
    WarmTransferRequest,
    encode,
    read_request,
    with_defaults,
)
from warmxfer.schemas.validation import MAX_REQUEST_BYTES

from .coordinator_fixture import request, running_coordinators
from .fake_actors import FakeActors, answers

WIDEST = "\N{MUSICAL SYMBOL G CLEF}"
"""A character of four bytes."""


def request_of(size: int) -> bytes:
    """Return a request that takes exactly `size` bytes with its defaults, most of them apologies."""
    raw: dict[str, Any] = json.loads(request("room-a"))
    apologies: dict[str, str] = {}
    raw["config"] |= {"lines": {"apologies": apologies}, "summary_prompt": "p" * 4_000}
    for outcome in Outcome:
        if size - _encoded_size(raw) < 2_100:
            break
        apologies[outcome.value] = WIDEST * 500
    raw["config"]["summary_prompt"] += "p" * (size - _encoded_size(raw))
    assert _encoded_size(raw) == size
    return json.dumps(raw, ensure_ascii=False).encode()


def _encoded_size(raw: dict[str, Any]) -> int:
    return len(encode(msgspec.convert(raw, WarmTransferRequest)))


def widest_summary(command: AnyCommand) -> list[AnyEvent]:
    if isinstance(command, Summarize):
        summary = WIDEST * SUMMARY_MAX_CHARS
        return [SummaryReady(command_id=command.command_id, summary=summary, source="model")]
    return answers(command)


async def test_the_largest_request_with_the_largest_summary_is_transferred(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-large", widest_summary)
        result = await asyncio.wait_for(actors.run_transfer(request_of(MAX_REQUEST_BYTES)), 30)
    assert result.outcome is Outcome.COMPLETE
    sizes = [len(each.data) for each in await fresh_bus.history(subjects.log("t-large"), 100)]
    assert MAX_REQUEST_BYTES < max(sizes) <= MAX_MESSAGE_BYTES


@pytest.mark.parametrize("size", [MAX_REQUEST_BYTES + 1, 60_000])
async def test_a_larger_request_is_refused_on_its_result(fresh_bus: Bus, size: int) -> None:
    body = request_of(size)
    assert len(body) <= 65_536
    async with running_coordinators(fresh_bus):
        actors = FakeActors(fresh_bus, "t-larger")
        result = await asyncio.wait_for(actors.run_transfer(body), 30)
    assert result.outcome is Outcome.INVALID_REQUEST
    assert result.detail is not None
    assert result.detail.startswith("config.lines takes ")
    assert result.detail.endswith(
        f" of the {size} bytes of the request with its defaults; "
        f"shorten it, so that the request has at most {MAX_REQUEST_BYTES}."
    )
    assert actors.command_names == []


def test_the_refusal_names_the_field_that_takes_most() -> None:
    raw = json.loads(request_of(MAX_REQUEST_BYTES))
    raw["config"]["summary_prompt"] = WIDEST * 8_000
    raw["config"]["lines"]["apologies"] = {}
    assert read_request(encode(raw)).config.summary_prompt
    for outcome in list(Outcome)[:13]:
        raw["config"]["lines"]["apologies"][outcome.value] = WIDEST * 500
    with pytest.raises(InvalidRequest, match=r"^config\.summary_prompt takes 32002 of the ") as refused:
        read_request(encode(raw))
    assert refused.value.field == "config.summary_prompt"


async def test_the_first_record_holds_the_request_once(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        await asyncio.wait_for(FakeActors(fresh_bus, "t-once").run_transfer(request("room-a")), 30)
    first = (await fresh_bus.history(subjects.log("t-once"), 1))[0].data
    assert first.count(b'"sip_call_from"') == 1
    record = decode_record(first)
    assert isinstance(record.event, TransferRequested)
    assert record.event.request == record.state.request == with_defaults(read_request(request("room-a")))
    assert encode_record(record) == first


def test_a_record_of_an_earlier_version_that_holds_the_request_twice_is_read() -> None:
    """It is written back in today's form; the golden logs hold more of them."""
    record = decode_record(_first_golden_record())
    assert isinstance(record.event, TransferRequested)
    assert record.event.request == record.state.request
    assert decode_record(encode_record(record)) == record
    assert _first_golden_record().count(b'"sip_call_from"') == 2
    assert encode_record(record).count(b'"sip_call_from"') == 1


def _first_golden_record() -> bytes:
    return (Path(__file__).parents[2] / "golden" / "ready.jsonl").read_bytes().splitlines()[0]
