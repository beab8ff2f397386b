"""A call of the framework, whatever it does, returns within its time and ends no task of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from warmxfer.actors.common import contained_call
from warmxfer.actors.primary import attach
from warmxfer.actors.primary.session import Done, guarded_call
from warmxfer.bus import Bus

from .conftest import Boss, until
from .fake_session import RecordingSession

TIMEOUT_S = 0.05


async def cancels_its_own_task() -> None:
    """A framework's generation was interrupted: its own task is cancelled, and it waits for that task."""
    generation = asyncio.create_task(asyncio.sleep(3_600))
    asyncio.get_running_loop().call_soon(generation.cancel)
    await generation


async def ignores_cancellation() -> None:
    until_at = asyncio.get_running_loop().time() + 1.0
    while (left_s := until_at - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.sleep(left_s)
        except asyncio.CancelledError:
            continue


async def raises_as_it_is_cancelled() -> None:
    try:
        await asyncio.sleep(3_600)
    finally:
        raise ValueError("the caller said: put her through")


@pytest.mark.parametrize(
    ("call", "event"),
    [
        (cancels_its_own_task, "session_call_failed"),
        (ignores_cancellation, "session_call_timed_out"),
        (raises_as_it_is_cancelled, "session_call_timed_out"),
    ],
)
async def test_a_call_that_does_not_end_well_is_none(
    call: Callable[[], Awaitable[None]], event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contained_call, "CANCEL_TIMEOUT_S", TIMEOUT_S)
    with capture_logs() as logs:
        async with asyncio.timeout(10):
            assert await guarded_call("mute", call, TIMEOUT_S) is None
    assert [(each["event"], each["step"]) for each in logs] == [(event, "mute")]
    assert "put her through" not in str(logs)


async def test_our_own_cancellation_passes_and_ends_the_call() -> None:
    ended = asyncio.Event()

    async def speaks() -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            ended.set()

    speaking = asyncio.create_task(guarded_call("say", speaks, 60.0))
    await asyncio.sleep(0.01)
    speaking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await speaking
    assert ended.is_set()


async def test_a_result_is_returned() -> None:
    async def history() -> int:
        return 3

    assert await guarded_call("history", history, 1.0) == Done(3)


class InterruptedSession(RecordingSession):
    """A session whose `mute` is interrupted by the framework itself, once."""

    interrupted = False

    async def mute(self) -> None:
        await super().mute()
        if not self.interrupted:
            self.interrupted = True
            await cancels_its_own_task()


async def test_a_framework_that_cancels_its_own_task_leaves_the_session_usable(
    bus: Bus, boss: Boss, room: str
) -> None:
    """Before, the caller stayed muted, and no task received the release."""
    async with attach(bus, framework := InterruptedSession(room)):
        await boss.send(boss.hold())
        await boss.hears()
        await until(lambda: not framework.muted)
        await boss.send(boss.hold())
        await boss.hears()
        assert framework.muted
