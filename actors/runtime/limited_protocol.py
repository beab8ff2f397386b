"""Limits on the connections of an HTTP server: one slow or greedy peer does not shut out the others.

uvicorn limits the number of requests, and not how long one may send a request's head.

Tests: `tests/actors/gateway/test_webhook_server.py`, `tests/cli/board/test_connections.py`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_TIMEOUT_S = 5.0
"""Time from the first byte of a request, or from the connection, to the end of its head."""
MAX_HEAD_BYTES = 16 * 1024

log = structlog.get_logger(__name__)


@dataclass
class Peers:
    """The connections of one server. `name` is the server's in the logs."""

    name: str
    max_per_peer: int
    """Connections of one address. A proxy before the server is one address for every sender."""
    counts: Counter[str] = field(default_factory=Counter[str])


class LimitedProtocol(H11Protocol):
    """One connection. A head that takes too long or is too large, and a peer with too many, end it."""

    def __init__(self, peers: Peers, **options: Any) -> None:
        super().__init__(**options)
        self._peers = peers
        self._peer: str | None = None
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = transport.get_extra_info("peername")
        self._peer = str(address[0]) if address else ""
        self._peers.counts[self._peer] += 1
        if self._peers.counts[self._peer] > self._peers.max_per_peer:
            log.warning(
                "http_connection_refused",
                server=self._peers.name,
                peer=self._peer,
                connections=self._peers.max_per_peer,
            )
            transport.abort()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        if self._head_timer is None and not self._in_request:
            self._await_head()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_request:
            self._head_bytes = 0
            self._stop_timer()
        elif self._head_bytes > MAX_HEAD_BYTES:
            self._end("head too large")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._peer is not None:
            counts = self._peers.counts
            counts[self._peer] -= 1
            if not counts[self._peer]:
                del counts[self._peer]
            self._peer = None
        super().connection_lost(exc)

    @property
    def _in_request(self) -> bool:
        """Whether the head of a request is complete, and its response is not."""
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        self._head_timer = asyncio.get_running_loop().call_later(HEAD_TIMEOUT_S, self._end, "head too slow")

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end(self, why: str) -> None:
        self._stop_timer()
        log.info("http_connection_ended", server=self._peers.name, peer=self._peer, why=why)
        self.transport.abort()
