"""A hold in the middle of a turn: nothing that was said, or is to be said, gets lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from videosdk.agents import LLMResponse, UtteranceHandle, function_tool
from videosdk.agents.llm.chat_context import ChatContext, ChatRole

from warmxfer.integrations.videosdk import AgentSessionAdapter, speech_output

from .offline import OfflineTTS, ScriptedLLM, SimpleAgent
from .test_session_adapter import HOLD, until

BEFORE = ["I am so sorry about that, Ann, truly.", "Your refund number is 4417, please write it down."]
ANSWER = "I opened ticket 123, somebody calls you back."
SORRY = "Sorry, nobody could come."


class PrefacingLLM(ScriptedLLM):
    """A model that says `before`, calls its tool, and then says `answer`."""

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


class SentenceTTS(OfflineTTS):
    """Says one sentence before it takes the next, as most synthesisers do; keeps the complete ones."""

    async def synthesize(self, text: AsyncIterator[Any] | str, voice_id: str | None = None, **_: Any) -> None:
        assert not isinstance(text, str), "the framework's chunker makes a stream of it"
        async for part in text:
            if isinstance(part, str) and part.strip():
                if self._first_audio_callback is not None:
                    await self._first_audio_callback()
                await asyncio.sleep(self.speech_s)
                self.said.append(part.strip())


class WaitingAgent(SimpleAgent):
    """An agent whose tool takes as long as a transfer."""

    def __init__(self) -> None:
        super().__init__()
        self.done = asyncio.Event()

    @function_tool
    async def escalate(self) -> str:
        """Get a supervisor."""
        await self.done.wait()
        return "Nobody could come."


TTS_CLASSES = [SentenceTTS, OfflineTTS]


def spoken(live: Any) -> str:
    """Return all that was said, without blanks."""
    return "".join("".join(live.tts.said).split())


def squeezed(*lines: str) -> str:
    return "".join("".join(lines).split())


async def wait_for_tool(live: Any) -> None:
    """Let the caller request a supervisor, and wait until the tool runs."""
    await live.stt.transcribe("Get me a supervisor.")
    await until(lambda: live.session._is_executing_tool)


async def hold(live: Any) -> AgentSessionAdapter:
    """Put the caller on hold in the middle of the turn, as the primary does."""
    adapter = AgentSessionAdapter(live.session)
    await adapter.mute()
    async with asyncio.timeout(15):
        await adapter.say(HOLD, interruptible=False)
    return adapter


def is_warmxfer_line(utterance: UtteranceHandle | None) -> bool:
    return utterance is not None and utterance.id.startswith("warmxfer")


def contexts(live: Any) -> list[str]:
    return [squeezed(*each.content) for each in live.session.agent.chat_context.messages()]


@pytest.mark.parametrize("tts_class", TTS_CLASSES)
async def test_the_current_speech_ends_before_the_hold_line(call, tts_class: type[OfflineTTS]) -> None:
    agent = WaitingAgent()
    live = await call(agent=lambda: agent, llm=PrefacingLLM(BEFORE), tts=tts_class(speech_s=0.1))
    await wait_for_tool(live)
    await hold(live)
    assert spoken(live) == squeezed(*BEFORE, HOLD)
    assert live.session._is_executing_tool, "the tool still runs"


@pytest.mark.parametrize("tts_class", TTS_CLASSES)
@pytest.mark.parametrize("answer", [ANSWER, "word " * 120])
async def test_the_answer_to_the_tool_comes_after_the_apology(
    call, tts_class: type[OfflineTTS], answer: str
) -> None:
    agent = WaitingAgent()
    live = await call(agent=lambda: agent, llm=PrefacingLLM(BEFORE, answer), tts=tts_class(speech_s=0.05))
    await wait_for_tool(live)
    adapter = await hold(live)
    await adapter.unmute()
    apology = asyncio.create_task(adapter.say(SORRY, interruptible=True))
    await asyncio.sleep(0)
    agent.done.set()
    await until(lambda: spoken(live) == squeezed(*BEFORE, HOLD, SORRY, answer))
    await apology
    await until(lambda: live.session.current_utterance is None)
    assert any(squeezed(answer) in each for each in contexts(live)), "the chat context has the answer"
    await live.stt.transcribe("Thank you.")
    await until(lambda: spoken(live).endswith("Isee."))


async def test_an_answer_on_hold_waits_for_the_apology(call) -> None:
    agent = WaitingAgent()
    live = await call(agent=lambda: agent, llm=PrefacingLLM(BEFORE), tts=SentenceTTS(speech_s=0.05))
    await wait_for_tool(live)
    adapter = await hold(live)
    agent.done.set()
    await until(lambda: not live.session._is_executing_tool)
    await asyncio.sleep(0.5)
    assert spoken(live) == squeezed(*BEFORE, HOLD)
    await adapter.unmute()
    await adapter.say(SORRY, interruptible=True)
    await until(lambda: spoken(live) == squeezed(*BEFORE, HOLD, SORRY, ANSWER))


async def test_after_leaving_the_rest_is_not_said(call) -> None:
    agent = WaitingAgent()
    live = await call(agent=lambda: agent, llm=PrefacingLLM(BEFORE), tts=SentenceTTS(speech_s=0.05))
    await wait_for_tool(live)
    adapter = await hold(live)
    agent.done.set()
    await until(lambda: live.llm.tool_ended != [])
    await adapter.leave()
    await until(lambda: live.meeting.left)
    await asyncio.sleep(0.5)
    assert spoken(live) == squeezed(*BEFORE, HOLD)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "warmxfer-rest"]


async def test_the_rest_is_not_said_if_the_caller_interrupts_the_apology(call) -> None:
    agent = WaitingAgent()
    live = await call(agent=lambda: agent, llm=PrefacingLLM(BEFORE), tts=SentenceTTS(speech_s=0.2))
    await wait_for_tool(live)
    adapter = await hold(live)
    await adapter.unmute()
    live.tts.speech_s = 1.5
    apology = asyncio.create_task(adapter.say(SORRY, interruptible=True))
    agent.done.set()
    await until(lambda: live.llm.tool_ended != [])
    await live.stt.transcribe("Never mind, goodbye then.")
    await until(lambda: spoken(live).endswith("Isee."))
    await asyncio.sleep(0.5)
    assert "ticket" not in spoken(live)
    await asyncio.wait([apology], timeout=2)
    assert apology.done()


async def test_a_caller_can_interrupt_the_rest(call) -> None:
    agent = WaitingAgent()
    live = await call(agent=lambda: agent, llm=PrefacingLLM(BEFORE), tts=SentenceTTS(speech_s=0.1))
    await wait_for_tool(live)
    adapter = await hold(live)
    await adapter.unmute()
    live.tts.speech_s = 1.5
    agent.done.set()
    await until(lambda: is_warmxfer_line(live.session.current_utterance))
    answer = live.session.current_utterance
    await live.stt.transcribe("Never mind, goodbye then.")
    await until(lambda: answer.interrupted)
    await until(lambda: spoken(live).endswith("Isee."))


async def test_endless_speech_does_not_block_the_hold_line(call, monkeypatch) -> None:
    monkeypatch.setattr(speech_output, "PLAY_OUT_TIMEOUT_S", 0.2)
    agent = WaitingAgent()
    live = await call(agent=lambda: agent, llm=PrefacingLLM(BEFORE), tts=SentenceTTS(speech_s=30.0))
    await wait_for_tool(live)
    adapter = AgentSessionAdapter(live.session)
    await adapter.mute()
    line = asyncio.create_task(adapter.say(HOLD, interruptible=False))
    await until(lambda: is_warmxfer_line(live.session.current_utterance))
    line.cancel()
    await asyncio.wait([line], timeout=2)
    assert line.cancelled()
    await adapter.unmute()


async def test_the_current_speech_ends_if_the_caller_is_released_before_the_hold_line(call) -> None:
    agent = WaitingAgent()
    live = await call(agent=lambda: agent, llm=PrefacingLLM(BEFORE), tts=SentenceTTS(speech_s=0.1))
    await wait_for_tool(live)
    adapter = AgentSessionAdapter(live.session)
    await adapter.mute()
    line = asyncio.create_task(adapter.say(HOLD, interruptible=False))
    await asyncio.sleep(0.02)
    line.cancel()
    await asyncio.wait([line], timeout=2)
    await adapter.unmute()
    await adapter.say(SORRY, interruptible=True)
    agent.done.set()
    await until(lambda: spoken(live) == squeezed(*BEFORE, SORRY, ANSWER))


async def test_a_line_does_not_wait_for_a_tool_that_starts_later(call) -> None:
    agent = WaitingAgent()
    live = await call(agent=lambda: agent, llm=PrefacingLLM(BEFORE), tts=SentenceTTS(speech_s=0.1))
    await live.stt.transcribe("Get me a supervisor.")
    await until(lambda: live.session.pipeline.orchestrator.speech_generation.tts_lock.locked())
    await hold(live)
    assert spoken(live) == squeezed(*BEFORE, HOLD)
