"""A caller is asked to hold in the middle of a turn: nothing that was said, or is to be said, gets lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from videosdk.agents import LLMResponse, UtteranceHandle, function_tool
from videosdk.agents.llm.chat_context import ChatContext, ChatRole

from warmxfer.integrations.videosdk import AgentSessionAdapter, speech_output

from .offline import Helper, Mind, Mouth
from .test_session import HOLD, until

BEFORE = ["I am so sorry about that, Ann, truly.", "Your refund number is 4417, please write it down."]
ANSWER = "I opened ticket 123, somebody calls you back."
SORRY = "Sorry, nobody could come."


class Prefacing(Mind):
    """A model that speaks before it calls its tool, in the words of `before`; then it says `answer`."""

    def __init__(self, before: list[str], answer: str = ANSWER) -> None:
        super().__init__()
        self.before, self.answer = before, answer
        self.tool_ended: list[str] = []

    async def chat(self, messages: ChatContext, *_: Any, **__: Any) -> AsyncIterator[LLMResponse]:
        last = messages.to_dict()["items"][-1]
        if last.get("type") == "function_call_output":
            self.tool_ended.append(last["output"])
            for word in self.answer.split(" "):
                yield LLMResponse(content=word + " ", role=ChatRole.ASSISTANT)
        elif "supervisor" in str(last.get("content")):
            for word in " ".join(self.before).split(" "):
                yield LLMResponse(content=word + " ", role=ChatRole.ASSISTANT)
            call = {"name": "escalate", "arguments": {}}
            yield LLMResponse(content="", role=ChatRole.ASSISTANT, metadata={"function_call": call})
        else:
            yield LLMResponse(content="I see.", role=ChatRole.ASSISTANT)


class SentenceBySentence(Mouth):
    """Says one sentence before it takes the next, as most synthesisers do; notes what was said to its end."""

    async def synthesize(self, text: AsyncIterator[Any] | str, voice_id: str | None = None, **_: Any) -> None:
        assert not isinstance(text, str), "the framework's chunker makes a stream of it"
        async for part in text:
            if isinstance(part, str) and part.strip():
                if self._first_audio_callback is not None:
                    await self._first_audio_callback()
                await asyncio.sleep(self.speech_s)
                self.said.append(part.strip())


class Escalating(Helper):
    """An agent whose tool takes as long as a transfer does."""

    def __init__(self) -> None:
        super().__init__()
        self.done = asyncio.Event()

    @function_tool
    async def escalate(self) -> str:
        """Get a supervisor."""
        await self.done.wait()
        return "Nobody could come."


MOUTHS = [SentenceBySentence, Mouth]


def heard(live: Any) -> str:
    """All that was said, blanks aside."""
    return "".join("".join(live.mouth.said).split())


def squeezed(*lines: str) -> str:
    return "".join("".join(lines).split())


async def asked(live: Any) -> None:
    """Have the caller ask, and wait for the tool."""
    await live.ear.hears("Get me a supervisor.")
    await until(lambda: live.session._is_executing_tool)


async def holding(live: Any) -> AgentSessionAdapter:
    """Put the caller on hold, in the middle of the turn, as the proxy does."""
    adapter = AgentSessionAdapter(live.session)
    await adapter.mute()
    async with asyncio.timeout(5):
        await adapter.say(HOLD, interruptible=False)
    return adapter


def is_ours(utterance: UtteranceHandle | None) -> bool:
    return utterance is not None and utterance.id.startswith("warmxfer")


def contexts(live: Any) -> list[str]:
    return [squeezed(*each.content) for each in live.session.agent.chat_context.messages()]


@pytest.mark.parametrize("kind", MOUTHS)
async def test_what_was_being_said_is_said_to_its_end_before_the_hold_line(call, kind: type[Mouth]) -> None:
    agent = Escalating()
    live = await call(agent=lambda: agent, mind=Prefacing(BEFORE), mouth=kind(speech_s=0.1))
    await asked(live)
    await holding(live)
    assert heard(live) == squeezed(*BEFORE, HOLD)
    assert live.session._is_executing_tool, "and nobody waited for the tool"


@pytest.mark.parametrize("kind", MOUTHS)
@pytest.mark.parametrize("answer", [ANSWER, "word " * 120])
async def test_the_ai_answers_once_its_tool_returned_after_the_apology(
    call, kind: type[Mouth], answer: str
) -> None:
    agent = Escalating()
    live = await call(agent=lambda: agent, mind=Prefacing(BEFORE, answer), mouth=kind(speech_s=0.05))
    await asked(live)
    adapter = await holding(live)
    await adapter.unmute()
    apology = asyncio.create_task(adapter.say(SORRY, interruptible=True))
    await asyncio.sleep(0)
    agent.done.set()
    await until(lambda: heard(live) == squeezed(*BEFORE, HOLD, SORRY, answer))
    await apology
    await until(lambda: live.session.current_utterance is None)
    assert any(squeezed(answer) in each for each in contexts(live)), "and it knows that it did"
    await live.ear.hears("Thank you.")
    await until(lambda: heard(live).endswith("Isee."))


async def test_an_answer_that_comes_on_hold_waits_for_the_apology(call) -> None:
    agent = Escalating()
    live = await call(agent=lambda: agent, mind=Prefacing(BEFORE), mouth=SentenceBySentence(speech_s=0.05))
    await asked(live)
    adapter = await holding(live)
    agent.done.set()
    await until(lambda: not live.session._is_executing_tool)
    await asyncio.sleep(0.5)
    assert heard(live) == squeezed(*BEFORE, HOLD)
    await adapter.unmute()
    await adapter.say(SORRY, interruptible=True)
    await until(lambda: heard(live) == squeezed(*BEFORE, HOLD, SORRY, ANSWER))


async def test_an_ai_that_has_left_says_nothing_more(call) -> None:
    agent = Escalating()
    live = await call(agent=lambda: agent, mind=Prefacing(BEFORE), mouth=SentenceBySentence(speech_s=0.05))
    await asked(live)
    adapter = await holding(live)
    agent.done.set()
    await until(lambda: live.mind.tool_ended != [])
    await adapter.leave()
    await until(lambda: live.meeting.left)
    await asyncio.sleep(0.5)
    assert heard(live) == squeezed(*BEFORE, HOLD)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "warmxfer-rest"]


async def test_a_caller_who_speaks_up_during_the_apology_is_not_told_what_was_left_to_say(call) -> None:
    agent = Escalating()
    live = await call(agent=lambda: agent, mind=Prefacing(BEFORE), mouth=SentenceBySentence(speech_s=0.2))
    await asked(live)
    adapter = await holding(live)
    await adapter.unmute()
    live.mouth.speech_s = 1.5
    apology = asyncio.create_task(adapter.say(SORRY, interruptible=True))
    agent.done.set()
    await until(lambda: live.mind.tool_ended != [])
    await live.ear.hears("Never mind, goodbye then.")
    await until(lambda: heard(live).endswith("Isee."))
    await asyncio.sleep(0.5)
    assert "ticket" not in heard(live)
    await asyncio.wait([apology], timeout=2)
    assert apology.done()


async def test_a_caller_can_cut_what_was_left_to_say(call) -> None:
    agent = Escalating()
    live = await call(agent=lambda: agent, mind=Prefacing(BEFORE), mouth=SentenceBySentence(speech_s=0.1))
    await asked(live)
    adapter = await holding(live)
    await adapter.unmute()
    live.mouth.speech_s = 1.5
    agent.done.set()
    await until(lambda: is_ours(live.session.current_utterance))
    answer = live.session.current_utterance
    await live.ear.hears("Never mind, goodbye then.")
    await until(lambda: answer.interrupted)
    await until(lambda: heard(live).endswith("Isee."))


async def test_speech_that_never_ends_does_not_keep_the_hold_line_for_ever(call, monkeypatch) -> None:
    monkeypatch.setattr(speech_output, "PLAY_OUT_TIMEOUT_S", 0.2)
    agent = Escalating()
    live = await call(agent=lambda: agent, mind=Prefacing(BEFORE), mouth=SentenceBySentence(speech_s=30.0))
    await asked(live)
    adapter = AgentSessionAdapter(live.session)
    await adapter.mute()
    line = asyncio.create_task(adapter.say(HOLD, interruptible=False))
    await until(lambda: is_ours(live.session.current_utterance))
    line.cancel()
    await asyncio.wait([line], timeout=2)
    assert line.cancelled()
    await adapter.unmute()


async def test_a_caller_released_before_the_hold_line_hears_what_was_being_said_to_its_end(call) -> None:
    agent = Escalating()
    live = await call(agent=lambda: agent, mind=Prefacing(BEFORE), mouth=SentenceBySentence(speech_s=0.1))
    await asked(live)
    adapter = AgentSessionAdapter(live.session)
    await adapter.mute()
    line = asyncio.create_task(adapter.say(HOLD, interruptible=False))
    await asyncio.sleep(0.02)
    line.cancel()
    await asyncio.wait([line], timeout=2)
    await adapter.unmute()
    await adapter.say(SORRY, interruptible=True)
    agent.done.set()
    await until(lambda: heard(live) == squeezed(*BEFORE, SORRY, ANSWER))


async def test_a_tool_that_begins_while_the_line_waits_is_not_waited_for(call) -> None:
    agent = Escalating()
    live = await call(agent=lambda: agent, mind=Prefacing(BEFORE), mouth=SentenceBySentence(speech_s=0.1))
    await live.ear.hears("Get me a supervisor.")
    await until(lambda: live.session.pipeline.orchestrator.speech_generation.tts_lock.locked())
    await holding(live)
    assert heard(live) == squeezed(*BEFORE, HOLD)
