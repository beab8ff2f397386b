"""A pipeline that cannot brief is refused in one sentence, before a phone rings."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from videosdk.agents import Pipeline
from videosdk.agents.job import _set_current_job_context
from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig, WarmTransferError

from warmxfer.bus import Bus, subjects
from warmxfer.integrations.videosdk import briefing_pipeline, install, prebuilt_pipeline

from .offline import OfflineRealtimeModel, OfflineSTT, OfflineTTS, ScriptedLLM

READY = "+14155550101"


def config(number: str = READY, **more: Any) -> WarmTransferConfig:
    destination = SIPDestination(routing_rule_id="rr_1", sip_call_to=number, sip_call_from="+14155550100")
    return WarmTransferConfig(destination=destination, **more)


class NeedsArgumentTTS(OfflineTTS):
    def __init__(self, api_key: str) -> None:
        super().__init__()


class NeedsKeyLLM(ScriptedLLM):
    keys = ["a key"]

    def __init__(self) -> None:
        super().__init__()
        if not self.keys:
            raise ValueError("set OUR_KEY")


class CountingTTS(OfflineTTS):
    closed = 0

    async def aclose(self) -> None:
        CountingTTS.closed += 1
        await super().aclose()


async def refusal(call: Any, bus: Bus, config: WarmTransferConfig, **parts: Any) -> str:
    """Return the sentence that `warm_transfer` raises; check that nothing reached the bus."""
    live = await call(**parts)
    install(live.session, bus.settings.url, brief_by="session")
    with pytest.raises(WarmTransferError) as refused:
        await live.session.warm_transfer(config)
    for stream in subjects.STREAMS:
        assert await bus.history(">", 10, stream=stream) == []
    return str(refused.value)


REMEDY = "; pass a function that makes its pipeline: config.briefing_pipeline_factory."


async def test_a_component_that_needs_arguments_is_named(call: Any, fresh_bus: Bus) -> None:
    sentence = await refusal(call, fresh_bus, config(), tts=NeedsArgumentTTS("key"))
    assert sentence.startswith(
        "brief_by is 'session', but a NeedsArgumentTTS cannot be made without arguments (TypeError: "
    )
    assert "missing 1 required positional argument: 'api_key'" in sentence
    assert sentence.endswith(REMEDY)


async def test_a_component_without_its_key_is_named_and_the_others_are_closed(
    call: Any, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm, before = NeedsKeyLLM(), CountingTTS.closed
    monkeypatch.setattr(NeedsKeyLLM, "keys", [])
    monkeypatch.setattr(briefing_pipeline, "PARTS", ("stt", "tts", "llm"))
    sentence = await refusal(call, fresh_bus, config(), llm=llm, tts=CountingTTS())
    assert sentence == (
        "brief_by is 'session', but a NeedsKeyLLM cannot be made without arguments (ValueError: set OUR_KEY)"
        + REMEDY
    )
    assert CountingTTS.closed == before + 1


async def test_a_realtime_session_is_refused(call: Any, fresh_bus: Bus) -> None:
    sentence = await refusal(call, fresh_bus, config(), realtime=OfflineRealtimeModel())
    assert sentence.startswith("brief_by is 'session', but the session speaks through a realtime model")
    assert sentence.endswith(REMEDY)


async def test_a_value_that_cannot_be_called_is_refused(call: Any, fresh_bus: Bus) -> None:
    sentence = await refusal(call, fresh_bus, config(briefing_pipeline_factory="briefing"))
    assert sentence.startswith("config.briefing_pipeline_factory is 'str', which cannot be called; give a")


KEY = "sk-live-51"


@pytest.mark.parametrize(
    ("raised", "quoted"),
    [
        (ValueError("no DEEPGRAM_API_KEY"), "ValueError: no DEEPGRAM_API_KEY"),
        (ValueError("two\nlines\tof it"), "ValueError: two lines of it"),
        (KeyError(), "KeyError"),
        (RuntimeError("x" * 500), "RuntimeError: " + "x" * 186),
    ],
)
async def test_a_function_that_raises_is_quoted_before_a_phone_rings(
    call: Any, fresh_bus: Bus, raised: Exception, quoted: str
) -> None:
    def briefing() -> Any:
        raise raised

    sentence = await refusal(call, fresh_bus, config(briefing_pipeline_factory=briefing))
    assert sentence.startswith("config.briefing_pipeline_factory is 'test_a_function_that_raises_is_quoted_")
    assert sentence.endswith(f"which raised {quoted}; make it return a Pipeline")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (dict, "which returned a dict; return a videosdk Pipeline"),
        (
            lambda: Pipeline(llm=OfflineRealtimeModel()),
            "whose pipeline does not say its lines word for word",
        ),
    ],
)
async def test_an_unfit_pipeline_is_refused_before_a_phone_rings(
    call: Any, fresh_bus: Bus, make: Any, sentence: str
) -> None:
    refused = await refusal(call, fresh_bus, config(briefing_pipeline_factory=make))
    assert sentence in refused


async def test_the_error_of_a_function_is_not_logged(
    call: Any, fresh_bus: Bus, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def briefing() -> Any:
        raise ValueError(KEY)

    caplog.set_level(logging.DEBUG)
    assert KEY in await refusal(call, fresh_bus, config(briefing_pipeline_factory=briefing))
    assert KEY not in caplog.text + "".join(capsys.readouterr())


async def test_a_wrong_number_is_refused_before_a_pipeline_is_made(call: Any, fresh_bus: Bus) -> None:
    pipelines: list[Any] = []
    sentence = await refusal(
        call, fresh_bus, config("555", briefing_pipeline_factory=lambda: pipelines.append(1))
    )
    assert "sip_call_to is '555'" in sentence
    assert pipelines == []


async def test_a_prebuilt_pipeline_does_not_replace_the_sessions_own(call: Any) -> None:
    """A pipeline that is made in a job's context replaces the job's pipeline."""
    live = await call()
    own = live.context._pipeline

    async def make_early() -> None:
        _set_current_job_context(live.context)
        async with briefing_pipeline.pipeline_for(live.session, config(), brief_here=True) as factory:
            assert factory is not None

    await asyncio.create_task(make_early())
    assert live.context._pipeline is own


async def test_an_unused_pipeline_is_closed(call: Any) -> None:
    live, tts = await call(), CountingTTS()
    before = CountingTTS.closed
    requested = config(briefing_pipeline_factory=lambda: Pipeline(stt=OfflineSTT(), tts=tts))
    async with briefing_pipeline.pipeline_for(live.session, requested, brief_here=False):
        assert CountingTTS.closed == before
    assert CountingTTS.closed == before + 1


async def test_the_prebuilt_pipeline_is_the_one_that_briefs(call: Any) -> None:
    live, pipelines = await call(), list[Pipeline]()

    def briefing() -> Pipeline:
        pipelines.append(Pipeline(stt=OfflineSTT(), tts=OfflineTTS()))
        return pipelines[-1]

    requested = config(briefing_pipeline_factory=briefing)
    async with briefing_pipeline.pipeline_for(live.session, requested, brief_here=False) as factory:
        assert factory is not None
        assert len(pipelines) == 1
        assert factory.make() is pipelines[0]
        assert factory.make() is pipelines[1], "a second join needs another pipeline"
    assert pipelines[0].tts is not None, "the caller of make() closes it"


async def test_a_component_that_hangs_on_close_does_not_delay_the_end(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(OfflineTTS):
        async def aclose(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(prebuilt_pipeline, "CLOSE_TIMEOUT_S", 0.05)
    live = await call()
    live.session.pipeline.tts, session_tts = Hanging(), live.session.pipeline.tts
    async with asyncio.timeout(1):
        async with briefing_pipeline.pipeline_for(live.session, config(), brief_here=True) as factory:
            assert factory is not None
    live.session.pipeline.tts = session_tts


async def test_a_briefing_worker_briefs_by_default(call: Any) -> None:
    live = await call()
    async with briefing_pipeline.pipeline_for(live.session, config(), brief_here=False) as factory:
        assert factory is None
