"""The real framework in the test's process. Tests are collected only if the extra `videosdk` is installed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.util import find_spec
from typing import Any

import pytest
import pytest_asyncio

from tests.actors.primary.conftest import boss

__all__ = ["boss"]

if find_spec("videosdk") is None:
    # Ignore all but test_without_extra.py.
    collect_ignore_glob = ["test_[!w]*.py", "test_warm_transfer.py"]


@pytest.fixture
def room() -> str:
    return f"room-{secrets.token_hex(4)}"


@pytest_asyncio.fixture
async def call(room: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Open live sessions; close them all at the end."""
    async for opening in opened_calls(room, monkeypatch):
        yield opening


async def opened_calls(
    room: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Open live sessions, for fixtures with a longer loop scope."""
    from videosdk.agents.metrics.analytics import AnalyticsClient
    from videosdk.agents.room.room import VideoSDK

    from .offline import Call, meeting_factory, open_call

    calls: list[Call] = []
    monkeypatch.setattr(VideoSDK, "init_meeting", lambda **config: meeting_factory.get()(**config))
    monkeypatch.setattr(AnalyticsClient, "send_interaction_analytics_safe", lambda *_: None)

    async def start(room_id: str = room, **parts: Any) -> Call:
        calls.append(await open_call(room_id, **parts))
        return calls[-1]

    yield start
    await asyncio.gather(*(each.hang_up() for each in calls))
