"""A private number reaches neither the model nor the summary."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from warmxfer.actors.summarizer.writer import by_model, write
from warmxfer.adapters.llm import Message, Reply
from warmxfer.schemas import TranscriptTurn

TURNS = [
    TranscriptTurn("caller", "I was charged twice. My card is four one one one 1111"),
    TranscriptTurn("agent", "And the rest?"),
    TranscriptTurn("caller", "1111 1111, and the security code is 123. Order 4417."),
]


class RepeatingModel:
    """A model that answers with every number that it was given, and with one that it made up."""

    def __init__(self) -> None:
        self.asked = ""

    async def reply(self, messages: Sequence[Message], *, deadline_s: float, max_chars: int) -> Reply:
        self.asked = " ".join(each.content for each in messages if each.role == "user")
        return Reply("The caller was charged twice for order 4417 and gave the card 4111111111111111.")


@pytest.mark.parametrize("with_model", [True, False])
async def test_a_private_number_reaches_neither_the_model_nor_the_summary(with_model: bool) -> None:
    model = RepeatingModel()
    ask = by_model(model, TURNS, None) if with_model else None  # pyright: ignore[reportArgumentType]
    written = await write(TURNS, ask, asyncio.get_running_loop().time() + 5)
    assert written.source == ("model" if with_model else "extract")
    for text in (model.asked, written.summary):
        assert "1111" not in text
        assert "one one" not in text
        assert "123" not in text
    assert "4417" in written.summary
    assert "xxxx11" in (model.asked if with_model else written.summary)
