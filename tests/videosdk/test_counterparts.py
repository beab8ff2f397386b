"""Every public class of upstream has its counterpart under its own name: one changed import is enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import fields
from inspect import signature
from typing import Any

import pytest
import pytest_asyncio
from videosdk.agents import Agent, warm_transfer
from videosdk.agents.utils import get_tool_info

from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.integrations import videosdk as ours
from warmxfer.schemas import SpokenLines

from .hazard_runner import TIME_SCALE
from .offline import Call, OfflineTTS, ScriptedLLM
from .test_drop_in_findings import DECLINES, READY, Run, run
from .test_session_adapter import until
from .test_user_script import IMPORT_LINE, SCRIPT, Recorded
from .test_user_script import run as run_script

SUMMARY = "Ann was charged twice."
CLASSES = [ours.WarmTransferAgent, warm_transfer.WarmTransferAgent]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local_stack() -> AsyncIterator[LocalStack]:
    async with LocalStack(time_scale=TIME_SCALE) as local_stack:
        yield local_stack


def test_every_public_name_of_upstream_has_its_counterpart() -> None:
    for name in warm_transfer.__all__:
        upstream, counterpart = getattr(warm_transfer, name), getattr(ours, name)
        assert counterpart.__name__ == upstream.__name__ == name
        if not issubclass(upstream, Exception):
            assert list(signature(counterpart).parameters) == list(signature(upstream).parameters)
    assert {each.name for each in fields(ours.WarmTransferConfig)} == {
        each.name for each in fields(warm_transfer.WarmTransferConfig)
    }


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("supervisor", [READY, DECLINES])
async def test_a_script_with_one_changed_import_is_carried_out_by_warmxfer(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch, supervisor: str
) -> None:
    monkeypatch.setenv("NATS_URL", local_stack.url_of("agent"))
    changed = SCRIPT.replace(IMPORT_LINE, "from warmxfer.integrations.videosdk import")
    assert changed != SCRIPT
    upstream = await run_script(local_stack, SCRIPT, supervisor, own_pipeline=False)
    recorded = await run_script(local_stack, changed, supervisor, own_pipeline=False)
    assert not _by_warmxfer(upstream)
    assert _by_warmxfer(recorded)
    assert sorted(recorded.names) == sorted(upstream.names)
    assert recorded.last == upstream.last
    end: Any
    upstream_end: Any
    (end,), (upstream_end,) = recorded.ends, upstream.ends
    assert type(end) is type(upstream_end)
    assert (end.success, end.error) == (upstream_end.success, upstream_end.error)


def _by_warmxfer(recorded: Recorded) -> bool:
    """Return whether the supervisor has a participant id of warmxfer's."""
    joined = [each["data"] for each in recorded.phases if each["phase"].value == "supervisor_joined"]
    return [str(each["supervisor_participant_id"]).startswith("wxs-") for each in joined] == [True]


# ── the runner ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("with_warmxfer", "runner"),
    [
        (False, warm_transfer.WarmTransferRunner),
        (True, warm_transfer.WarmTransferRunner),
        (True, ours.WarmTransferRunner),
    ],
    ids=["upstream", "upstream's name after install", "warmxfer"],
)
@pytest.mark.parametrize("number", [READY, DECLINES])
async def test_the_runner_runs_one_transfer(
    local_stack: LocalStack, with_warmxfer: bool, runner: Any, number: str
) -> None:
    result, one = await run(
        local_stack,
        with_warmxfer,
        number,
        start=lambda one: runner(one.live.session, one.agent.config).run(),
    )
    assert isinstance(result, warm_transfer.WarmTransferResult)
    assert (result.success, result.error) == ((True, None) if number == READY else (False, "declined"))
    assert one.phases[0] == "started"
    assert one.phases[-1] == result.phase.value
    assert str(result.supervisor_participant_id).startswith("wxs-") is with_warmxfer


