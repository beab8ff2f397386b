"""Every recorded answer of `tests/data/llm-streams.json` as a summary: what a supervisor hears of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.testkit.model_server import Answer, model_server
from warmxfer.actors.summarizer import by_model, write
from warmxfer.adapters.llm import ModelSettings, OpenAIModel
from warmxfer.schemas import TranscriptTurn

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "llm-streams.json").read_text()
)
TURNS = [
    TranscriptTurn("caller", "Hi, this is Ann Example. I was charged twice for order 4417."),
    TranscriptTurn("agent", "I checked the order."),
    TranscriptTurn("caller", "Can I have one refund?"),
]
READ_OTHERWISE = {"s-cr", "s-answer"}
"""Answers without an expected text that are whole briefings."""


@pytest.mark.parametrize(
    "stream", [each for each in RECORDED if each["id"].startswith("s-")], ids=lambda stream: stream["id"]
)
async def test_a_recorded_answer_is_spoken_or_the_call_is_quoted(stream: dict[str, Any]) -> None:
    answer = Answer([tuple(part) for part in stream["parts"]], stream["content_type"])
    async with model_server(answer) as server:
        model = OpenAIModel(ModelSettings(server.url, "small"))
        deadline_at = asyncio.get_running_loop().time() + 20
        written = await write(TURNS, by_model(model, TURNS, None), deadline_at)
        await model.aclose()
    if stream["expect_text"]:
        assert (written.summary, written.source) == (stream["expect_text"], "model")
        assert len(server.requests) == 1
    elif stream["id"] in READ_OTHERWISE:
        assert (written.source, len(server.requests)) == ("model", 1)
    else:
        assert (written.source, len(server.requests)) == ("extract", 2)
