"""Whether a pipeline can brief in this process is known before anybody is rung, and said in one sentence."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from videosdk.agents import Pipeline
from videosdk.agents.job import _set_current_job_context
from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig, WarmTransferError

from warmxfer.bus import Bus
from warmxfer.integrations.videosdk import briefing_pipeline, install, prebuilt_pipeline

from .offline import Ear, Mind, Mouth, Realtime

READY = "+14155550101"


def config(number: str = READY, **more: Any) -> WarmTransferConfig:
    destination = SIPDestination(routing_rule_id="rr_1", sip_call_to=number, sip_call_from="+14155550100")
    return WarmTransferConfig(destination=destination, **more)


class Picky(Mouth):
    def __init__(self, api_key: str) -> None:
        super().__init__()


class Keyless(Mind):
    keys = ["a key"]

    def __init__(self) -> None:
        super().__init__()
        if not self.keys:
            raise ValueError("set OUR_KEY")


class Closable(Mouth):
    closed = 0

    async def aclose(self) -> None:
        Closable.closed += 1
        await super().aclose()


async def refusal(call: Any, bus: Bus, config: WarmTransferConfig, **parts: Any) -> str:
    """What `warm_transfer` raises, when nothing of it reached the bus."""
    live = await call(**parts)
    install(live.session, bus.settings.url, brief_by="session")
    with pytest.raises(WarmTransferError) as refused:
        await live.session.warm_transfer(config)
    assert await bus.history("warmxfer.>", 10) == []
    return str(refused.value)


REMEDY = "; pass a function that makes its pipeline: config.briefing_pipeline_factory."


async def test_a_component_that_needs_arguments_is_named(call: Any, fresh_bus: Bus) -> None:
    said = await refusal(call, fresh_bus, config(), mouth=Picky("key"))
    assert said.startswith("brief_by is 'session', but a Picky cannot be made without arguments (TypeError: ")
    assert "missing 1 required positional argument: 'api_key'" in said
    assert said.endswith(REMEDY)


async def test_a_component_that_finds_no_key_is_named_and_what_was_made_is_closed(
    call: Any, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    mind, before = Keyless(), Closable.closed
    monkeypatch.setattr(Keyless, "keys", [])
    monkeypatch.setattr(briefing_pipeline, "PARTS", ("stt", "tts", "llm"))
    said = await refusal(call, fresh_bus, config(), mind=mind, mouth=Closable())
    assert said == (
        "brief_by is 'session', but a Keyless cannot be made without arguments (ValueError: set OUR_KEY)"
        + REMEDY
    )
    assert Closable.closed == before + 1


async def test_a_realtime_session_says_no_briefing_word_for_word(call: Any, fresh_bus: Bus) -> None:
    said = await refusal(call, fresh_bus, config(), realtime=Realtime())
    assert said.startswith("brief_by is 'session', but the session speaks through a realtime model")
    assert said.endswith(REMEDY)


async def test_what_is_no_function_is_refused(call: Any, fresh_bus: Bus) -> None:
    said = await refusal(call, fresh_bus, config(briefing_pipeline_factory="briefing"))
    assert said.startswith("config.briefing_pipeline_factory is 'str', which cannot be called; give a")


NOT_SAID = "sk-live-51"


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ValueError("no DEEPGRAM_API_KEY"), "ValueError: no DEEPGRAM_API_KEY"),
        (ValueError("two\nlines\tof it"), "ValueError: two lines of it"),
        (KeyError(), "KeyError"),
        (RuntimeError("x" * 500), "RuntimeError: " + "x" * 186),
    ],
)
async def test_a_function_that_raises_rings_nobody_and_says_why(
    call: Any, fresh_bus: Bus, raised: Exception, told: str
) -> None:
    def briefing() -> Any:
        raise raised

    said = await refusal(call, fresh_bus, config(briefing_pipeline_factory=briefing))
    assert said.startswith("config.briefing_pipeline_factory is 'test_a_function_that_raises_rings_nobody_")
    assert said.endswith(f"which raised {told}; make it return a Pipeline")


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (dict, "which returned a dict; return a videosdk Pipeline"),
        (lambda: Pipeline(llm=Realtime()), "whose pipeline does not say what it is told word for word"),
    ],
)
async def test_a_function_that_makes_no_fit_pipeline_rings_nobody(
    call: Any, fresh_bus: Bus, made: Any, sentence: str
) -> None:
    said = await refusal(call, fresh_bus, config(briefing_pipeline_factory=made))
    assert sentence in said


async def test_what_a_function_raised_stands_in_no_log_line(
    call: Any, fresh_bus: Bus, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def briefing() -> Any:
        raise ValueError(NOT_SAID)

    caplog.set_level(logging.DEBUG)
    assert NOT_SAID in await refusal(call, fresh_bus, config(briefing_pipeline_factory=briefing))
    assert NOT_SAID not in caplog.text + "".join(capsys.readouterr())


async def test_a_wrong_number_is_said_before_a_pipeline_is_made(call: Any, fresh_bus: Bus) -> None:
    made: list[Any] = []
    said = await refusal(call, fresh_bus, config("555", briefing_pipeline_factory=lambda: made.append(1)))
    assert "sip_call_to is '555'" in said
    assert made == []


async def test_what_is_made_ahead_leaves_the_sessions_own_pipeline_in_its_place(call: Any) -> None:
    """A pipeline puts itself in the place of the one that the job has in whose context it is made."""
    live = await call()
    own = live.context._pipeline

    async def ask() -> None:
        _set_current_job_context(live.context)
        async with briefing_pipeline.pipeline_for(live.session, config(), brief_here=True) as factory:
            assert factory is not None

    await asyncio.create_task(ask())
    assert live.context._pipeline is own


async def test_a_pipeline_nobody_was_briefed_by_is_closed(call: Any) -> None:
    live, mouth = await call(), Closable()
    before = Closable.closed
    asked = config(briefing_pipeline_factory=lambda: Pipeline(stt=Ear(), tts=mouth))
    async with briefing_pipeline.pipeline_for(live.session, asked, brief_here=False):
        assert Closable.closed == before
    assert Closable.closed == before + 1


async def test_the_pipeline_made_ahead_is_the_one_that_briefs(call: Any) -> None:
    live, made = await call(), list[Pipeline]()

    def briefing() -> Pipeline:
        made.append(Pipeline(stt=Ear(), tts=Mouth()))
        return made[-1]

    asked = config(briefing_pipeline_factory=briefing)
    async with briefing_pipeline.pipeline_for(live.session, asked, brief_here=False) as factory:
        assert factory is not None
        assert len(made) == 1
        assert factory.make() is made[0]
        assert factory.make() is made[1], "whoever has to come again needs another"
    assert made[0].tts is not None, "whoever took it closes it"


async def test_a_component_that_will_not_close_does_not_keep_anybody_waiting(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(Mouth):
        async def aclose(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(prebuilt_pipeline, "CLOSE_TIMEOUT_S", 0.05)
    live = await call()
    live.session.pipeline.tts, talking = Hanging(), live.session.pipeline.tts
    async with asyncio.timeout(1):
        async with briefing_pipeline.pipeline_for(live.session, config(), brief_here=True) as factory:
            assert factory is not None
    live.session.pipeline.tts = talking


async def test_a_worker_briefs_whoever_does_not_ask_for_more(call: Any) -> None:
    live = await call()
    async with briefing_pipeline.pipeline_for(live.session, config(), brief_here=False) as factory:
        assert factory is None