@pytest.mark.asyncio(loop_scope="module")
async def test_cancelling_the_run_returns_the_caller(local_stack: LocalStack) -> None:
    async def cancelled(one: Run) -> None:
        running = asyncio.create_task(ours.WarmTransferRunner(one.live.session, one.agent.config).run())
        await until(lambda: "supervisor_dialed" in one.phases, 20.0)
        with pytest.raises(ours.WarmTransferError, match="already in progress"):
            await ours.WarmTransferRunner(one.live.session, one.agent.config).run()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    _, one = await run(local_stack, True, "+14155550111", start=cancelled)
    assert one.phases[-1] == "transfer_cancelled"
    assert one.live.session._warm_transfer_in_progress is False


# ── the briefing agent ───────────────────────────────────────────────────────────────────────────


def test_it_has_upstreams_three_tools() -> None:
    upstream, counterpart = (_tools(kind(SUMMARY)) for kind in reversed(CLASSES))
    assert set(upstream) == {"done_briefing", "decline_transfer", "voicemail_detected"}
    assert counterpart == upstream


def _tools(agent: Agent) -> dict[str, str | None]:
    return {(info := get_tool_info(tool)).name: info.description for tool in agent.tools}


@pytest.mark.parametrize("kind", CLASSES)
async def test_each_tool_sets_its_event(kind: Any) -> None:
    assert kind(SUMMARY, "Be brief.").instructions == kind(SUMMARY, instructions="Be brief.").instructions
    ready, declined, voicemail = kind(SUMMARY), kind(SUMMARY), kind(SUMMARY)
    assert await ready.done_briefing() == "Connecting the caller now. Stand by."
    assert (
        await declined.decline_transfer("busy")
        == "Understood. The caller will be kept with the primary agent."
    )
    assert await voicemail.voicemail_detected() == "Voicemail detected; aborting transfer."
    assert [each.briefing_done_event.is_set() for each in (ready, declined, voicemail)] == [
        True,
        False,
        False,
    ]
    assert [each.briefing_failed_event.is_set() for each in (ready, declined, voicemail)] == [
        False,
        True,
        True,
    ]
    assert (declined._briefing_failure_reason, voicemail._briefing_failure_reason) == (
        "declined",
        "voicemail",
    )


async def open_briefing(call: Any, kind: Any, *script: Any) -> tuple[asyncio.Task[Call], Any]:
    agents = list[Any]()

    def agent() -> Any:
        agents.append(kind(SUMMARY))
        return agents[0]

    opening = asyncio.create_task(call(agent=agent, llm=ScriptedLLM(*script), tts=OfflineTTS()))
    await until(lambda: bool(agents))
    return opening, agents[0]


@pytest.mark.parametrize("kind", CLASSES)
async def test_it_briefs_once_the_supervisor_is_there_and_the_model_calls_a_tool(
    call: Any, kind: Any
) -> None:
    word_for_word = kind is ours.WarmTransferAgent
    narration = [] if word_for_word else [f"{SUMMARY} Are you ready?"]
    opening, agent = await open_briefing(call, kind, *narration, ("done_briefing", {}))
    await asyncio.sleep(0.2)
    assert not opening.done(), "it waits for the supervisor"
    agent.supervisor_ready_event.set()
    live = await opening
    await until(lambda: len(live.tts.said) == (3 if word_for_word else 2))
    assert live.tts.has_said(SpokenLines().greeting)
    assert live.tts.has_said(SUMMARY if word_for_word else narration[0])
    assert len(live.llm.requests) == len(narration)
    await live.stt.transcribe("Yes.")
    await until(agent.briefing_done_event.is_set)


async def test_it_says_nothing_if_its_session_closes_first(call: Any) -> None:
    opening, agent = await open_briefing(call, ours.WarmTransferAgent)
    await asyncio.sleep(0.1)
    await agent.session.close()
    live = await opening
    assert live.tts.said == []
