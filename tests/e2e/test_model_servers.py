"""What a supervisor hears if the model server sends reasoning, a title or a refusal: real processes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.testkit.model_server import Answer, ModelServer, model_server

from .conftest import ENV, TIME_SCALE
from .stack_fixture import TransferDriver, running_stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORDED = {
    stream["id"]: stream
    for stream in json.loads((Path(__file__).parents[1] / "data" / "llm-streams.json").read_text())
}
EXTRACT = "Taken from the call, word for word."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[tuple[TransferDriver, ModelServer]]:
    """A local stack whose summarizer and briefing agent ask the model server of this test."""
    async with model_server(Answer.of("")) as server:
        env = {**ENV, "WARMXFER_LLM_BASE_URL": server.url, "WARMXFER_LLM_MODEL": "small"}
        async with running_stack(time_scale=TIME_SCALE, env=env) as driver:
            yield driver, server


@pytest.mark.parametrize("id", ["s-think", "s-parts", "s-json"])
async def test_the_supervisor_hears_the_briefing_alone(
    stack: tuple[TransferDriver, ModelServer], id: str
) -> None:
    spoken = await lines_to_the_supervisor(*stack, id)
    assert RECORDED[id]["expect_text"] in spoken
    assert EXTRACT not in spoken
    assert "lying" not in spoken


@pytest.mark.parametrize("id", ["s-refuse-en", "s-preamble", "s-unusable", "s-error-mid"])
async def test_the_supervisor_hears_the_call_instead_of_an_assistant(
    stack: tuple[TransferDriver, ModelServer], id: str
) -> None:
    spoken = await lines_to_the_supervisor(*stack, id)
    assert EXTRACT in spoken
    assert not any(word in spoken for word in ("sorry, but I", "Sure!", "here to help", "**", "😀"))


async def lines_to_the_supervisor(driver: TransferDriver, server: ModelServer, id: str) -> str:
    """Play one transfer with the recorded answer `id`; return what the briefing agent said."""
    stream = RECORDED[id]
    server.answers = [Answer([tuple(part) for part in stream["parts"]], stream["content_type"])]
    (caller,) = await driver.callers(1)
    await driver.conversation(caller)
    call = await driver.begin(caller)
    result = await call.result()
    assert result.success
    speech = await driver.stack.ledger(room=result.consultation_room_id, kind="speech")
    await driver.stack.stop("primary")
    return " ".join(entry["text"] for entry in speech)
