"""How much storage the broker has used, and what limits it.

The account's limit is in the broker's reply to `$JS.API.INFO`. A limit of the server itself is not, whether
it is `max_file_store` or the size of its disk: a client sees -1. `WARMXFER_MAX_STORE_MB` names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from .connection import Connection, JetStreamApiError
from .errors import AccessDenied
from .subjects import ARCHIVE, CORE, STREAMS

_NS = 1_000_000_000


class StorageUse(NamedTuple):
    """What the broker stores and for how long. `limit_bytes` is None if the broker names no limit."""

    used_bytes: int
    limit_bytes: int | None
    stream_bytes: int
    """What the streams use on one server."""
    replicas: int
    max_age_s: float | None = None
    """How long each working stream keeps messages, at least. None: for ever."""


class StreamSpan(NamedTuple):
    """Which messages a stream can hold: those that it numbered since `created`, from `first_seq` on."""

    created: str
    first_seq: int
    last_seq: int

    def may_hold(self, seq: int) -> bool:
        """Return whether the message with number `seq` can still be in the stream."""
        return self.first_seq <= seq <= self.last_seq


async def read_span(connection: Connection, stream: str, deadline_s: float) -> StreamSpan:
    """Return what `stream` can hold. Raises `Unavailable`, and `StreamMissing` if there is none."""
    info = await _stream_info(connection, stream, deadline_s)
    state = info["state"]
    return StreamSpan(str(info["created"]), int(state["first_seq"]), int(state["last_seq"]))


async def read_time(connection: Connection, deadline_s: float) -> float:
    """Return the time of the broker, in epoch seconds. Raises as `read_span` does."""
    info = await _stream_info(connection, CORE, deadline_s)
    return datetime.fromisoformat(info["ts"]).timestamp()


async def _stream_info(connection: Connection, stream: str, deadline_s: float) -> dict[str, Any]:
    try:
        return await connection.api(f"STREAM.INFO.{stream}", None, deadline_s)
    except JetStreamApiError as error:
        raise connection.stream_missing(stream) from error


class StorageReader:
    """Reads the storage that the account uses and its limit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._may_query_account = True

    async def read(self, deadline_s: float) -> StorageUse:
        """Return the storage in use.

        Raises `Unavailable`, `StreamMissing`, and `AccessDenied` if a stream is not shown.

        For a user who may not query the account, only the streams' bytes are known. It is asked once.
        """
        infos: list[dict[str, Any]] = await asyncio.gather(
            *(_stream_info(self._connection, name, deadline_s) for name in STREAMS)
        )
        streams = dict(zip(STREAMS, infos, strict=True))
        stream_bytes = sum(int(each["state"]["bytes"]) for each in infos)
        replicas = max(int(each["config"]["num_replicas"]) for each in infos)
        ages_s = [
            int(each["config"].get("max_age") or 0) / _NS for name, each in streams.items() if name != ARCHIVE
        ]
        max_age_s = min((each for each in ages_s if each), default=None)
        used_bytes, limit_bytes = stream_bytes, None
        if self._may_query_account:
            try:
                account = await self._connection.api("INFO", None, deadline_s)
                used_bytes, limit_bytes = account_limit(account, replicas)
            except AccessDenied:
                self._may_query_account = False
        return StorageUse(used_bytes, limit_bytes, stream_bytes, replicas, max_age_s)


def account_limit(account: Mapping[str, Any], replicas: int) -> tuple[int, int | None]:
    """Return the bytes used and allowed. Replicas count one by one; a tier's limit is that of one replica."""
    tiers: Mapping[str, Mapping[str, Any]] = account.get("tiers") or {}
    tier = tiers.get(f"R{replicas}")
    allowed = _allowed(tier or account)
    if tier and allowed is not None:
        allowed *= replicas
    return int((tier or account).get("storage", 0)), allowed


def _allowed(part: Mapping[str, Any]) -> int | None:
    limits: Mapping[str, int] = part.get("limits") or {}
    allowed = limits.get("max_storage", -1)
    return allowed if allowed >= 0 else None
