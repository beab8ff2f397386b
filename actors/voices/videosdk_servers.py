"""Which servers a room is on: asked off the loop, before the framework's library asks.

The library asks with a blocking request that has no deadline, in the middle of joining, on the loop that
carries everybody's voice. So we ask before it in a thread; its own question is answered with what is known.
"""

# pyright: reportMissingImports=false
# The extra is not installed where the rest of the house is type-checked.

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import videosdk.room_client as room_client

MAX_ASKED_AT_ONCE = 8

_threads = ThreadPoolExecutor(MAX_ASKED_AT_ONCE, thread_name_prefix="videosdk-servers")
_known: ContextVar[Mapping[str, Any] | None] = ContextVar("known_servers", default=None)
_asked = room_client.get_server_config


async def know_servers(room_id: str, token: str, host: str) -> None:
    """Ask the cloud, and remember the answer in this context. Raises what the library raises.

    Cancelling it stops the waiting, not the request.
    """
    asking = asyncio.get_running_loop().run_in_executor(_threads, _asked, room_id, token, host)
    _known.set(await asking)


def _answered(room_id: str, token: str, host: str) -> Any:
    """In place of the library's question; a context that knows nothing asks as before."""
    return _known.get() or _asked(room_id, token, host)


room_client.get_server_config = _answered
