"""Each request to the chat model is counted once, by how it ended."""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.provider_sandbox import Cloud
from warmxfer.adapters.llm import Message, ModelSettings, open_model
from warmxfer.adapters.llm.model_metrics import LATENCY, REQUESTS
from warmxfer.schemas import WarmxferError

CHAT_COMPLETIONS = {"path": "/v1/chat/completions"}
MESSAGES = [Message("user", "I was charged twice.")]


@pytest.mark.parametrize(
    ("fault", "deadline_s", "ended"),
    [("", 30, "answered"), ("hang", 1, "unavailable"), ("endless", 30, "refused")],
)
async def test_a_request_is_counted_by_how_it_ended(
    cloud: Cloud, fault: str, deadline_s: float, ended: str
) -> None:
    model = open_model(ModelSettings(f"{cloud.url}/v1", "small", "k"))
    assert model is not None
    before, count = REQUESTS.series(), LATENCY.count()
    if fault:
        await cloud.break_once(fault, CHAT_COMPLETIONS)
    try:
        await model.reply(MESSAGES, deadline_s=deadline_s, max_chars=500 if fault != "endless" else 100)
    except WarmxferError:
        assert ended != "answered"
    finally:
        await model.aclose()
    after = REQUESTS.series()
    assert {key: after[key] - before[key] for key in after if after[key] != before[key]} == {(ended,): 1}
    assert LATENCY.count() == count + 1


async def test_a_cancelled_request_is_counted_as_abandoned(cloud: Cloud) -> None:
    model = open_model(ModelSettings(f"{cloud.url}/v1", "small", "k"))
    assert model is not None
    await cloud.break_once("hang", CHAT_COMPLETIONS)
    before = REQUESTS.value("abandoned")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await model.reply(MESSAGES, deadline_s=5, max_chars=500)
    await model.aclose()
    assert REQUESTS.value("abandoned") == before + 1
