"""A scripted cloud, and a client of it, for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider

from .scripted_cloud import Script, provider


@pytest_asyncio.fixture
async def script() -> Script:
    return Script()


@pytest_asyncio.fixture
async def videosdk(script: Script) -> AsyncIterator[VideoSDKProvider]:
    server = await asyncio.start_server(script.take, "127.0.0.1", 0)
    client = provider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    yield client
    await client.aclose()
    server.close()
