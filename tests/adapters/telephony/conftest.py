"""A scripted cloud and a provider for it, for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider

from .scripted_cloud import PATIENT_TIMEOUT_S, ScriptedCloud, provider


@pytest_asyncio.fixture
async def scripted_cloud() -> ScriptedCloud:
    return ScriptedCloud()


@pytest_asyncio.fixture
async def videosdk(scripted_cloud: ScriptedCloud) -> AsyncIterator[VideoSDKProvider]:
    server = await asyncio.start_server(scripted_cloud.serve, "127.0.0.1", 0)
    client = provider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", PATIENT_TIMEOUT_S)
    yield client
    await client.aclose()
    server.close()
